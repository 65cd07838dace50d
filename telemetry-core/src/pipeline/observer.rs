//! Asks callbacks of the program for their values, on a thread of its own: the dispatcher goes on meanwhile.

use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use super::command::Command;
use crate::metrics::Table;
use crate::thread::spawn;

/// The dispatcher's end.
pub(crate) struct Observer {
    /// Where the values go.
    commands: Sender<Command>,
    thread: Option<Sender<Arc<Table>>>,
}

impl Observer {
    pub(crate) fn new(commands: Sender<Command>) -> Self {
        Self { commands, thread: None }
    }

    /// Begins to ask; the values come as a command. False where there is nobody to ask.
    pub(super) fn ask(&mut self, table: &Arc<Table>) -> bool {
        if !table.has_callbacks() {
            return false;
        }
        if self.thread.is_none() {
            self.thread = self.start().ok();
        }
        self.thread.as_ref().is_some_and(|thread| thread.send(Arc::clone(table)).is_ok())
    }

    fn start(&self) -> std::io::Result<Sender<Arc<Table>>> {
        let (sender, tables) = bounded::<Arc<Table>>(1);
        let commands = self.commands.clone();
        spawn("telemetry-observer", move || {
            for table in tables {
                let _ = commands.send(Command::Observed(table.ask_callbacks()));
            }
        })?;
        Ok(sender)
    }
}

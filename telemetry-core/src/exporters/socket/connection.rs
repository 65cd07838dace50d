//! The connection: one attempt for each call.
//!
//! All that it starts runs in the runtime of its caller, which is that of the exporter's thread.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::dialer::Dialer;
use super::failure::Failure;
use super::heard::Heard;
use super::link::Link;
use super::settings::Settings;
use crate::exporters::{Delivery, ExportError};

/// Sends bodies of lines to one receiver. What was connected is kept and used again.
pub(crate) struct Connection {
    dialer: Dialer,
    /// Those that no attempt has now: as many as attempts were out at once. An attempt that is let go of takes its own along, as
    /// it may have written half a line.
    pub(super) kept: RefCell<Vec<Link>>,
    /// Attempts that are out.
    out: Cell<usize>,
    heard: RefCell<Heard>,
}

/// One of them.
struct Out<'a>(&'a Cell<usize>);

impl<'a> Out<'a> {
    fn begin(out: &'a Cell<usize>) -> Self {
        out.set(out.get() + 1);
        Self(out)
    }
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Connection {
    /// Reads all files that the settings name. No connection is made yet.
    pub(crate) fn new(settings: Settings) -> Result<Self, String> {
        let dialer = Dialer::new(settings)?;
        Ok(Self { dialer, kept: RefCell::default(), out: Cell::default(), heard: RefCell::default() })
    }

    /// One attempt to hand a body of whole lines to the kernel, on a connection that is open, as far as is known before and right
    /// behind it. One that was kept and has been closed since is replaced, and all of the body is sent again, once. Packets have as
    /// many whole lines as fit.
    pub(crate) async fn send(&self, body: &[u8]) -> Result<(), ExportError> {
        if body.is_empty() {
            return Ok(());
        }
        let _out = Out::begin(&self.out);
        let link = self.attempt(body).await.map_err(|failure| self.error(failure))?;
        self.keep(link);
        Ok(())
    }

    /// Whether there is a connection, or one can be made. Of UDP, only the host's name is looked up: nobody answers.
    pub(crate) async fn reach(&self) -> Result<(), ExportError> {
        let link = self.attempt(b"").await.map_err(|failure| self.error(failure))?;
        // What was sent meanwhile has another one.
        if self.out.get() == 0 && self.kept.borrow().is_empty() {
            self.keep(link);
        }
        Ok(())
    }

    /// The connection that it went over.
    async fn attempt(&self, body: &[u8]) -> Result<Link, Failure> {
        if let Some(mut link) = self.kept().await? {
            let heard = RefCell::default();
            match link.send(body, &heard).await {
                // What was said of a body that is sent again will be said again.
                Err(failure) if failure.is_end() => {}
                sent => {
                    self.heard.borrow_mut().append(heard.into_inner());
                    return sent.map(|()| link);
                }
            }
        }
        let began = Instant::now();
        let mut link = self.dialer.dial().await?;
        let wait = settling(began.elapsed());
        link.send(body, &self.heard).await?;
        link.settle(wait, &self.heard).await?;
        Ok(link)
    }

    /// Whole lines that the other side has said since, as they may be shown, and how many more there were. It never waits.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.borrow_mut().take()
    }

    /// The same, for whoever counts them: whole lines, and how many more there were.
    pub(crate) fn heard_counted(&self) -> (Vec<String>, u64) {
        self.heard.borrow_mut().take_counted()
    }

    /// How a request ended that was sent, of a server that says nothing where all is well: what it said is a warning.
    pub(crate) fn delivery(&self, server: &str) -> Delivery {
        self.heard().into_iter().next().map_or_else(Delivery::all, |said| {
            Delivery::partial(0, format!("it is no server of {server}, or has a complaint: {said}"))
        })
    }

    /// Waits so long for what the other side says of what it was sent, where no attempt is out. Where it closes the connection
    /// meanwhile, that is the error.
    pub(crate) async fn listen(&self, wait: Duration) -> Result<(), ExportError> {
        let kept = std::mem::take(&mut *self.kept.borrow_mut());
        for mut link in kept {
            link.settle(wait, &self.heard).await.map_err(|failure| self.error(failure))?;
            self.keep(link);
        }
        Ok(())
    }

    /// The most bytes of a line with its end, where it has to fit into a packet.
    pub(crate) fn max_packet(&self) -> Option<usize> {
        let settings = &self.dialer.settings;
        settings.transport.is_packets().then_some(settings.packet_bytes)
    }

    /// One that is open, as far as is known.
    async fn kept(&self) -> Result<Option<Link>, Failure> {
        loop {
            let Some(mut link) = self.kept.borrow_mut().pop() else { return Ok(None) };
            if !link.is_open(&self.heard).await? {
                continue;
            }
            return if link.is_old(self.dialer.settings.look_up_every) {
                self.renewed(link).await.map(Some)
            } else {
                Ok(Some(link))
            };
        }
    }

    /// The same with the addresses that the name has now. Where it can't be looked up, those stay, until it is time again.
    async fn renewed(&self, mut link: Link) -> Result<Link, Failure> {
        link.is_current();
        // An attempt that is let go of meanwhile has written nothing.
        self.keep(link);
        let dialed = self.dialer.dial().await;
        let Some(mut link) = self.kept.borrow_mut().pop() else { return dialed };
        if let Ok(new) = dialed {
            link.renew(new);
        }
        link.is_current();
        Ok(link)
    }

    fn keep(&self, link: Link) {
        self.kept.borrow_mut().push(link);
    }

    fn error(&self, failure: Failure) -> ExportError {
        failure.error(&self.dialer.settings.place)
    }
}

/// Who closes each connection at once (a proxy without a server behind it, a server that has too many, or that misses our
/// certificate) does so a round trip later: what is new is waited for as long as it took, and a moment.
fn settling(connecting: Duration) -> Duration {
    const MOMENT: Duration = Duration::from_millis(10);
    const MOST: Duration = Duration::from_secs(1);
    MOST.min(connecting + MOMENT)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("settings", &self.dialer.settings).finish_non_exhaustive()
    }
}

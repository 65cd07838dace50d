//! The spool of an exporter (`?spool=DIR`), looked at, checked and emptied:
//!
//! ```sh
//! cargo run --release -p telemetry-examples --bin spool -- list DIR
//! cargo run --release -p telemetry-examples --bin spool -- verify DIR
//! cargo run --release -p telemetry-examples --bin spool -- drain DIR --to otlp://localhost:4318
//! ```
//!
//! The first two only read, also while the program that has the directory runs. It ends with 1 where something is wrong or left, and
//! with 2 where it could do nothing.

mod drain;
mod list;
mod totals;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Lists, verifies or drains the directory of a spool.
#[derive(Parser)]
struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says what waits there, for whom, since when, and whether a running process has the directory.
    List { directory: PathBuf },
    /// Reads all of it, and names what is torn or damaged by file and byte.
    Verify { directory: PathBuf },
    /// Sends what waits there, and removes what was delivered.
    Drain {
        directory: PathBuf,
        /// The endpoint, with its secrets; it may be another one than that for which it was stored.
        #[arg(long, value_name = "URL")]
        to: String,
        /// So many seconds may pass.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        deadline: u32,
    },
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let (directory, ended) = match Flags::parse().command {
        Command::List { directory } => {
            let ended = list::list(&directory).map(|()| true);
            (directory, ended)
        }
        Command::Verify { directory } => {
            let ended = verify::verify(&directory);
            (directory, ended)
        }
        Command::Drain { directory, to, deadline } => {
            let ended = drain::drain(&directory, &to, Duration::from_secs(deadline.into()));
            (directory, ended)
        }
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("spool: {}: {e}", directory.display());
            ExitCode::from(2)
        }
    }
}

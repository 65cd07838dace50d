//! The console as a person sees it: programs that print what happens as it happens, on terminals, into pipes, and where nobody
//! reads it.
#![cfg(unix)]

mod live;
mod programs;
mod started;
mod stuck;
mod terminal;
mod trees;

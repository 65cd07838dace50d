//! One connection of whatever kind.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use super::failure::Failure;
use super::heard::Heard;
use super::packets::Packets;
use super::stream::Stream;

/// One that stands.
pub(super) enum Link {
    Stream(Stream),
    Packets(Packets),
}

impl Link {
    /// Hands all of it to the kernel.
    pub(super) async fn send(&mut self, body: &[u8], heard: &RefCell<Heard>) -> Result<(), Failure> {
        match self {
            Self::Stream(stream) => stream.send(body, heard).await.map_err(Failure::Broken),
            Self::Packets(packets) => packets.send(body).await,
        }
    }

    /// Whether it can still be used, as far as is known. It is an error where what was sent before can't have been read. Nobody says
    /// anything of packets.
    pub(super) async fn is_open(&mut self, heard: &RefCell<Heard>) -> Result<bool, Failure> {
        let Self::Stream(stream) = self else { return Ok(true) };
        match stream.look(heard).await {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(Failure::Broken(e)),
        }
    }

    /// Waits so long for the other side to close what is new.
    pub(super) async fn settle(&mut self, wait: Duration, heard: &RefCell<Heard>) -> Result<(), Failure> {
        let Self::Stream(stream) = self else { return Ok(()) };
        stream.settle(wait, heard).await.map_err(Failure::Broken)
    }

    /// Whether the name of the host should be looked up again.
    pub(super) fn is_old(&self, look_up_every: Duration) -> bool {
        matches!(self, Self::Packets(packets) if packets.made.elapsed() >= look_up_every)
    }
}

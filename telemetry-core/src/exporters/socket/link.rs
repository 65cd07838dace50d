//! One connection of whatever kind.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

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
            Self::Stream(stream) => stream.send(body, heard).await.map_err(|e| stream.broken(e)),
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
            Err(e) => Err(stream.broken(e)),
        }
    }

    /// Waits so long for the other side to close what is new.
    pub(super) async fn settle(&mut self, wait: Duration, heard: &RefCell<Heard>) -> Result<(), Failure> {
        let Self::Stream(stream) = self else { return Ok(()) };
        stream.settle(wait, heard).await.map_err(|e| stream.broken(e))
    }

    /// Whether the name of the host should be looked up again.
    pub(super) fn is_old(&self, look_up_every: Duration) -> bool {
        matches!(self, Self::Packets(packets) if packets.looked_up.elapsed() >= look_up_every)
    }

    /// The name was looked up now, or that was tried.
    pub(super) fn is_current(&mut self) {
        if let Self::Packets(packets) = self {
            packets.looked_up = Instant::now();
        }
    }

    /// Takes over what the name stands for now.
    pub(super) fn renew(&mut self, new: Self) {
        match (self, new) {
            (Self::Packets(packets), Self::Packets(new)) => packets.renew(new),
            (link, new) => *link = new,
        }
    }
}

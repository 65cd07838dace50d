//! One attempt over a socket, for the protocols whose requests are lines: TCP, TLS, UDP, and Unix sockets of both kinds.
//!
//! A body of whole lines comes in. What goes out of it is said by nobody on the other side, so that it was delivered means that all
//! of it was handed to the kernel, on a connection that was open then. What was on its way when a connection broke is sent again, as
//! far as that can be seen: in the middle of a body, or right behind it; behind the first one of a new connection that is waited for
//! (some 10 ms and a round trip), as who closes each connection does so then. So lines may arrive twice; and what the kernel still had when
//! the other side went away later is lost, and nobody is told. Packets (UDP) may be lost on any way, unless nobody listens at its
//! end and the answer that says so comes.
//!
//! Nothing here waits between attempts or begins a thread. What the other side says is read without waiting for it, and only so
//! much of it is kept.

mod connection;
mod dialer;
mod failure;
mod heard;
mod link;
mod packets;
mod settings;
mod stream;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "no exporter over sockets may be there")]
pub(crate) use connection::Connection;
#[cfg(feature = "statsd")]
pub(crate) use packets::packets;
pub(crate) use settings::{MOST_PACKET_BYTES, Place, Settings, Transport};

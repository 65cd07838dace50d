//! A receiver that a test scripts request by request, and places where nobody answers.
//!
//! It speaks HTTP/1.1 by hand, with or without TLS, since what is wrong with an answer is a matter of bytes. Of each request
//! that it takes it keeps the ids, as the [reader](Reader) of its protocol finds them. It never looks at what it sends back.

mod act;
mod authority;
mod connection;
mod items;
mod places;
mod server;

pub use act::{Act, Answer, Gate};
pub use authority::Authority;
pub use items::{Items, Reader, otlp};
pub use places::{full, refusing, silent};
pub use server::{Receiver, Request, Setup};

//! A receiver that a test scripts request by request, and places where nobody answers.
//!
//! It speaks what the exporter under test does, its [`Form`]: HTTP/1.1 by hand, since what is wrong with an answer is a matter
//! of bytes, or gRPC over HTTP/2; with or without TLS. Of each request that it takes it keeps the ids. It never looks at what
//! it sends back.

mod act;
mod answer;
mod authority;
mod fault;
mod form;
mod grpc;
mod http1;
mod items;
mod librato;
mod places;
mod points;
mod rpc;
mod server;
mod stream;
mod wire;

pub use act::{Act, Gate, REFUSED_STREAM};
pub use answer::Answer;
pub use authority::Authority;
pub use fault::{Fault, Then, Wait};
pub use form::Form;
pub use items::{ID, Items, POINT};
pub use librato::{LibratoStandIn, Measured, Taken};
pub use places::{full, refusing, silent};
pub use server::{Receiver, Request, Setup};
pub use stream::{End, Lines, Manner, Place};
pub use wire::Wire;

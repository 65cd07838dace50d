//! Who goes through which scenarios: all of them, but where the tables below say why not. Those of whole rooms are:
//!
//! | who | leaves out | as |
//! | --- | --- | --- |
//! | [`Wire`]: lines over streams | `answers`, `refusals`, `nginx`, `mistaken`, `grpc` | nobody answers there: no status, no wish to be waited for, nothing taken in part |
//! | | `chaos` | what is lost with the buffers of a socket nobody knows of; `streams::chaos` has the faults that lose nothing |
//! | | `own` | what its exporters use says nothing to `tracing` |
//! | | `tls` | it is the same as that of [`Form`], but for the words: those of the sockets' own tests |
//! | packets (UDP, `unixgram`) | all | there is no connection that could break; what the system says of them is tested with the sockets |
//!
//! Each scenario is played three times: without a spool, with one for what could not be delivered, and with one for all
//! ([`Spool`](telemetry_tests::spool::Spool)). At the end of each the ledger balances, the exporter beside has had all, and what is in
//! the spool is what the ledger says, within its bound and as it was written. What a spool makes different:
//!
//! | where | without one | with one for what fails | with one for all |
//! | --- | --- | --- | --- |
//! | a shutdown comes first (`ending`, `mistaken`, `tls`) | lost by the deadline | stored, and sent by the next program | the same |
//! | an item is tried for too long (`waits`, hosts without an address) | it expires | it is stored, and does not | the same |
//! | a receiver hangs, and memory is full | `queue_full` | `queue_full`: no request has failed | `spool_full` |
//! | it asks for ten minutes, and the program ends | it is asked once more | it is left to the next program | the same |
//! | a request is too large | it is halved | it is halved; what was stored is refused whole | what was stored is refused whole |
//! | one item fails each time | it is found among others | its body is found, and given up whole | the same |
//!
//! Nothing is left out with a spool, but for Librato with one for all where a receiver says how much it takes: what is stored for
//! it has all items, which that receiver would refuse. What only a spool does has a program of its own, `spool`, for each form
//! and each wire.

use telemetry_tests::receiver::{Form, Wire};

/// What a scenario needs of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Answers are scripted byte by byte, or by their status.
    Http1,
    /// What one signal meets must not concern the others.
    Signals,
    /// An answer can say that a part of a request was not taken.
    Parts,
}

const LEFT_OUT: [(Needs, &[Form], &str); 3] = [
    (Needs::Http1, &[Form::OtlpGrpc], "its answers are frames of HTTP/2; `grpc` has the same for it"),
    (
        Needs::Signals,
        &[Form::BatchesOfPoints, Form::InfluxDb, Form::InfluxDb2, Form::OpenTsdb, Form::Librato],
        "data points are one signal",
    ),
    (
        Needs::Parts,
        &[Form::Batches, Form::BatchesOfPoints, Form::Librato],
        "whatever stands in an answer, its status says all",
    ),
];

/// The forms that a scenario can be played with which needs that.
pub(crate) fn forms(needs: Needs) -> impl Iterator<Item = Form> + Clone {
    let (_, left_out, _) = LEFT_OUT.iter().find(|row| row.0 == needs).expect("a row of the table");
    Form::EACH.into_iter().filter(|form| !left_out.contains(form))
}

/// What a scenario over a stream needs of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeedsOfWire {
    /// Its receivers have a host and a port.
    Host,
    /// Its receivers say what is wrong with a line, and its exporter tells.
    Words,
}

const WIRES_LEFT_OUT: [(NeedsOfWire, &[Wire], &str); 2] = [
    (
        NeedsOfWire::Host,
        &[Wire::StatsD],
        "no name is looked up for a path, and its queue refuses where it is full",
    ),
    (NeedsOfWire::Words, &[Wire::DogStatsD, Wire::StatsD], "their receivers say nothing"),
];

/// The wires that a scenario can be played with which needs that.
pub(crate) fn wires(needs: NeedsOfWire) -> impl Iterator<Item = Wire> + Clone {
    let (_, left_out, _) = WIRES_LEFT_OUT.iter().find(|row| row.0 == needs).expect("a row of the table");
    Wire::EACH.into_iter().filter(|wire| !left_out.contains(wire))
}

//! Wires over streams that acknowledge nothing, each in its [`Wire`](telemetry_tests::receiver::Wire). Handed to the system on a
//! connection that was open is all that an exporter can know there. So what is asserted is another: what was read before a
//! connection ended comes once, what was in flight when it broke comes at least once, nothing comes that was not recorded,
//! and the ledger says of all the rest what became of it.

mod chaos;
mod connections;
mod ending;
mod words;

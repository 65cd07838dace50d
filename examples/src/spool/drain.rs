//! `spool drain`: an exporter that has the directory sends what is in it, as a restart of the program would; nothing is recorded.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use telemetry_layer::exporters::{SpoolMode, from_url};
use telemetry_layer::ledger::{ExporterAccount, Ledger};
use telemetry_layer::spool::{Segment, inspect};
use telemetry_layer::{CheckAtStart, Collector, Signal};

use crate::AnyError;
use crate::totals::{Totals, amounts};

/// How long it takes to let go of what is on its way.
const END: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// Whether nothing is left, and nothing was refused.
pub(crate) fn drain(directory: &Path, to: &str, deadline: Duration) -> Result<bool, AnyError> {
    let route = from_url(to)?;
    let format = route.format().ok_or("only exporters over a network have a spool")?.to_owned();
    // A segment is sent whole, or left for whom it is.
    let fits = |one: &Segment| {
        one.unknown == 0 && one.waiting.iter().all(|of| of.format == format && of.signal == one.signal)
    };
    let (mut waits, mut found) = (0, Totals::default());
    for segment in inspect(directory)? {
        found.add(&segment);
        if fits(&segment) {
            waits += segment.waiting.iter().map(|of| of.items).sum::<u64>();
        }
    }
    if found.bodies() == 0 {
        println!("nothing waits there");
        return Ok(true);
    }
    if waits == 0 {
        let kind = found.kinds.first().map_or("one of a later version", |kind| &kind.format);
        return Err(
            format!("the endpoint takes the format `{format}`, and what waits there is in `{kind}`").into()
        );
    }
    let route = route
        .spool(directory)
        .spool_mode(SpoolMode::OnFailure)
        .spool_bytes(u64::MAX)
        .spool_age(Duration::MAX)
        .spool_of_any_destination();
    let builder = Collector::builder().ignore_env().check_at_start(CheckAtStart::Off);
    let collector = builder.exporter(route).start()?;
    let until = Instant::now() + deadline;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        collector.flush(left.min(LOOK));
        let ledger = collector.ledger();
        if sum(&ledger, |of| of.recovered) >= waits && sum(&ledger, |of| of.spooled + of.buffered) == 0 {
            break;
        }
        thread::sleep(LOOK.min(left));
    }
    let report = collector.shutdown(END);
    Ok(say(report.ledger(), &Totals::of(directory)?))
}

/// Whether nothing is left, and nothing was refused.
fn say(ledger: &Ledger, left: &Totals) -> bool {
    let of_each = |of: fn(&ExporterAccount) -> u64| {
        let accounts = |signal| ledger.exporters().filter_map(move |name| ledger.exporter(name, signal));
        [Signal::Spans, Signal::Events, Signal::Metrics].map(|signal| accounts(signal).map(of).sum::<u64>())
    };
    let (rejected, lost) = (of_each(|of| of.rejected), of_each(|of| of.dropped.total()));
    println!("delivered  {}", amounts(of_each(|of| of.delivered)));
    for (what, items) in [("refused", rejected), ("lost", lost)] {
        if items != [0; 3] {
            println!("{what:<9}  {}", amounts(items));
        }
    }
    match left.bodies() {
        0 => println!("left       nothing"),
        bodies => println!("left       {}, in {bodies} bodies", amounts(left.items())),
    }
    left.bodies() == 0 && rejected == [0; 3] && lost == [0; 3]
}

fn sum(ledger: &Ledger, of: fn(&ExporterAccount) -> u64) -> u64 {
    let accounts = |name| Signal::ALL.iter().filter_map(move |signal| ledger.exporter(name, *signal));
    ledger.exporters().flat_map(accounts).map(of).sum()
}

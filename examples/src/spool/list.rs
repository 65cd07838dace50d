//! `spool list`: its segments, what waits in them, who has the directory, and what is committed.

use std::path::Path;
use std::time::SystemTime;

use telemetry_layer::spool::{Segment, inspect};

use crate::AnyError;
use crate::totals::Totals;

pub(crate) fn list(directory: &Path) -> Result<(), AnyError> {
    let mut inspection = inspect(directory)?;
    let is_owned = inspection.is_owned();
    let owner = match &is_owned {
        Ok(true) => "a running process".to_owned(),
        Ok(false) => "nobody".to_owned(),
        Err(e) => format!("nobody knows: {e}"),
    };
    println!("directory  {}\nowner      {owner}\n", directory.display());
    println!(
        "{:<34}{:>10}{:>10}{:>14}{:>8}{:>10}  {:<22}newest",
        "file", "bytes", "done", "numbers", "bodies", "items", "oldest"
    );
    let (mut totals, mut last) = (Totals::default(), 0);
    for segment in inspection.by_ref() {
        println!("{}", row(&segment));
        last = last.max(segment.numbers.map_or(0, |(_, last)| last));
        totals.add(&segment);
    }
    println!(
        "\n{:<9}{:>8}{:>10}{:>12}  {:<22}{:<22}{:<17}destination",
        "waiting", "bodies", "items", "bytes", "oldest", "newest", "format"
    );
    for kind in &totals.kinds {
        println!(
            "{:<9}{:>8}{:>10}{:>12}  {:<22}{:<22}{:<16} {}",
            kind.signal.name(),
            kind.bodies,
            kind.items,
            kind.bytes,
            time(kind.oldest),
            time(kind.newest),
            kind.format,
            kind.destination
        );
    }
    if totals.others > 0 {
        println!("{:<9}{:>8}  of a later version, or of still more destinations", "others", totals.others);
    }
    let (items, bytes) =
        (totals.items().iter().sum::<u64>(), totals.kinds.iter().map(|kind| kind.bytes).sum::<u64>());
    println!("{:<9}{:>8}{:>10}{:>12}", "in all", totals.bodies(), items, bytes);
    // Only now: what was written while it was looked at may be committed by now.
    let rest = if is_owned.is_ok_and(|is| is) { "may not last" } else { "the next process sends too" };
    match inspection.committed() {
        Some(committed) if committed >= last => println!("\ncommitted  all of it, up to number {last}"),
        Some(committed) => println!("\ncommitted  up to number {committed}; what comes after it {rest}"),
        None => println!("\ncommitted  nobody says"),
    }
    match inspection.others() {
        0 => {}
        others => println!("beside it  {others} other files, which are left alone"),
    }
    Ok(())
}

fn row(segment: &Segment) -> String {
    let numbers = segment.numbers.map_or("-".to_owned(), |(first, last)| format!("{first}-{last}"));
    let done = segment.done.map_or("all".to_owned(), |done| done.min(segment.bytes).to_string());
    let bodies = segment.waiting.iter().map(|one| one.bodies).sum::<u64>() + segment.unknown;
    let items: u64 = segment.waiting.iter().map(|one| one.items).sum();
    let oldest = segment.waiting.iter().map(|one| one.oldest).min().map_or("-".to_owned(), time);
    let newest = segment.waiting.iter().map(|one| one.newest).max().map_or("-".to_owned(), time);
    let remark = match segment {
        Segment { done: None, .. } => "put aside: damaged",
        Segment { faults, .. } if !faults.is_empty() => "torn or damaged: see `verify`",
        Segment { unfinished: 1.., .. } => "being written",
        _ => "",
    };
    let row = format!(
        "{:<34}{:>10}{done:>10}{numbers:>14}{bodies:>8}{items:>10}  {oldest:<22}{newest:<22}{remark}",
        segment.file, segment.bytes
    );
    row.trim_end().to_owned()
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

//! Bytes a point on the wires of the older backends, which are the same in each run.

use super::verdict::{Spread, Verdict};
use crate::wires;

pub const GROUP: &str = "wires";

/// Prints the table; the verdict of each wire.
pub fn print(group: &str) -> Vec<Option<Verdict>> {
    if group != GROUP {
        return vec![];
    }
    println!("\n| bytes a point | peers | ours | ours / least | at most | verdict |\n|---|---|---|---|---|---|");
    let judge = |(what, all): (&str, Vec<(&str, f64)>)| {
        let ((_, ours), peers) = all.split_first()?;
        let ratio = ours / peers.iter().map(|(_, bytes)| *bytes).reduce(f64::min)?;
        let verdict = Verdict::of(&Spread::of(vec![ratio]), 1.0, false);
        let peers: Vec<_> = peers.iter().map(|(who, bytes)| format!("{bytes:.2} ({who})")).collect();
        println!("| {what} | {} | {ours:.2} | {ratio:.3} | 1.000 | {verdict} |", peers.join(", "));
        Some(verdict)
    };
    wires::bytes().map(judge).collect()
}

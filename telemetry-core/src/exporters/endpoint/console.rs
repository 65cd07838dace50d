//! `console:`: what stands behind the colon and the options become an exporter.

use super::scheme::{Scheme, row};
use super::{Endpoint, Made, options, plain};
use crate::exporters::redaction::redacted;
use crate::exporters::words::one_of;
use crate::exporters::{Console, Stream};

pub(super) const SCHEME: Scheme = Scheme {
    names: &["console"],
    urls: &[(
        "`console:`, `console:stderr`",
        "[`Console`](super::Console): a line for each item as it happens; with `view=tree` spans and their events as a tree when their trace ends",
    )],
    examples: &["console:"],
    own: &[row("view", "`lines`", "tree", "`lines` or `tree`")],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS],
    text: "",
};

pub(super) fn make(mut endpoint: Endpoint<'_>) -> Made {
    let is_tree = endpoint.options.read("view", |text| one_of(text, &[("lines", false), ("tree", true)]));
    let is_tree = is_tree.map_err(plain)?.unwrap_or(false);
    endpoint.end()?;
    let stream = match endpoint.rest.to_ascii_lowercase().as_str() {
        "" | "//" | "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        _ => {
            let shown = redacted(&format!("console:{}", endpoint.rest));
            let shown = shown.strip_prefix("console:").unwrap_or(&shown);
            return Err(plain(format!("`{shown}` is neither `stdout` nor `stderr`")));
        }
    };
    let console = Console::new(stream);
    Ok(if is_tree { console.tree() } else { console }.into())
}

//! `file:` and `chrome-trace:`: a directory or a file, and the options, become an exporter.

use std::ffi::OsString;
use std::path::PathBuf;

use super::home::at_home;
use super::scheme::{Scheme, row};
use super::{Endpoint, Made, missing, options, plain};
use crate::exporters::File;
use crate::exporters::file::Format;
use crate::exporters::words::one_of;

pub(super) const FILE: Scheme = Scheme {
    names: &["file"],
    urls: &[(
        "`file:DIR?rotate_bytes=67108864&keep=4`",
        "[`File`](super::File); with `format=otlp` (feature `otlp`) in OTLP's file format, in files beside those of `format=json`",
    )],
    examples: &["file:/var/log/shop"],
    own: &[
        row(
            "rotate_bytes",
            "`67108864`",
            "1048576",
            "a file of so many bytes is put aside: [`File::rotate_bytes`](super::File::rotate_bytes)",
        ),
        row("keep", "`4`", "9", "so many of them are kept: [`File::keep`](super::File::keep)"),
        row("format", "`json`", "otlp", "`json` or `otlp`"),
    ],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS],
    text: "",
};

#[cfg(feature = "chrome-trace")]
pub(super) const CHROME_TRACE: Scheme = Scheme {
    names: &["chrome-trace"],
    urls: &[(
        "`chrome-trace:FILE?rotate_bytes=67108864&keep=4`",
        "[`ChromeTrace`](super::ChromeTrace), which Perfetto and speedscope open; with `args=false` spans have no `args` (feature `chrome-trace`)",
    )],
    examples: &["chrome-trace:/var/log/shop/trace.json"],
    own: &[
        row(
            "rotate_bytes",
            "`67108864`",
            "1048576",
            "a file of so many bytes is put aside: [`ChromeTrace::rotate_bytes`](super::ChromeTrace::rotate_bytes)",
        ),
        row("keep", "`4`", "9", "so many of them are kept: [`ChromeTrace::keep`](super::ChromeTrace::keep)"),
        row(
            "args",
            "`true`",
            "false",
            "whether spans have `args`: [`ChromeTrace::without_args`](super::ChromeTrace::without_args)",
        ),
    ],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS],
    text: "",
};

pub(super) fn make(mut endpoint: Endpoint<'_>) -> Made {
    let directory = directory(endpoint.rest, std::env::var_os("HOME")).map_err(plain)?;
    let bytes = endpoint.options.number("rotate_bytes").map_err(plain)?;
    let keep = endpoint.options.count("keep").map_err(plain)?;
    let is_otlp = endpoint.options.read("format", |text| one_of(text, &[("json", false), ("otlp", true)]));
    let is_otlp = is_otlp.map_err(plain)?.unwrap_or(false);
    endpoint.end()?;
    let otlp = || Format::otlp().ok_or_else(|| missing("otlp"));
    let format = if is_otlp { otlp()? } else { Format::JSON };
    // The URL names it already, but where it has escapes.
    let named = Some(&*directory).filter(|path| !endpoint.rest.ends_with(&*path.to_string_lossy()));
    let mut file = File::open(&directory, format).map_err(|e| (File::refusal(named, &e), Some(e.into())))?;
    if let Some(bytes) = bytes {
        file = file.rotate_bytes(bytes);
    }
    if let Some(keep) = keep {
        file = file.keep(keep);
    }
    Ok(file.into())
}

#[cfg(feature = "chrome-trace")]
pub(super) fn make_chrome_trace(mut endpoint: Endpoint<'_>) -> Made {
    let home = std::env::var_os("HOME");
    let path = path(endpoint.rest, home, ("chrome-trace:FILE", "a file")).map_err(plain)?;
    let bytes = endpoint.options.number("rotate_bytes").map_err(plain)?;
    let keep = endpoint.options.count("keep").map_err(plain)?;
    let has_args = endpoint.options.flag("args").map_err(plain)?.unwrap_or(true);
    endpoint.end()?;
    // The URL names it already, but where it has escapes.
    let named = Some(&*path).filter(|path| !endpoint.rest.ends_with(&*path.to_string_lossy()));
    let mut trace = crate::exporters::ChromeTrace::open(&path)
        .map_err(|e| (crate::exporters::ChromeTrace::refusal(named, &e), Some(e.into())))?;
    if !has_args {
        trace = trace.without_args();
    }
    if let Some(bytes) = bytes {
        trace = trace.rotate_bytes(bytes);
    }
    if let Some(keep) = keep {
        trace = trace.keep(keep);
    }
    Ok(trace.into())
}

/// What stands behind `file:`, without escapes and with the home directory in place of `~`.
pub(super) fn directory(rest: &str, home: Option<OsString>) -> Result<PathBuf, String> {
    path(rest, home, ("file:DIR", "a directory"))
}

/// The same behind any scheme; how it is written, and what it is.
fn path(rest: &str, home: Option<OsString>, (url, what): (&str, &str)) -> Result<PathBuf, String> {
    let path = match rest.strip_prefix("//") {
        Some(path) if !path.starts_with('/') => {
            let (scheme, place) = url.split_once(':').unwrap_or((url, ""));
            return Err(format!(
                "behind `{scheme}://` stands a host; write `{url}` or `{scheme}:///{place}`"
            ));
        }
        Some(path) => path,
        None => rest,
    };
    if path.is_empty() {
        return Err(format!("{what} is missing behind the colon"));
    }
    at_home(path, home)
}

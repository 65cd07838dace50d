//! The options of an endpoint: `key=value&key=value` goes in, the terms of a route come out. What nobody takes is refused.

use std::path::PathBuf;
use std::time::Duration;

use super::escape::unescape;
use super::home::at_home;
use super::scheme::{Row, Table, row};
use crate::exporters::redaction::{HIDDEN, is_secret};
use crate::exporters::words::{above_0, did_you_mean, level, nearest, one_of};
use crate::exporters::{Filter, HostTag, Signal, SpoolMode, Terms};
use crate::model::{Tags, TagsError, Temporality};

/// What every endpoint takes.
pub(super) const ANY: Table = Table {
    endpoints: "all",
    rows: &[
        row("min_level", "all levels", "warn", "this level and more severe: [`Filter::min_level`](super::Filter::min_level)"),
        row("levels", "all levels", "info,warn", "these levels: [`Filter::levels`](super::Filter::levels)"),
        row("names", "all names", "shop.*,http.*", "names like these: [`Filter::names`](super::Filter::names)"),
        row("tags", "all tags", "env:prod*", "only what has these tags: [`Filter::tag`](super::Filter::tag)"),
        row("tag", "none", "env:prod", "adds this tag to all: [`Route::tag`]; a list too, and more than once"),
        row(
            "host_tag",
            "`off`",
            "auto",
            "`auto`, which is said for `opentsdb` where nothing is, `off` or a name: [`Route::host_tag`]; a name nearly like one of the words is refused (`tag=host:NAME` takes any)",
        ),
    ],
    text: "\
Words may be in upper case. In directories and lists `%` begins an escape: `%2C` is a comma, `%3F` a question mark, `%20` a
space. A directory that begins with `~/` is in the home directory (`HOME`).
",
};

/// What every endpoint takes that is given items.
pub(super) const PUSHED: Table = Table {
    endpoints: "all but `prometheus`",
    rows: &[
        row(
            "signals",
            "all signals",
            "spans,metrics",
            "these signals: [`Filter::signals`](super::Filter::signals)",
        ),
        row("rate", "no limit", "100", "items a second: [`Route::rate_limit`]"),
        row(
            "in_flight",
            "what the exporter says",
            "4",
            "requests that are out at once, over a network: [`Route::in_flight`]",
        ),
        row("timeout_ms", "`10000`", "3000", "of one request over a network: [`Route::timeout`]"),
        row("give_up_after_ms", "`300000`", "60000", "[`Route::give_up_after`]"),
        row("linger_ms", "200, and 0 for the console", "50", "[`Route::linger`]"),
        row(
            "flush_interval_ms",
            "that of the collector",
            "60000",
            "metrics that often: [`Route::flush_interval`]",
        ),
        row("back_pressure_ms", "that of the collector", "1000", "[`Route::back_pressure`]"),
        row(
            "temporality",
            "what the exporter says",
            "delta",
            "`cumulative` or `delta`: [`Route::temporality`]",
        ),
        row(
            "spool",
            "none",
            "/var/spool/shop",
            "over a network: what can't be delivered is stored in that directory: [`Route::spool`]",
        ),
        row(
            "spool_mode",
            "on failure",
            "always&spool=/var/spool/shop",
            "`off`, `on_failure` or `always`: [`Route::spool_mode`]",
        ),
        row(
            "spool_bytes",
            "256 MiB",
            "1048576&spool=/var/spool/shop",
            "so much is stored: [`Route::spool_bytes`]",
        ),
        row("spool_age_ms", "7 days", "3600000&spool=/var/spool/shop", "for so long: [`Route::spool_age`]"),
    ],
    text: "",
};

/// What these endpoints take that do not care which items a request has together.
pub(super) const ITEMS: Table = Table {
    endpoints: "all but `prometheus` and `librato`",
    rows: &[row("max_items", "what the exporter says", "512", "of one request: [`Route::max_items`]")],
    text: "",
};

/// Takes options by their keys. One that is in no table of the endpoint is not there, whoever asks for it.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// Those that nobody has taken yet.
    given: Vec<(&'a str, &'a str)>,
    /// All that were asked for.
    known: Vec<&'static str>,
    /// All that there are.
    declared: Vec<&'static Row>,
}

impl<'a> Options<'a> {
    pub(super) fn parse(query: &'a str, declared: Vec<&'static Row>) -> Result<Self, String> {
        let option = |part: &'a str| {
            part.split_once('=').ok_or_else(|| {
                // It may be the rest of a secret that has a `&`.
                let has_secret = query.split('&').any(|part| part.split('=').next().is_some_and(is_secret));
                let shown = if has_secret { HIDDEN } else { part };
                format!("`{shown}` in its query is no `key=value`")
            })
        };
        let given = query.split('&').filter(|part| !part.is_empty()).map(option).collect::<Result<_, _>>()?;
        Ok(Self { given, known: Vec::new(), declared })
    }

    /// Whether an option is given and not yet taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == key)
    }

    /// Whether the endpoint has that option.
    pub(super) fn is_declared(&self, key: &str) -> bool {
        self.declared.iter().any(|row| row.key == key)
    }

    /// Takes an option as often as it is given.
    pub(super) fn each(&mut self, key: &'static str) -> Vec<&'a str> {
        let is_declared = self.is_declared(key);
        assert!(is_declared || cfg!(not(test)), "`{key}` is in no table of the endpoint");
        if !is_declared {
            return Vec::new();
        }
        self.known.push(key);
        self.given.extract_if(.., |(given, _)| *given == key).map(|(_, value)| value).collect()
    }

    fn once(&mut self, key: &'static str) -> Result<Option<&'a str>, String> {
        match self.each(key)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(format!("`{key}` is given twice")),
        }
    }

    /// Takes an option; `read` makes a value of its text, or says what is needed.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let Some(text) = self.once(key)? else { return Ok(None) };
        let shown = if is_secret(key) { HIDDEN } else { text };
        read(text.trim()).map(Some).map_err(|needed| format!("`{key}={shown}`: {needed}"))
    }

    /// Takes an option that is a list.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, String> {
        self.once(key)?.map(|text| entries(key, text, read)).transpose()
    }

    /// Takes an option that is a whole number above 0.
    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<u64>, String> {
        self.read(key, above_0)
    }

    /// Takes an option that is a number of things.
    pub(super) fn count(&mut self, key: &'static str) -> Result<Option<usize>, String> {
        Ok(self.number(key)?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)))
    }

    /// Takes an option that is `true` or `false`.
    #[allow(dead_code, reason = "without most features no endpoint has one")]
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, String> {
        self.read(key, |text| one_of(text, &[("true", true), ("false", false)]))
    }

    /// Takes an option that is a time in milliseconds.
    fn millis(&mut self, key: &'static str) -> Result<Option<Duration>, String> {
        Ok(self.number(key)?.map(Duration::from_millis))
    }

    /// Takes the options that every endpoint has which is given what there is.
    pub(super) fn terms(&mut self) -> Result<Terms, String> {
        let mut terms = self.terms_of_any()?;
        let signals = Signal::EACH.map(|signal| (signal.name(), signal));
        if let Some(signals) = self.list("signals", |text| one_of(text, &signals))? {
            terms.filter = terms.filter.signals(signals);
        }
        terms.rate = self.read("rate", rate)?;
        terms.in_flight = self.count("in_flight")?;
        if self.is_declared("max_items") {
            terms.max_items = self.count("max_items")?;
        }
        terms.timeout = self.millis("timeout_ms")?.unwrap_or(terms.timeout);
        terms.give_up_after = self.millis("give_up_after_ms")?.unwrap_or(terms.give_up_after);
        terms.linger = self.millis("linger_ms")?;
        terms.flush_interval = self.millis("flush_interval_ms")?;
        terms.back_pressure = self.millis("back_pressure_ms")?;
        let temporality = [Temporality::Cumulative, Temporality::Delta].map(|which| (which.name(), which));
        terms.temporality = self.read("temporality", |text| one_of(text, &temporality))?;
        terms.spool = self.read("spool", directory)?;
        let of_spool = ["spool_mode", "spool_bytes", "spool_age_ms"].into_iter().find(|key| self.has(key));
        if let Some(key) = of_spool.filter(|_| terms.spool.is_none()) {
            return Err(format!("`{key}` needs a directory: `spool=DIR`"));
        }
        terms.spool_mode = self.read("spool_mode", |text| one_of(text, SPOOL_MODES))?;
        terms.spool_bytes = self.number("spool_bytes")?;
        terms.spool_age = self.millis("spool_age_ms")?;
        Ok(terms)
    }

    /// Those that nobody has taken yet and that say where requests go, not how.
    pub(super) fn of_place(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        const OTHERS: [&str; 6] = ["ca", "cert", "compression", "header", "key", "token"];
        self.given.iter().copied().filter(|(key, _)| !OTHERS.contains(key))
    }

    /// Takes the options that every endpoint has, also one that is asked for metrics.
    pub(super) fn terms_of_any(&mut self) -> Result<Terms, String> {
        let mut terms = Terms { filter: self.filter()?, ..Terms::default() };
        let tags = self.tags()?;
        terms.tags =
            tags.iter().map(|(key, value)| (key.to_owned().into(), value.to_owned().into())).collect();
        terms.host_tag = self.read("host_tag", host)?.unwrap_or_default();
        Ok(terms)
    }

    fn filter(&mut self) -> Result<Filter, String> {
        let mut filter = Filter::new();
        if let Some(level) = self.read("min_level", one_level)? {
            filter = filter.min_level(level);
        }
        if let Some(levels) = self.list("levels", level)? {
            filter = filter.levels(levels);
        }
        if let Some(names) = self.list("names", |text| Ok(text.to_owned()))? {
            filter = filter.names(names);
        }
        let tags = self.list("tags", |text| pair(text, "`key:pattern` is needed"))?;
        Ok(tags.into_iter().flatten().fold(filter, |filter, (key, pattern)| filter.tag(key, pattern)))
    }

    /// Takes the tags that are added.
    fn tags(&mut self) -> Result<Tags, String> {
        const KEY: &str = "tag";
        let mut tags = Tags::new();
        for text in self.each(KEY) {
            for (key, value) in entries(KEY, text, |text| pair(text, "`key:value` is needed"))? {
                if tags.get(&key).is_some() {
                    return Err(TagsError::Twice(key).to_string());
                }
                tags.insert(key, value).map_err(|e| e.to_string())?;
            }
        }
        Ok(tags)
    }

    /// The endpoint has taken all that it has.
    pub(super) fn end(&self, scheme: &str) -> Result<(), String> {
        match self.given.first() {
            Some((key, _)) => {
                let meant = did_you_mean(key, &self.known);
                Err(format!(
                    "`{scheme}:` has no option `{key}`{meant}; its options are {}",
                    self.known.join(", ")
                ))
            }
            None => Ok(()),
        }
    }
}

/// What stands between commas.
fn entries<T>(key: &str, text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let entry = |entry: &str| {
        let value = unescape(entry).and_then(|text| read(&text));
        let shown = if is_secret(key) { HIDDEN } else { entry };
        value.map_err(|needed| format!("`{shown}` in `{key}`: {needed}"))
    };
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let entries: Vec<T> = entries.map(entry).collect::<Result<_, _>>()?;
    if entries.is_empty() { Err(format!("`{key}` is empty")) } else { Ok(entries) }
}

fn pair(text: &str, needed: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once(':').ok_or(needed)?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

const SPOOL_MODES: &[(&str, SpoolMode)] =
    &[("off", SpoolMode::Off), ("on_failure", SpoolMode::OnFailure), ("always", SpoolMode::Always)];

/// The program may change its working directory.
fn directory(text: &str) -> Result<PathBuf, String> {
    let path = at_home(text, std::env::var_os("HOME"))?;
    std::path::absolute(&path).map_err(|_| "a directory is needed".to_owned())
}

fn one_level(text: &str) -> Result<tracing_core::Level, String> {
    if text.contains(',') {
        return Err("one level is needed; `levels` takes a list".to_owned());
    }
    level(text)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "a number above 0 is needed".to_owned())
}

fn host(text: &str) -> Result<HostTag, String> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(HostTag::Auto),
        "off" => Ok(HostTag::Off),
        // Whoever writes these means a switch.
        "" | "true" | "false" | "yes" | "no" | "on" | "none" => {
            Err("`auto`, `off` or a name is needed".to_owned())
        }
        name => match nearest(name, &["auto", "off"], 1) {
            Some(word) => Err(format!("did you mean `{word}`? A name like this one is `tag=host:{text}`")),
            None => Ok(HostTag::Named(text.to_owned().into())),
        },
    }
}

//! The environment of this process, and one variable of it.

use std::cell::RefCell;
use std::time::Duration;

use crate::Error;
use crate::diagnostics::warn_once;
use crate::exporters::redaction::{HIDDEN, is_secret, redacted};
use crate::exporters::words::{ABOVE_0, above_0, nearest, one_of};
use crate::model::Propagator;
use crate::sampling::HeadSampler;

/// A variable that is set, and not empty.
pub(super) struct Var {
    pub(super) name: String,
    pub(super) value: String,
}

/// What stands in the environment of this process. What is not UTF-8 is replaced.
pub(in crate::collector) fn env_var(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Reads the environment of this process, and remembers what was asked for.
#[derive(Default)]
pub(in crate::collector) struct Environment(RefCell<Vec<String>>);

impl Environment {
    pub(in crate::collector) fn get(&self, name: &str) -> Option<String> {
        self.0.borrow_mut().push(name.to_owned());
        env_var(name)
    }

    /// After all was read: what is not UTF-8 is refused. What nobody asked for is named on standard error where its name begins
    /// with `own`, or is that of a variable that was asked for but for one character or its case.
    pub(in crate::collector) fn check(self, own: Option<&str>) -> Result<(), Error> {
        let asked = self.0.into_inner();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let is_known =
                |known: &String| *known == name || cfg!(windows) && known.eq_ignore_ascii_case(&name);
            let begins =
                |own: &str| name.get(..own.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(own));
            let is_ours = own.is_some_and(begins);
            if asked.iter().any(is_known) {
                if value.to_str().is_none() {
                    let value = value.to_string_lossy().into_owned();
                    let var = Var { name: name.into_owned(), value };
                    return Err(Error::config(&var.name, var.shown(), "it is not UTF-8"));
                }
            } else if let Some(known) =
                nearest(&name, &asked, if is_ours { MOST_WRONG } else { 1 }).or_else(|| {
                    asked.iter().map(String::as_str).find(|known| is_ours && lacks_its_unit(&name, known))
                })
            {
                warn_once(format_args!("`{name}` is no variable of telemetry; did you mean `{known}`?"));
            } else if is_ours {
                let known = asked.join(", ");
                warn_once(format_args!("`{name}` is no variable of telemetry; there are {known}"));
            }
        }
        Ok(())
    }
}

fn lacks_its_unit(name: &str, known: &str) -> bool {
    known
        .rsplit_once('_')
        .is_some_and(|(stem, unit)| matches!(unit, "MS" | "BYTES") && stem.eq_ignore_ascii_case(name))
}

/// A name with more characters wrong is not the nearest one to any.
const MOST_WRONG: usize = 2;

impl Var {
    pub(super) fn get(name: String, get: impl Fn(&str) -> Option<String>) -> Option<Self> {
        get(&name).filter(|value| !value.trim().is_empty()).map(|value| Self { name, value })
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Error> {
        read(self.value.trim()).map_err(|needed| Error::config(&self.name, self.shown(), needed))
    }

    /// Its value without secrets.
    fn shown(&self) -> String {
        match &*self.name {
            name if is_secret(name) => HIDDEN.to_owned(),
            name if name.ends_with("ENDPOINT") => redacted(&self.value),
            // Several URLs.
            name if name.ends_with("ENDPOINTS") => HIDDEN.to_owned(),
            _ => self.value.clone(),
        }
    }

    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Error> {
        self.read(|text| one_of(text, words))
    }

    pub(super) fn yes_or_no(&self) -> Result<bool, Error> {
        self.one_of(&[("true", true), ("1", true), ("false", false), ("0", false)])
    }

    /// Whatever is not "true" is false, says OpenTelemetry's specification, and that it is to be said where it is not "false".
    pub(super) fn is_true(&self) -> bool {
        self.one_of(&[("true", true), ("false", false)]).unwrap_or_else(|e| {
            warn_once(format_args!("{e}; it counts as false"));
            false
        })
    }

    /// Nothing is done by it.
    pub(super) fn say_without_effect(&self) {
        warn_once(format_args!("`{}={}` has no effect here", self.name, self.value.trim()));
    }

    /// Of what is sampled.
    pub(super) fn share(&self) -> Result<f64, Error> {
        self.read(|text| {
            let share = text.parse().map_err(|_| "a number from 0 to 1 is needed")?;
            HeadSampler::ratio(share).map(|_| share).map_err(|e| e.to_string())
        })
    }

    /// A list of formats, each once, or `none`.
    pub(super) fn propagators(&self) -> Result<Vec<Propagator>, Error> {
        let words = Propagator::WORDS.iter().map(|(word, which)| (*word, Some(*which)));
        let words: Vec<_> = words.chain([("none", None)]).collect();
        let read = |word: &str| match word {
            "b3" | "b3multi" if cfg!(not(feature = "b3")) => Err(format!("`{word}` needs the feature `b3`")),
            _ => one_of(word, &words).map_err(|needed| format!("`{word}` is not there: {needed}")),
        };
        self.read(|text| {
            let mut wanted = Vec::new();
            for word in text.split(',') {
                let which = read(word.trim())?;
                wanted.extend(which.filter(|which| !wanted.contains(which)));
            }
            if wanted.is_empty() || text.split(',').all(|word| !word.trim().eq_ignore_ascii_case("none")) {
                Ok(wanted)
            } else {
                Err("`none` stands alone".to_owned())
            }
        })
    }

    pub(super) fn count(&self) -> Result<usize, Error> {
        self.read(|text| usize::try_from(above_0(text)?).map_err(|_| ABOVE_0.to_owned()))
    }

    pub(super) fn millis(&self) -> Result<Duration, Error> {
        self.read(above_0).map(Duration::from_millis)
    }
}

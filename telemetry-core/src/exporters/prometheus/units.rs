//! Units of metrics as words: UCUM comes in, and what goes out stands in names. And where the bounds of histograms of a unit
//! lie.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", "Metric Metadata"; UCUM.

use crate::model::Kind;

/// A unit as Prometheus spells it.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    /// `bytes_per_second`; empty where there is nothing to say.
    word: String,
    /// How much of it is what is divided.
    main: usize,
    is_one: bool,
}

impl Unit {
    /// A unit in UCUM. What stands in braces is dropped.
    pub(super) fn of(ucum: &str) -> Self {
        let (main, per) = ucum.split_once('/').unwrap_or((ucum, ""));
        let mut word = String::new();
        put_word(&mut word, main, &WORDS);
        let (main, is_one) = (word.len(), ucum.trim() == "1");
        let mut divisor = String::new();
        put_word(&mut divisor, per, &DIVISORS);
        if !divisor.is_empty() {
            word.push_str(if main > 0 { "_per_" } else { "per_" });
            word.push_str(&divisor);
        }
        Self { word, main, is_one }
    }

    /// All of it, for a metric of that kind.
    pub(super) fn word(&self, kind: Kind) -> &str {
        if self.is_one && kind == Kind::Gauge { "ratio" } else { &self.word }
    }

    /// What is divided, or all.
    pub(super) fn main(&self) -> &str {
        &self.word[..self.main]
    }
}

const WORDS: [(&str, &str); 27] = [
    ("s", "seconds"),
    ("By", "bytes"),
    ("1", ""),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("min", "minutes"),
    ("h", "hours"),
    ("d", "days"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tebibytes"),
    ("kBy", "kilobytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
];

const DIVISORS: [(&str, &str); 8] = [
    ("s", "second"),
    ("m", "minute"),
    ("min", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

fn put_word(out: &mut String, ucum: &str, words: &[(&str, &str)]) {
    let mut kept = String::new();
    let mut depth = 0_usize;
    for c in ucum.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    let kept = kept.trim();
    if let Some((_, word)) = words.iter().find(|(known, _)| *known == kept) {
        return out.push_str(word);
    }
    let from = out.len();
    for part in kept.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if out.len() > from {
            out.push('_');
        }
        out.push_str(part);
    }
}

/// The bounds of a page's histograms that have none of their own: `2^first, 2^(first + step), .. 2^last`.
///
/// Exponential buckets of each scale from 0 up have all powers of two among their bounds, so that no count is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Powers {
    pub(super) first: i32,
    pub(super) last: i32,
    pub(super) step: i32,
}

impl Powers {
    /// Those that suit a unit in UCUM. They depend on nothing else, so they never change.
    pub(super) fn of(ucum: &str) -> Self {
        let (first, last, step) = match ucum {
            // From a microsecond to 17 minutes, whatever that is counted in.
            "s" => (-20, 10, 1),
            "ms" => (-10, 20, 1),
            "us" => (0, 30, 1),
            "ns" => (10, 40, 1),
            // From a minute to years.
            "min" => (-6, 20, 2),
            "h" => (-10, 14, 2),
            "d" => (-14, 10, 2),
            // From 16 bytes to 64 GiB.
            "By" => (4, 36, 2),
            "KiBy" | "kBy" | "KBy" => (-6, 26, 2),
            "MiBy" | "MBy" => (-16, 16, 2),
            "GiBy" | "GBy" => (-26, 6, 2),
            // Shares.
            "1" => (-10, 4, 1),
            "%" => (-4, 10, 1),
            // What is counted, and what nobody said anything of: from a thousandth to a thousand millions.
            _ => (-10, 30, 2),
        };
        Self { first, last, step }
    }

    pub(super) fn bounds(self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).step_by(self.step as usize).map(|power| f64::from(power).exp2())
    }

    /// Which of them is the first that is not below `2^power`; one too many where none is.
    pub(super) fn place(self, power: i64) -> usize {
        let (first, step) = (i64::from(self.first), i64::from(self.step));
        let past = (power - first).max(0);
        let steps = (past + step - 1) / step;
        steps.min((i64::from(self.last) - first) / step + 1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_words() {
        for (ucum, word) in [
            ("s", "seconds"),
            ("By", "bytes"),
            ("kBy", "kilobytes"),
            ("{request}", ""),
            ("", ""),
            ("1", ""),
            ("m/s", "meters_per_second"),
            ("{packet}/s", "per_second"),
            ("By/{request}", "bytes"),
            ("1/s", "per_second"),
            ("kg.m2", "kg_m2"),
            ("m2/s/d", "m2_per_s_d"),
            ("by{of {what}}te", "byte"),
            ("°", ""),
            ("{", ""),
            ("/", ""),
        ] {
            assert_eq!(Unit::of(ucum).word(Kind::Counter), word, "{ucum}");
        }
        assert_eq!((Unit::of("1").word(Kind::Gauge), Unit::of("By/s").main()), ("ratio", "bytes"));
    }

    #[test]
    fn a_power_has_its_place() {
        for powers in ["s", "By", "1", "", "h"].map(Powers::of) {
            let bounds: Vec<f64> = powers.bounds().collect();
            for power in -60..60_i32 {
                let place = bounds.partition_point(|bound| *bound < f64::from(power).exp2());
                assert_eq!(powers.place(power.into()), place, "2^{power} in {powers:?}");
            }
            assert_eq!((powers.place(i64::MIN / 4), powers.place(i64::MAX / 4)), (0, bounds.len()));
        }
    }
}

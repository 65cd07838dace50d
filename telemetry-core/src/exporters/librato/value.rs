//! What a measurement says: numbers and histograms go in, and what they are together comes out.

use std::borrow::Cow;

use crate::exporters::digits::{put_float, put_number, put_whole};
use crate::exporters::summary;
use crate::model::{HistogramValue, Kind, Number};

/// The greatest number. One of a greater exponent makes Librato refuse all of a request.
const GREATEST: f64 = 1e126;

/// What one measurement says.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Sums are added up.
    Sum(Number),
    /// The value at one moment.
    Sample(Number),
    /// Of several of them how many, their sum and what else is known.
    Samples(Box<Samples>),
    /// A distribution.
    Histogram(Box<Cow<'a, HistogramValue>>),
}

/// Several values, as Librato takes them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples {
    count: u64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
    squares: Option<f64>,
}

impl<'a> Value<'a> {
    /// A number of that kind, or why there is no such number there.
    pub(super) fn of(kind: Kind, number: Number) -> Result<Self, &'static str> {
        let number = fitting(number)?;
        Ok(match kind {
            Kind::Counter | Kind::UpDownCounter => Self::Sum(number),
            _ => Self::Sample(number),
        })
    }

    /// A distribution, or why it can't be said.
    pub(super) fn of_histogram(of: &'a HistogramValue) -> Result<Self, &'static str> {
        if of.count == 0 {
            return Err("a histogram without values");
        }
        for number in [Some(of.sum), of.min, of.max].into_iter().flatten() {
            fitting(Number::Float(number))?;
        }
        Ok(Self::Histogram(Cow::Borrowed(of).into()))
    }

    /// Adds another one that has the same name, source and time. It stays what it is where both together are too much.
    pub(super) fn add(&mut self, other: Value<'_>) -> Result<(), &'static str> {
        match (&mut *self, other) {
            (Self::Sum(sum), Value::Sum(other)) => *sum = fitting(sum.plus(other))?,
            (Self::Histogram(of), Value::Histogram(other)) => {
                fitting(Number::Float(of.sum + other.sum))?;
                of.to_mut().merge(&other);
            }
            (value, other) => {
                let (samples, other) = (value.samples(), other.samples());
                fitting(Number::Float(samples.sum + other.sum))?;
                *value = Self::Samples(samples.and(other).into());
            }
        }
        Ok(())
    }

    fn samples(&self) -> Samples {
        match self {
            Self::Sum(number) | Self::Sample(number) => {
                let x = number.as_f64();
                Samples { count: 1, sum: x, min: Some(x), max: Some(x), squares: Some(x * x) }
            }
            Self::Samples(samples) => **samples,
            Self::Histogram(of) => {
                // Where nobody has told of them they follow from buckets, whose bounds may be beyond what Librato takes.
                let [min, max] = summary::ends(of).map(|end| end.filter(|x| x.abs() <= GREATEST));
                Samples { count: of.count, sum: of.sum, min, max, squares: None }
            }
        }
    }

    /// Writes the members of the measurement that say it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if let Self::Sum(number) | Self::Sample(number) = self {
            out.extend_from_slice(b",\"value\":");
            return put_number(out, *number);
        }
        let of = self.samples();
        out.extend_from_slice(b",\"count\":");
        put_whole(out, of.count);
        let squares = of.squares.filter(|squares| *squares <= GREATEST);
        let rest = [("sum", Some(of.sum)), ("min", of.min), ("max", of.max), ("sum_squares", squares)];
        for (name, number) in rest {
            let Some(number) = number else { continue };
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            put_float(out, number);
        }
    }
}

impl Samples {
    fn and(self, other: Self) -> Self {
        let both = |a: Option<f64>, b: Option<f64>, of: fn(f64, f64) -> f64| Some(of(a?, b?));
        Self {
            count: self.count.saturating_add(other.count),
            sum: self.sum + other.sum,
            min: both(self.min, other.min, f64::min),
            max: both(self.max, other.max, f64::max),
            squares: both(self.squares, other.squares, |a, b| a + b),
        }
    }
}

/// The number, if Librato takes it.
pub(super) fn fitting(number: Number) -> Result<Number, &'static str> {
    match number.as_f64() {
        x if !x.is_finite() => Err("a value that is no finite number"),
        x if x.abs() > GREATEST => Err("a value beyond 1e126, which Librato does not take"),
        _ => Ok(number),
    }
}

//! How settings stand in files: durations as numbers of milliseconds, a level as its name.

#[allow(clippy::ref_option)] // what serde's derive passes
pub(super) mod some_millis {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(d)?.map(Duration::from_millis))
    }
}

pub(super) mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_millis)
    }
}

pub(super) mod level {
    #![expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tracing_core::Level;

    pub(crate) fn serialize<S: Serializer>(level: &Option<Level>, s: S) -> Result<S::Ok, S::Error> {
        level.map(crate::model::level_name).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Level>, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else { return Ok(None) };
        let level = crate::exporters::words::level(&text);
        level.map(Some).map_err(|needed| serde::de::Error::custom(format!("`{text}`: {needed}")))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing_core::Level;

    use super::super::Config;
    use crate::model::Tags;

    #[test]
    fn a_file_sets_what_it_names() {
        let text = r#"{"flush_interval_ms": 20, "tags": {"env": "x"}, "min_level": "warn"}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let want = Config {
            flush_interval: Duration::from_millis(20),
            tags: Tags::parse("env: x").unwrap(),
            min_level: Some(Level::WARN),
            ..Config::default()
        };
        assert_eq!(config, want);
        assert_eq!(serde_json::from_str::<Config>(&serde_json::to_string(&want).unwrap()).unwrap(), want);
        let unknown = serde_json::from_str::<Config>(r#"{"sample": 1}"#).unwrap_err().to_string();
        assert!(unknown.contains("`sample`"), "{unknown}");
    }
}

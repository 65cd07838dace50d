//! JSON in which nothing that comes twice is hidden.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// JSON as it stands there: nothing that comes twice is hidden.
pub(crate) enum Json {
    Object(Vec<(String, Json)>),
    List(Vec<Json>),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Json;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Json::Object(all))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = list.next_element()? {
                    all.push(item);
                }
                Ok(Json::List(all))
            }
            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
                Ok(Json::Other)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
                Ok(Json::Other)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
                Ok(Json::Other)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
                Ok(Json::Other)
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Other)
            }
        }
        d.deserialize_any(Any)
    }
}

/// Each key of each object once, and in lists of attributes each `key`. How many there are.
pub(crate) fn assert_once(json: &Json, line: &str) -> usize {
    let once = |keys: Vec<&str>| {
        let distinct: HashSet<&str> = keys.iter().copied().collect();
        assert_eq!(distinct.len(), keys.len(), "{keys:?} in {line}");
        keys.len()
    };
    match json {
        Json::Object(all) => {
            let keys = once(all.iter().map(|(key, _)| key.as_str()).collect());
            keys + all.iter().map(|(_, inner)| assert_once(inner, line)).sum::<usize>()
        }
        Json::List(all) => {
            let key = |item: &Json| match item {
                Json::Object(entries) => {
                    entries.iter().position(|(name, _)| name == "key").map(|at| match &entries[at].1 {
                        Json::Text(key) => key.clone(),
                        _ => panic!("no text: {line}"),
                    })
                }
                _ => None,
            };
            let keys: Vec<String> = all.iter().filter_map(key).collect();
            once(keys.iter().map(String::as_str).collect());
            all.iter().map(|inner| assert_once(inner, line)).sum()
        }
        Json::Text(_) | Json::Other => 0,
    }
}

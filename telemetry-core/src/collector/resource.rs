//! What a collector's items come from: settings, variables and what is found out go in, a resource comes out.

use super::config::{Config, Otel, env_var};
use crate::Error;
use crate::detect;
use crate::model::{Resource, Text, Value};

/// The tags, then what `OTEL_*` say, then what code says of the service, then what is found out: the first one wins.
pub(super) fn resource(
    config: &Config,
    service: Option<(Text, Text)>,
    otel: &Otel,
) -> Result<Resource, Error> {
    let (name, version) = service.unzip();
    let name = otel.service_name.clone().or(name);
    let resource = Resource::new(config.tags.clone(), name.unwrap_or_else(|| detect::program_name().into()))
        .map_err(|e| Error::config("tags", &config.tags, e))?;
    let version = version.map(|version| ("service.version".into(), Value::Str(version.into_owned())));
    let found = detect::attributes(&config.detect, env_var);
    Ok(resource.with_attributes(otel.attributes.clone()).with_attributes(version).with_attributes(found))
}

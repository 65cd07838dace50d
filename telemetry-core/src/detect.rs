//! Resource detection: what a program finds out about itself and about where it runs.
//!
//! Files of the system and variables, which the collector reads, come in; keys and values go out. All of it is read once,
//! when a collector starts, and of a file at most 64 KiB; what can't be read or understood is left out in silence. Nothing
//! here starts a program, speaks to a network, or looks at arguments or the user's name.

mod container;
mod host;
mod kubernetes;
mod os;
mod process;
mod service;
mod source;

use self::source::Pair;
use crate::model::{Text, Value};

pub(crate) use host::name as host_name;
pub(crate) use service::program_name;

/// A resource detector: what a collector finds out, when it starts, about the program and about where it runs.
///
/// The attributes are named as in OpenTelemetry's semantic conventions 1.44. They are no tags: exporters that have a place
/// for a resource send them (OTLP, `file:`), all others leave them out. A tag wins over an attribute of the same key.
/// `service.name` is a tag, and with `service.version` said by the program ([`Builder::service`](crate::Builder::service));
/// `telemetry.sdk.*` is the business of exporters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Detect {
    /// | attribute | from |
    /// | --- | --- |
    /// | `service.instance.id` | a random UUID (version 4), another one for each collector |
    Service,
    /// | attribute | from |
    /// | --- | --- |
    /// | `process.pid` | the system; in a container, the number that it has there |
    /// | `process.executable.name`, `process.executable.path` | the file that runs |
    /// | `process.runtime.name` | `rustc` |
    Process,
    /// | attribute | from |
    /// | --- | --- |
    /// | `host.name` | `/proc/sys/kernel/hostname`, `/etc/hostname`, or the variable `HOSTNAME` or `COMPUTERNAME` |
    /// | `host.arch` | what the program was compiled for |
    /// | `host.id` | `/etc/machine-id` or `/var/lib/dbus/machine-id`; not in a container, where that is the image's |
    Host,
    /// | attribute | from |
    /// | --- | --- |
    /// | `os.type` | what the program was compiled for |
    /// | `os.name`, `os.version`, `os.description` | `NAME`, `VERSION_ID` and `PRETTY_NAME` of `/etc/os-release` or `/usr/lib/os-release` |
    Os,
    /// | attribute | from |
    /// | --- | --- |
    /// | `container.id` | `/proc/self/cgroup`, else (cgroup v2) `/proc/self/mountinfo`: Docker, Podman, containerd, CRI-O, Fargate. In a pod the first one only: what is mounted there is the sandbox's, so that with cgroup v2 it is mostly not known, but `k8s.pod.uid` and `k8s.container.name` are. |
    Container,
    /// In a pod, which has the variable `KUBERNETES_SERVICE_HOST`; of several sources, the first one that says something.
    /// The variables and `/etc/podinfo` are there if the pod's manifest has them (the downward API).
    ///
    /// | attribute | from |
    /// | --- | --- |
    /// | `k8s.pod.name` | `K8S_POD_NAME`, `POD_NAME`, `/etc/podinfo/name` |
    /// | `k8s.pod.uid` | `K8S_POD_UID`, `POD_UID`, `/etc/podinfo/uid`, `/proc/self/mountinfo` |
    /// | `k8s.namespace.name` | `K8S_NAMESPACE_NAME`, `POD_NAMESPACE`, `/etc/podinfo/namespace`, that of the service account |
    /// | `k8s.node.name` | `K8S_NODE_NAME`, `NODE_NAME` |
    /// | `k8s.container.name` | `K8S_CONTAINER_NAME`, `/proc/self/mountinfo` |
    Kubernetes,
}

impl Detect {
    /// Each of them: what is found out where nobody says otherwise.
    pub const ALL: &[Self] =
        &[Self::Service, Self::Process, Self::Host, Self::Os, Self::Container, Self::Kubernetes];

    /// As settings call it: in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Process => "process",
            Self::Host => "host",
            Self::Os => "os",
            Self::Container => "container",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// Finds out what is wanted; where that is nothing, no file is read. `var` reads the environment.
pub(crate) fn attributes(wanted: &[Detect], var: impl Fn(&str) -> Option<String>) -> Vec<(Text, Value)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let [cgroup, mounts] =
        ["/proc/self/cgroup", "/proc/self/mountinfo"].map(|path| source::read(path).unwrap_or_default());
    let pod = kubernetes::attributes(&mounts, &var, source::read);
    let container = container::id(&cgroup, if pod.is_empty() { &mounts } else { "" });
    let is_contained = container.is_some() || !pod.is_empty();
    let mut found = Vec::new();
    let mut put = |pairs: &[Pair]| {
        let known = pairs.iter().filter_map(|(key, value)| Some(((*key).into(), value.clone()?)));
        found.extend(known);
    };
    for one in wanted {
        match one {
            Detect::Service => put(&[("service.instance.id", Some(service::instance_id().into()))]),
            Detect::Process => put(&process::attributes()),
            Detect::Host => put(&host::attributes(&var, is_contained)),
            Detect::Os => put(&os::attributes()),
            Detect::Container => put(&[("container.id", container.map(Value::from))]),
            Detect::Kubernetes => put(&pod),
        }
    }
    found
}

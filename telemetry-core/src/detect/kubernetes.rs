//! The pod: variables and files of the downward API, and the text of `/proc/self/mountinfo` come in, what they say of the
//! pod goes out. Never asks the API server.

use super::container::mount;
use super::source::{Pair, trimmed};
use crate::model::Value;

/// Of each attribute, its variables and then its files: the first one that says something counts.
const SOURCES: [(&str, &[&str], &[&str]); 5] = [
    ("k8s.pod.name", &["K8S_POD_NAME", "POD_NAME"], &["/etc/podinfo/name"]),
    ("k8s.pod.uid", &["K8S_POD_UID", "POD_UID"], &["/etc/podinfo/uid"]),
    (
        "k8s.namespace.name",
        &["K8S_NAMESPACE_NAME", "POD_NAMESPACE"],
        &["/etc/podinfo/namespace", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"],
    ),
    ("k8s.node.name", &["K8S_NODE_NAME", "NODE_NAME"], &[]),
    ("k8s.container.name", &["K8S_CONTAINER_NAME"], &[]),
];

/// None outside of a pod: there `NODE_NAME` and the like mean something else.
pub(super) fn attributes(
    mountinfo: &str,
    var: impl Fn(&str) -> Option<String>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Pair> {
    if var("KUBERNETES_SERVICE_HOST").is_none() {
        return Vec::new();
    }
    let mounted = mountinfo.lines().find_map(|line| of_folder(mount(line)?.0));
    let of = |(key, vars, files): (&'static str, &[&str], &[&str])| {
        let said = vars.iter().find_map(|name| trimmed(&var(name)?));
        let said = said.or_else(|| files.iter().find_map(|path| trimmed(&read(path)?)));
        let said = said.or_else(|| match (key, mounted) {
            ("k8s.pod.uid", Some((uid, _))) => Some(uid.to_owned()),
            ("k8s.container.name", Some((_, name))) => Some(name.to_owned()),
            _ => None,
        });
        (key, said.map(Value::from))
    };
    SOURCES.map(of).into()
}

/// The pod's uid and the container's name: the kubelet mounts `/var/lib/kubelet/pods/UID/containers/NAME/NUMBER` for the
/// message that a container may leave at its end.
fn of_folder(root: &str) -> Option<(&str, &str)> {
    let names: Vec<&str> = root.rsplit('/').take(5).collect();
    match names[..] {
        [_, name, "containers", uid, "pods"] => Some((uid, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOUNTS: &str = "1570 1559 0:126 / /dev/mqueue rw,nosuid - mqueue mqueue rw\n\
        1572 1559 259:1 /var/lib/kubelet/pods/3f0d8a2e-7d5f-4c5e-a6b3-6f7f6f1f5b11/etc-hosts /etc/hosts rw - ext4 /dev/a rw\n\
        1573 1559 259:1 /var/lib/kubelet/pods/3f0d8a2e-7d5f-4c5e-a6b3-6f7f6f1f5b11/containers/shop/0c8a6d5e \
        /dev/termination-log rw,relatime - ext4 /dev/a rw\n";

    fn found(mounts: &str, vars: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let get = |of: &[(&str, &str)], name: &str| {
            of.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        let all = attributes(mounts, |name| get(vars, name), |path| get(files, path));
        all.into_iter().filter_map(|(key, value)| Some((key, value?.to_string()))).collect()
    }

    fn pairs<const N: usize>(pairs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
        pairs.map(|(key, value)| (key, value.to_owned())).into()
    }

    #[test]
    fn variables_win_over_files_and_files_over_mounts() {
        let host = ("KUBERNETES_SERVICE_HOST", "10.96.0.1");
        let (uid, name) = ("3f0d8a2e-7d5f-4c5e-a6b3-6f7f6f1f5b11", "shop");
        let service_account = ("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "default");
        assert_eq!(
            found(MOUNTS, &[host], &[service_account]),
            pairs([("k8s.pod.uid", uid), ("k8s.namespace.name", "default"), ("k8s.container.name", name)])
        );
        let podinfo =
            [("/etc/podinfo/name", "shop-5d\n"), ("/etc/podinfo/namespace", "till"), service_account];
        let vars =
            [host, ("POD_NAME", "shop-6e"), ("K8S_POD_NAME", " "), ("NODE_NAME", "n1"), ("POD_UID", "u")];
        assert_eq!(
            found("", &vars, &podinfo),
            pairs([
                ("k8s.pod.name", "shop-6e"),
                ("k8s.pod.uid", "u"),
                ("k8s.namespace.name", "till"),
                ("k8s.node.name", "n1")
            ])
        );
        assert_eq!(found("", &[host], &podinfo)[0], ("k8s.pod.name", "shop-5d".to_owned()));
    }

    #[test]
    fn outside_of_a_pod_nothing_is_read() {
        assert_eq!(found(MOUNTS, &[("NODE_NAME", "jenkins-1"), ("POD_NAME", "x")], &[]), []);
    }

    proptest! {
        #[test]
        fn any_text_is_read(mounts in "(1 2 3 )?(/|pods|containers|a| )*|.*") {
            found(&mounts, &[("KUBERNETES_SERVICE_HOST", "")], &[]);
        }
    }
}

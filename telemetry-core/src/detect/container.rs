//! The container's id: the texts of `/proc/self/cgroup` and `/proc/self/mountinfo` come in, the id that they show goes out.

/// Files that a container engine mounts from a folder of the container, the surest one first: containers of a Podman pod may
/// share the others.
const MOUNTED: [&str; 4] = ["/run/.containerenv", "/etc/hostname", "/etc/resolv.conf", "/etc/hosts"];

/// Within a cgroup namespace of its own (the default with cgroup v2) the first text says nothing. In a Kubernetes pod the
/// second one must not be given: what is mounted there is the sandbox's.
pub(super) fn id<'a>(cgroup: &'a str, mountinfo: &'a str) -> Option<&'a str> {
    let of_file = |file: &&str| {
        let mounts = mountinfo.lines().filter_map(mount);
        mounts.filter(|(_, point)| point == file).find_map(|(root, _)| of_folder(root))
    };
    cgroup.lines().find_map(of_cgroup).or_else(|| MOUNTED.iter().find_map(of_file))
}

/// What is mounted, from the root of its file system, and where (`proc_pid_mountinfo(5)`).
pub(super) fn mount(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.split(' ').skip(3);
    Some((fields.next()?, fields.next()?))
}

/// `/docker/ID`, `/../docker-ID.scope`, `/../slice:cri-containerd:ID`; of containers in containers the innermost.
fn of_cgroup(line: &str) -> Option<&str> {
    let path = line.splitn(3, ':').nth(2)?;
    path.rsplit('/').find_map(|name| {
        if is_of_fargate(name) {
            return Some(name);
        }
        let name = name.strip_suffix(".scope").unwrap_or(name);
        name.rsplit([':', '-']).next().filter(|id| is_hex(id, 64))
    })
}

/// `/var/lib/docker/containers/ID/hostname`, `/containers/storage/overlay-containers/ID/userdata/hostname`,
/// `/var/lib/nerdctl/1935db59/containers/default/ID/hostname`.
fn of_folder(root: &str) -> Option<&str> {
    let (_, below) = root.split_once("containers/")?;
    below.split('/').find(|name| is_hex(name, 64))
}

/// `0d7a..f2-2745123905`: the task and a number.
fn is_of_fargate(name: &str) -> bool {
    let parts = name.split_once('-').filter(|(_, number)| !number.is_empty());
    parts.is_some_and(|(task, number)| is_hex(task, 32) && number.bytes().all(|b| b.is_ascii_digit()))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "dc579f8a8319c8cf7d38e1adf263bc08d230600179b07acfd7eaf9646778dc31";
    const OTHER: &str = "be522444b60caf2d3934b8b24b916a8a314f4b68d4595aa419874657e8d103f2";

    #[test]
    fn each_form_of_cgroup_is_read() {
        for path in [
            "/docker/ID",
            "/ID",
            "/system.slice/docker-ID.scope",
            "/docker/OTHER/kubepods/besteffort/pod1/ID",
            "/kubepods/burstable/pod5f5e9c7b-2b3a-4b1e-9c27-5d0a7d6d7a35/ID",
            "/kubepods.slice/kubepods-pod5f5e9c7b_2b3a_4b1e_9c27_5d0a7d6d7a35.slice/cri-containerd-ID.scope",
            "/system.slice/containerd.service/kubepods-burstable-podf8e92b1f.slice:cri-containerd:ID",
            "/kubepods.slice/kubepods-besteffort.slice/crio-ID.scope/container",
            "/machine.slice/libpod-ID.scope/container",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/init",
            "/ecs/55091c13-b8cf-4801-b527-f4601742204d/ID",
        ] {
            let path = path.replace("ID", ID).replace("OTHER", OTHER);
            let v1 = format!("12:pids:/\n1:name=systemd:{path}\n0::/\n");
            assert_eq!(id(&v1, ""), Some(ID), "{path}");
            assert_eq!(id(&format!("0::{path}\n"), ""), Some(ID), "{path}");
        }
        let fargate =
            "7:cpuset:/ecs/0d7a4c1bd8a94f2bb1b8c3f7b2f7e1f2/0d7a4c1bd8a94f2bb1b8c3f7b2f7e1f2-2745123905";
        assert_eq!(id(fargate, ""), Some("0d7a4c1bd8a94f2bb1b8c3f7b2f7e1f2-2745123905"));
    }

    #[test]
    fn each_form_of_mounts_is_read() {
        let line =
            |root: &str, point| format!("473 456 254:1 {root} {point} rw,relatime - ext4 /dev/vda1 rw\n");
        for (root, point) in [
            ("/var/lib/docker/containers/ID/hostname", "/etc/hostname"),
            ("/docker/containers/ID/resolv.conf", "/etc/resolv.conf"),
            ("/home/a/.local/share/docker/containers/ID/hosts", "/etc/hosts"),
            ("/containers/storage/overlay-containers/ID/userdata/hostname", "/etc/hostname"),
            ("/var/lib/nerdctl/1935db59/containers/default/ID/hostname", "/etc/hostname"),
            ("/user/1000/containers/overlay-containers/ID/userdata/.containerenv", "/run/.containerenv"),
        ] {
            let text = line("/", "/proc") + &line(&root.replace("ID", ID), point);
            assert_eq!(id("0::/\n", &text), Some(ID), "{root}");
        }
        let folder = |id| format!("/containers/storage/overlay-containers/{id}/userdata");
        let shared = line(&format!("{}/hostname", folder(OTHER)), "/etc/hostname");
        let own = line(&format!("{}/.containerenv", folder(ID)), "/run/.containerenv");
        assert_eq!(id("0::/\n", &(shared + &own)), Some(ID));
    }

    #[test]
    fn what_is_no_container_has_no_id() {
        let host = "12:memory:/user.slice\n1:name=systemd:/user.slice/user-1000.slice/session-3.scope\n0::/init.scope\n";
        let layers = format!(
            "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n\
             90 22 0:50 / /var/lib/docker/overlay2/{ID}/merged rw - overlay overlay rw\n\
             91 22 0:51 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw\n"
        );
        assert_eq!(id(host, &layers), None);
        let sandbox = format!(
            "9 1 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{OTHER}/hostname /etc/hostname rw - ext4 a rw"
        );
        assert_eq!(id("0::/", &sandbox), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(cgroup in "([0-9]:[a-z]*:)?[/:a-f0-9.-]*|.*", mounts in "(1 2 3 )?[/a-f0-9 -]*|.*") {
            id(&cgroup, &mounts);
        }
    }
}

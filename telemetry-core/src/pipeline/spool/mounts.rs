//! Whether a directory is on a file system of another machine, where a lock may hold nobody off and a write that was synced may
//! still be lost. Linux says so in a file; elsewhere nobody is asked.

use std::path::Path;

/// What these are called.
const OVER_A_NETWORK: [&str; 10] =
    ["9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "nfs", "nfs4", "smb3"];

/// The kind of the file system over a network that the directory is on, if it is.
pub(super) fn network(directory: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let directory = directory.canonicalize().ok()?;
    kind(&mounts, &directory).filter(|kind| OVER_A_NETWORK.contains(kind)).map(str::to_owned)
}

/// The kind of the file system that a directory is on, of those that `proc_pid_mountinfo(5)` lists.
fn kind<'a>(mounts: &'a str, directory: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let place = unescaped(mount.split(' ').nth(4)?);
        directory
            .starts_with(&place)
            .then(|| (place.len(), file_system.split(' ').next().unwrap_or_default()))
    });
    // One that was mounted over another one comes later.
    mounts.max_by_key(|(len, _)| *len).map(|(_, kind)| kind)
}

/// Spaces and the like stand there in octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (escape, is)| text.replace(escape, is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts_and_the_last_one_there() {
        let mounts = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      30 21 0:40 / /mnt rw - tmpfs tmpfs rw\n\
                      31 30 0:41 / /mnt/far\\040away rw,relatime shared:2 master:1 - nfs4 host:/far rw\n\
                      32 21 0:42 / /srv rw - nfs host:/srv rw\n\
                      33 32 0:43 / /srv rw - xfs /dev/sdb rw\n\
                      no mount at all\n";
        for (path, is) in [
            ("/var/spool", "ext4"),
            ("/mnt/x", "tmpfs"),
            ("/mnt/far away/spool", "nfs4"),
            ("/mnt/far", "tmpfs"),
            ("/srv/x", "xfs"),
        ] {
            assert_eq!(kind(mounts, Path::new(path)), Some(is), "{path}");
        }
        assert_eq!(kind("", Path::new("/")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_says_where_its_files_are() {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(kind(&mounts, Path::new("/proc/self")).is_some_and(|kind| kind == "proc"));
    }
}

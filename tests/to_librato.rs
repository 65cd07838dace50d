//! The example `to_librato`, as its user runs it.

use std::process::Command;

use telemetry_tests::receiver::LibratoStandIn;

#[test]
fn what_it_measures_arrives() {
    let librato = LibratoStandIn::start();
    let url = librato.url("");
    let ran = Command::new(env!("CARGO_BIN_EXE_to_librato")).arg(url.trim_end_matches('?')).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let gauges = librato.gauges();
    let all = |name: &str| -> Vec<_> {
        let of_name = gauges.iter().filter(|of| of["name"] == name);
        of_name
            .map(|of| {
                (
                    of["source"].as_str().unwrap(),
                    of.get("value").or(of.get("count")).unwrap().as_u64().unwrap(),
                )
            })
            .collect()
    };
    assert_eq!(all("jobs.done"), [("mail", 3)]);
    assert_eq!(all("jobs.letters"), [("mail", 6)]);
    assert_eq!(all("jobs.time"), [("post-office", 3)]);
    assert_eq!(all("jobs.left"), [("post-office", 1)]);
    assert_eq!(all("jobs.looked_at"), []);
    let refused = Command::new(env!("CARGO_BIN_EXE_to_librato")).output().unwrap();
    assert!(
        !refused.status.success()
            && String::from_utf8_lossy(&refused.stderr).contains("librato://USER:TOKEN@HOST")
    );
}

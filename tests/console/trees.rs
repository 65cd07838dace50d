//! A trace as a tree, when its root has ended.

use std::io::Write as _;
use std::process::Stdio;

use telemetry_tests::process::Process;

use crate::started::{Line, lines, program};

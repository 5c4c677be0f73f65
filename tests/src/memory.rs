//! Measurement of memory use.

use std::{env, fs, process::Command};

/// Set in the process that takes the measurement.
const MEASURED: &str = "TIELINE_TEST_MEASURED";

/// Returns the peak memory of this process since the last [`reset_peak`], in MiB.
///
/// # Panics
/// If the kernel does not report it.
pub fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    let kib = line.trim().trim_end_matches(" kB").parse::<u64>();
    kib.expect("a number") / 1024
}

/// Resets the peak to the memory in use.
///
/// # Panics
/// If the kernel does not allow it.
pub fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("reset");
}

/// Runs the test with this name in a separate process. Returns whether that process is this one.
///
/// # Panics
/// If the test fails there.
pub fn measures(test: &str) -> bool {
    if env::var_os(MEASURED).is_some() {
        return true;
    }
    let measured = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", test])
        .env(MEASURED, "1")
        .output()
        .expect("a process");
    let output = String::from_utf8_lossy(&measured.stdout);
    assert!(measured.status.success(), "{output}");
    false
}

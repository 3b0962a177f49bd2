//! What Linux tells of this process, for INFO. Elsewhere nothing is known, and INFO leaves it out.

use keyslot::HostFigures;
use std::fs;

/// In which unit the kernel counts processor time, the same on all of Linux's platforms.
const TICKS_PER_SECOND: f64 = 100.0;
/// Places of the two times in `/proc/self/stat`, counted after the program's name.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;

/// Reads memory and processor time of this process.
pub(crate) fn read() -> HostFigures {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let program = std::env::current_exe().ok();
    HostFigures {
        resident_bytes: kilobytes(&status, "VmRSS:"),
        machine_bytes: kilobytes(&machine, "MemTotal:"),
        cpu_user_seconds: seconds(&stat, USER_TIME),
        cpu_system_seconds: seconds(&stat, SYSTEM_TIME),
        executable: program.map(|path| path.display().to_string()),
        ..HostFigures::default()
    }
}

/// The number of bytes in a line such as `VmRSS:  1234 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number * 1024)
}

/// The program's name stands in brackets and may hold blanks, so the count starts after it.
fn seconds(stat: &str, place: usize) -> Option<f64> {
    let (_, after) = stat.rsplit_once(')')?;
    let ticks: f64 = after.split_whitespace().nth(place)?.parse().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

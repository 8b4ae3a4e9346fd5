//! What a bundle tells of the machine: versions, sizes of the store, the last lines of the log.

use std::path::Path;

use nix::sys::utsname::uname;
use serde_json::{Value as Json, json};
use systemd::journal::OpenOptions;

const LINES: usize = 1_000;
const LONGEST_LINE: usize = 2_000;

/// Seconds since 1970, as files show them.
pub fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}

pub fn about() -> Json {
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let named = |key: &str| system.lines().find_map(|line| line.strip_prefix(key)).map(|text| text.trim_matches('"'));
    let kernel = uname().ok();
    let kernel = kernel.as_ref().map(|of| format!("{} {}", of.release().display(), of.machine().display()));
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    json!({
        "dmgw": env!("CARGO_PKG_VERSION"),
        "made": jiff::Timestamp::now().to_string(),
        "system": named("PRETTY_NAME="),
        "kernel": kernel,
        "uptime": uptime.split(' ').next(),
        "memory": memory.lines().take(3).collect::<Vec<_>>(),
    })
}

/// Names and sizes of what lies in the folder; nothing of it is opened.
pub fn sizes(folder: &Path) -> Result<Json, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut sizes = serde_json::Map::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let size = entry.metadata().map_err(failed)?.len();
        sizes.insert(entry.file_name().to_string_lossy().into_owned(), size.into());
    }
    Ok(json!({ "folder": folder, "files": sizes }))
}

/// The last lines that the daemon wrote into the journal of systemd, oldest first.
pub fn log() -> Result<String, String> {
    let failed = |error: systemd::Error| format!("the journal of systemd cannot be read: {error}");
    let mut journal = OpenOptions::default().system(true).local_only(true).open().map_err(failed)?;
    journal.match_add("_SYSTEMD_UNIT", "dmgw.service").map_err(failed)?;
    journal.seek_tail().map_err(failed)?;
    let mut lines = Vec::new();
    while lines.len() < LINES {
        let Some(record) = journal.previous_entry().map_err(failed)? else { break };
        let at = record.get("_SOURCE_REALTIME_TIMESTAMP").and_then(|micros| micros.parse::<i64>().ok());
        let at = at.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
        let at = at.map(|at| at.to_string()).unwrap_or_default();
        let says: String = record.get("MESSAGE").map_or("", String::as_str).chars().take(LONGEST_LINE).collect();
        lines.push(format!("{at} {says}"));
    }
    if lines.is_empty() {
        return Err("the journal of systemd holds nothing of dmgw.service".into());
    }
    lines.reverse();
    Ok(lines.join("\n"))
}

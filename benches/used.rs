//! What a running daemon has used.

use crate::support::Gateway;

/// What all threads of a daemon have used since its start.
pub struct Used {
    /// How often one of them had waited and went on.
    pub wakeups: u64,
    /// Of a core.
    pub seconds: f64,
}

impl Used {
    pub fn by(gateway: &Gateway) -> Used {
        let mut used = Used { wakeups: 0, seconds: 0.0 };
        for task in std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).expect("a running daemon").flatten() {
            let read = |file| std::fs::read_to_string(task.path().join(file)).expect("a thread that stays");
            used.wakeups += first_number(&read("status"), "voluntary_ctxt_switches:");
            used.seconds += first_number(&read("schedstat"), "") as f64 / 1e9;
        }
        used
    }
}

pub fn of_process(pid: u32, key: &str) -> u64 {
    first_number(&std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running daemon"), key)
}

fn first_number(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect(key);
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

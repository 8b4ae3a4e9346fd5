//! What the kernel says of this process, read when somebody asks. Where it says nothing the numbers are 0.

use std::fs;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Bytes in memory, shared pages of files among them.
    pub resident: u64,
    /// Bytes of its own, which no file stands behind.
    pub anonymous: u64,
    pub open_files: u64,
    /// How many it may open.
    pub most_files: u64,
}

impl Process {
    pub fn now() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        // One of them is the folder that is being read.
        let open = fs::read_dir("/proc/self/fd").map_or(0, |open| open.count().saturating_sub(1));
        Process {
            resident: first_number(&status, "VmRSS:") << 10,
            anonymous: first_number(&status, "RssAnon:") << 10,
            open_files: open as u64,
            most_files: first_number(&limits, "Max open files"),
        }
    }
}

fn first_number(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_open_files() {
        let before = Process::now();
        assert!(before.resident >= before.anonymous && before.anonymous > 64 << 10, "{before:?}");
        assert!(before.most_files >= before.open_files && before.open_files >= 3, "{before:?}");
    }

    #[test]
    fn what_the_kernel_does_not_say_is_nothing() {
        assert_eq!(first_number("VmRSS:\t  12 kB\n", "VmRSS:"), 12);
        assert_eq!(first_number("VmRSS:\t  12 kB\n", "RssAnon:"), 0);
        assert_eq!(first_number("Max open files   unlimited unlimited files\n", "Max open files"), 0);
    }
}

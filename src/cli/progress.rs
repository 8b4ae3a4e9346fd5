//! How far long work is, in one line that is written over: on the standard error, and only where that is a terminal.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Work that is over sooner says nothing.
const PATIENCE: Duration = Duration::from_millis(400);
const EVERY: Duration = Duration::from_millis(100);
const LINE: &str = "\r\u{1b}[K";

pub struct Progress {
    visible: bool,
    began: Instant,
    last: Option<Instant>,
}

impl Progress {
    pub fn begin() -> Progress {
        Progress { visible: stderr().is_terminal(), began: Instant::now(), last: None }
    }

    /// Somebody sees it, so it is worth looking more often.
    pub fn is_visible(&self) -> bool {
        self.visible
    }

    pub fn say(&mut self, says: impl FnOnce() -> String) {
        let soon = self.last.is_some_and(|last| last.elapsed() < EVERY);
        if !self.visible || soon || self.began.elapsed() < PATIENCE {
            return;
        }
        let _ = write!(stderr(), "{LINE}{}", says());
        let _ = stderr().flush();
        self.last = Some(Instant::now());
    }

    /// The line is taken away, for what came of it follows.
    pub fn end(&mut self) {
        if self.last.take().is_some() {
            let _ = write!(stderr(), "{LINE}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

//! The terminal that a person sits at: how wide it is, whether it shows colours, in which zone its clock stands.
//!
//! Looked up once, at the start. Before that, and in tests of single functions, there are no colours and times are UTC.

use std::io::{IsTerminal, stdin, stdout};
use std::sync::OnceLock;

use jiff::tz::TimeZone;
use nix::libc;

const NARROWEST: usize = 40;
const USUAL: (usize, usize) = (80, 24);

nix::ioctl_read_bad!(
    /// How large the terminal is.
    window_size,
    libc::TIOCGWINSZ,
    libc::winsize
);

static COLOURS: OnceLock<bool> = OnceLock::new();
static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// `utc`: times as the machine counts them, wherever it stands.
pub fn look(utc: bool) {
    let _ = COLOURS.set(shows_colours());
    let _ = ZONE.set(if utc { TimeZone::UTC } else { plain(TimeZone::system()) });
}

/// UTC has many names; of an unknown zone nothing better is known.
fn plain(zone: TimeZone) -> TimeZone {
    match zone.iana_name() {
        Some("UTC" | "Etc/UTC" | "Etc/Universal" | "Etc/Zulu" | "Etc/Unknown") => TimeZone::UTC,
        _ => zone,
    }
}

fn shows_colours() -> bool {
    let said = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    stdout().is_terminal() && said("NO_COLOR").is_none() && said("TERM").is_none_or(|term| term != "dumb")
}

pub fn colours() -> bool {
    COLOURS.get().copied().unwrap_or(false)
}

pub fn zone() -> TimeZone {
    ZONE.get().cloned().unwrap_or(TimeZone::UTC)
}

/// Somebody can press keys and see what comes of it.
pub fn is_interactive() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

pub fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.unwrap_or_else(|| size().0).max(NARROWEST)
}

pub fn height() -> usize {
    size().1
}

/// Columns and lines.
fn size() -> (usize, usize) {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // The kernel fills in what lies on our stack, for as long as the call lasts.
    #[allow(unsafe_code)]
    let told = unsafe { window_size(libc::STDOUT_FILENO, &mut size) };
    match (told, size.ws_col, size.ws_row) {
        (Ok(_), 1.., 1..) => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL,
    }
}

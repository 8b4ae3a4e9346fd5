//! A look at something, once or again and again: `--watch` paints it anew every two seconds until q or Ctrl-C, and with
//! `--json` prints a line each time.
//!
//! A thread waits for keys; it ends with the process. While it waits the terminal shows no keys, and is as it was afterwards.

use std::io::{Read, Write, stdin, stdout};
use std::time::Duration;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::table::print;
use super::{CliError, Exit, error_json, print_json, terminal};

const EVERY: Duration = Duration::from_secs(2);
const CLEAR: &str = "\u{1b}[2J";
const HOME: &str = "\u{1b}[H";
const REST_OF_LINE: &str = "\u{1b}[K";
const REST_OF_SCREEN: &str = "\u{1b}[J";

/// How somebody wants to see it.
#[derive(Clone, Copy, Debug)]
pub struct How {
    pub json: bool,
    pub watch: bool,
}

/// `look` asks for it, `told` says it to people.
pub async fn show<T: Serialize>(
    how: How,
    look: impl AsyncFn() -> Result<T, CliError>,
    told: impl Fn(&T) -> String,
) -> Result<Exit, CliError> {
    // What fails at once fails; what fails later may come again.
    let first = look().await?;
    if !how.watch {
        if how.json {
            return print_json(&first);
        }
        print(&told(&first));
        return Ok(Exit::Done);
    }
    let paints = !how.json && terminal::is_interactive();
    let _keys = paints.then(Quiet::begin).flatten();
    let mut called_off = std::pin::pin!(called_off(paints));
    if paints {
        write(CLEAR)?;
    }
    let mut seen = Ok(first);
    loop {
        paint(&seen, how.json, paints, &told)?;
        tokio::select! {
            () = &mut called_off => return Ok(Exit::Done),
            () = tokio::time::sleep(EVERY) => {}
        }
        seen = tokio::select! {
            () = &mut called_off => return Ok(Exit::Done),
            seen = look() => seen,
        };
    }
}

fn paint<T: Serialize>(
    seen: &Result<T, CliError>,
    json: bool,
    paints: bool,
    told: impl Fn(&T) -> String,
) -> Result<(), CliError> {
    let text = match seen {
        Ok(seen) if json => line(seen),
        Err(error) if json => line(&error_json(error)),
        Ok(seen) => told(seen),
        Err(error) => format!("{error}; looking again\n{}", error.hint()),
    };
    if paints { write(&frame(&text, terminal::height())) } else { write(&format!("{text}\n")) }
}

fn line<T: Serialize>(of: &T) -> String {
    serde_json::to_string(of).unwrap_or_default()
}

/// As much of it as fits, over what stood there.
fn frame(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = height.saturating_sub(1).max(1);
    let mut shown = HOME.to_owned();
    let fits = lines.len() <= room;
    for line in lines.iter().take(if fits { room } else { room - 1 }) {
        shown.push_str(&format!("{line}{REST_OF_LINE}\r\n"));
    }
    if !fits {
        shown.push_str(&format!("… {} more lines{REST_OF_LINE}\r\n", lines.len() + 1 - room));
    }
    shown + REST_OF_SCREEN
}

/// Whoever reads it may have left: then there is nobody to look again for.
fn write(text: &str) -> Result<(), CliError> {
    let mut out = stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| CliError::Failed(format!("cannot write: {error}")))
}

/// By q, by Ctrl-C, or from elsewhere.
pub async fn called_off(keys: bool) {
    let (pressed, q) = oneshot::channel();
    if keys {
        std::thread::spawn(move || {
            if stdin().lock().bytes().any(|key| matches!(key, Ok(b'q' | b'Q') | Err(_))) {
                let _ = pressed.send(());
            }
        });
    } else {
        drop(pressed);
    }
    let signalled = async {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    // An end of the keys is no q.
    let q = async {
        if q.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = signalled => {}
        () = q => {}
    }
}

/// While it lives each key comes at once and none is shown.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> Option<Quiet> {
        let before = tcgetattr(stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
        tcsetattr(stdin(), SetArg::TCSANOW, &quiet).ok()?;
        Some(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_never_scrolls_and_says_what_it_leaves_out() {
        let whole = frame("a\nb", 4);
        assert_eq!(whole, format!("{HOME}a{REST_OF_LINE}\r\nb{REST_OF_LINE}\r\n{REST_OF_SCREEN}"));
        let cut = frame("a\nb\nc\nd", 4);
        assert!(cut.contains("a\u{1b}[K\r\nb") && cut.contains("… 2 more lines") && !cut.contains('c'), "{cut:?}");
        assert_eq!(cut.matches("\r\n").count(), 3);
    }
}

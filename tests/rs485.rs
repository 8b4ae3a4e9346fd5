//! What the kernel is told of RS-485, written down at the call by a library that is loaded before all others. A driver of
//! the kernel that switches a real line has not been seen by these tests.

#[path = "support/ports.rs"]
mod ports;

use std::path::{Path, PathBuf};
use std::process::Command;

use dmgw::links::serial::rs485::Level;
use dmgw::links::serial::wanted::locate;
use dmgw::links::serial::{Baud, Line, Parity, Roots, Rs485, Wanted, open};
use dmgw::units::Span;
use ports::Pty;

const LINE: Line = Line { baud: Baud::new(9_600), parity: Parity::None, data_bits: 8, stop_bits: 1 };

/// Set where a test runs itself with the library.
const RECORD: &str = "RS485_RECORD";

fn library(folder: &Path) -> PathBuf {
    let (library, source) =
        (folder.join("rs485.so"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serial/rs485.c"));
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status().unwrap();
    assert!(made.success());
    library
}

/// Opens a port under the library: its path, and what it says that it cannot do.
async fn opened(rs485: Option<Rs485>) -> (String, String) {
    let pty = Pty::new();
    let at = locate(&Wanted::said(pty.path()).unwrap(), &Roots::default()).unwrap();
    let port = open(&at, LINE, rs485, &Roots::default()).await.unwrap();
    (pty.path().to_owned(), port.cannot().join("; "))
}

/// Runs one test of this file with the library, and gives what was written down.
fn again(test: &str, slowest: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env("LD_PRELOAD", library(folder.path())).env(RECORD, &record);
    if !slowest.is_empty() {
        command.env("RS485_SLOWEST", slowest);
    }
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    std::fs::read_to_string(record).unwrap_or_default()
}

fn within() -> bool {
    std::env::var_os(RECORD).is_some()
}

#[tokio::test]
async fn the_kernel_is_told_once_and_exactly_what_the_settings_say() {
    if !within() {
        let told = again("the_kernel_is_told_once_and_exactly_what_the_settings_say", "");
        let (tty, order) = told.trim_end().split_once(' ').unwrap();
        assert!(tty.starts_with("/dev/pts/"), "{told}");
        assert_eq!(order, "enabled=1 on_send=0 after_send=1 both=1 other=0 before=3 after=12");
        return;
    }
    let rs485 = Rs485 {
        rts_on_send: Level::Low,
        rts_after_send: Level::High,
        delay_before_send: Span::millis(3),
        delay_after_send: Span::millis(12),
        receive_while_sending: true,
    };
    assert_eq!(opened(Some(rs485)).await.1, "");
}

#[tokio::test]
async fn an_empty_table_is_rts_high_while_sending() {
    if !within() {
        let told = again("an_empty_table_is_rts_high_while_sending", "");
        assert!(told.ends_with(" enabled=1 on_send=1 after_send=0 both=0 other=0 before=0 after=0\n"), "{told}");
        return;
    }
    assert_eq!(opened(Some(Rs485::default())).await.1, "");
}

#[tokio::test]
async fn a_driver_that_does_it_in_another_way_is_told_of() {
    if !within() {
        assert!(again("a_driver_that_does_it_in_another_way_is_told_of", "5").contains("after=40"));
        return;
    }
    let rs485 = Rs485 { delay_after_send: Span::millis(40), ..Rs485::default() };
    let cannot = opened(Some(rs485)).await.1;
    assert!(cannot.contains("in another way") && cannot.contains("5 ms after"), "{cannot}");
}

#[tokio::test]
async fn without_a_table_the_kernel_is_told_nothing() {
    if !within() {
        assert_eq!(again("without_a_table_the_kernel_is_told_nothing", ""), "");
        return;
    }
    assert_eq!(opened(None).await.1, "");
}

//! Serial ports, on pseudo terminals and a made-up sysfs: found by their adapter, refused where somebody holds them, known
//! to be gone at once and open again by themselves.

#[path = "support/ports.rs"]
mod ports;
mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dmgw::links::modbus::attach::Adapter;
use dmgw::links::modbus::bus::{self, Bus, Framing, Manner, Standing, Urgency};
use dmgw::links::modbus::wire::timing::Pace;
use dmgw::links::modbus::wire::{Request, Table};
use dmgw::links::serial::found::{self, Found};
use dmgw::links::serial::holder::who;
use dmgw::links::serial::wanted::locate;
use dmgw::links::serial::{Absent, Baud, Line, OpenError, Parity, Port, Roots, Rs485, Settings, Wanted, Watch, open};
use dmgw::model::Name;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use ports::{Machine, Pty};
use serde_json::Value;
use support::{PATIENCE, dmgw, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;
use tokio::time::{self, timeout};

const FTDI: &str = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0";
const PLAIN: Line = Line { baud: Baud::new(9_600), parity: Parity::None, data_bits: 8, stop_bits: 1 };

fn settings(port: &str) -> Settings {
    let (port, baud, parity) = (wanted(port), PLAIN.baud, PLAIN.parity);
    Settings { port, baud, parity, data_bits: 8, stop_bits: 1, rs485: None }
}

fn wanted(port: &str) -> Wanted {
    Wanted::said(port).unwrap()
}

fn only(machine: &Machine) -> Found {
    let mut all = found::ports(&machine.roots()).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn soon<T>(what: &str, it: impl Future<Output = T>) -> T {
    timeout(PATIENCE, it).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Where it is after something has happened, which wakes who waits.
async fn seen_after(watch: &mut Watch, happens: impl FnOnce()) -> Result<String, Absent> {
    happens();
    soon("it is worth to look", watch.stirred()).await;
    seen(watch)
}

fn seen(watch: &mut Watch) -> Result<String, Absent> {
    watch.look().map(|at| at.node.to_str().unwrap().to_owned())
}

/// A bus on a port, as a link has it.
fn on(port: &str, roots: Roots) -> Bus {
    let manner = Manner::new(Framing::Rtu(Pace { baud: 9_600, bits: 10 }), &bus::Settings::default());
    let (bus, run) = bus::bus(manner, Box::new(Adapter::new(Name::new("line").unwrap(), settings(port), roots)));
    tokio::spawn(run);
    bus
}

async fn is_open(bus: &Bus) {
    let mut standing = bus.standing();
    soon("it is open", standing.wait_for(|now| matches!(now, Standing::Open { .. }))).await.unwrap();
}

/// Why.
async fn is_down(bus: &Bus) -> String {
    let mut standing = bus.standing();
    let down = soon("it is down", standing.wait_for(|now| matches!(now, Standing::Down { .. }))).await.unwrap();
    let Standing::Down { why } = &*down else { unreachable!() };
    why.clone()
}

/// What this bus asks comes out at the other end.
async fn asks(bus: &Bus, pty: Pty) {
    let (bus, read) = (bus.clone(), Request::Read { table: Table::Holding, at: 0, count: 1 });
    tokio::spawn(async move { bus.ask(1, read, time::Instant::now() + PATIENCE, Urgency::Poll).await });
    let request = soon("a request", spawn_blocking(move || pty.read(8))).await.unwrap();
    assert_eq!(request, [1, 3, 0, 0, 0, 1, 0x84, 0x0a]);
}

async fn opened(pty: &Pty) -> Port {
    let at = locate(&wanted(pty.path()), &Roots::default()).unwrap();
    open(&at, PLAIN, None, &Roots::default()).await.unwrap()
}

#[test]
fn a_port_is_found_with_its_adapter_and_the_names_that_stay() {
    let (machine, pty) = (Machine::new(), Pty::new());
    machine.plug("ttyUSB0", "1-2", "A50285BI", &pty);
    let port = only(&machine);
    let usb = port.usb.clone().unwrap();
    assert_eq!((usb.vendor.as_str(), usb.product.as_str(), usb.serial.as_deref()), ("0403", "6001", Some("A50285BI")));
    assert_eq!((port.name.as_str(), port.driver.as_deref()), ("ttyUSB0", Some("ftdi_sio")));
    assert_eq!(port.best_name(), FTDI);
    assert_eq!(port.names.by_path.as_deref(), Some("/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0"));
    // Where udev has made links, these are told and not what they would be.
    machine.link("by-id/usb-Other_Name", "ttyUSB0");
    assert_eq!(only(&machine).best_name(), "/dev/serial/by-id/usb-Other_Name");
}

#[test]
fn two_adapters_that_call_themselves_alike_have_no_name_of_their_own_and_none_is_guessed() {
    let machine = Machine::new();
    let (one, two) = (Pty::new(), Pty::new());
    machine.plug("ttyUSB0", "1-1", "", &one);
    machine.plug("ttyUSB1", "1-2", "", &two);
    let all = found::ports(&machine.roots()).unwrap();
    assert!(all.iter().all(|port| port.names.by_id.is_none() && port.names.by_path.is_some()), "{all:?}");
    for name in ["usb:0403:6001", "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART-if00-port0"] {
        let found = locate(&wanted(name), &machine.roots());
        assert!(matches!(&found, Err(Absent::Several(_, names)) if names.contains("by-path")), "{found:?}");
    }
    machine.unplug("ttyUSB1");
    let found = locate(&wanted("usb:0403:6001"), &machine.roots()).unwrap();
    assert_eq!(found.node.to_str(), Some(one.path()));
}

#[test]
fn what_is_wrong_in_sysfs_harms_nobody() {
    let machine = Machine::new();
    machine.plug("ttyUSB0", "1-2", "A5\u{1b}[2J/../x", &Pty::new());
    machine.plug_wrongly();
    let port = only(&machine);
    let shown = serde_json::to_string(&port).unwrap();
    assert!(!shown.contains("\\u001b"), "{shown}");
    // As with udev, a serial number with such signs counts as none.
    assert_eq!(port.best_name(), "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART-if00-port0");
    assert!(found::ports(&Roots::below(machine.folder.path().join("none").as_path())).is_err());
}

#[tokio::test]
async fn bytes_go_both_ways_and_what_nobody_asked_for_is_discarded() {
    let pty = Pty::new();
    let mut port = opened(&pty).await;
    pty.write(b"late");
    eventually("the late bytes are there", || (pty.waiting() >= 4).then_some(()));
    port.discard().unwrap();
    port.write_all(b"ask").await.unwrap();
    assert_eq!(pty.read(3), b"ask");
    pty.write(b"answer");
    let mut answer = [0; 6];
    soon("the answer", port.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"answer");
}

#[tokio::test]
async fn what_a_pseudo_terminal_cannot_do_is_told_and_no_fault() {
    let pty = Pty::new();
    let at = locate(&wanted(pty.path()), &Roots::default()).unwrap();
    let odd = Line { baud: Baud::exactly(10_417).unwrap(), parity: Parity::Even, data_bits: 7, stop_bits: 2 };
    let mut port = open(&at, odd, Some(Rs485::default()), &Roots::default()).await.unwrap();
    let told = port.cannot().join("; ");
    assert!(told.contains("parity") && told.contains("RS-485") && !told.contains("baud"), "{told}");
    assert_eq!(port.set(&PLAIN).unwrap(), Vec::<String>::new());
    assert_eq!(pty.baud(), 9_600);
    assert!(!port.set(&odd).unwrap().is_empty());
    assert_eq!(pty.baud(), 10_417);
}

#[tokio::test]
async fn a_port_that_is_pulled_out_while_it_is_read_ends_at_once_and_each_time() {
    let pty = Pty::new();
    let mut port = opened(&pty).await;
    let name = port.name().to_owned();
    let reading = tokio::spawn(async move { (port.read(&mut [0; 8]).await, port) });
    tokio::task::yield_now().await;
    let pulled = Instant::now();
    drop(pty);
    let (read, mut port) = soon("the read ends", reading).await.unwrap();
    assert!(pulled.elapsed() < Duration::from_secs(1), "it took {:?}", pulled.elapsed());
    assert_eq!(read.unwrap_err().to_string(), format!("{name} has gone"));
    for _ in 0..3 {
        assert!(port.read(&mut [0; 8]).await.is_err() && port.write(b"x").await.is_err());
    }
}

#[tokio::test]
async fn a_port_that_another_process_holds_is_refused_with_its_name() {
    let pty = Pty::new();
    let file = std::fs::OpenOptions::new().read(true).open(pty.path()).unwrap();
    let mut child = Command::new("sleep").arg("600").stdin(Stdio::from(file)).spawn().unwrap();
    let roots = Roots::default();
    let at = locate(&wanted(pty.path()), &roots).unwrap();
    let told = eventually("the child holds it", || {
        let holders = who(&[&at.node], &roots).remove(0);
        holders.iter().any(|holder| holder.name == "sleep").then_some(holders)
    });
    assert_eq!(told.iter().map(|holder| holder.pid).filter(|pid| *pid == child.id()).count(), 1, "{told:?}");
    let refused = open(&at, PLAIN, None, &roots).await.unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { by, .. } if by.len() == 1 && by[0].pid == child.id()), "{refused:?}");
    assert!(refused.to_string().contains(&format!("sleep (process {})", child.id())), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    open(&at, PLAIN, None, &roots).await.unwrap();
}

#[tokio::test]
async fn a_port_that_this_program_has_open_is_not_opened_twice() {
    let pty = Pty::new();
    let first = opened(&pty).await;
    let at = locate(&wanted(pty.path()), &Roots::default()).unwrap();
    let refused = open(&at, PLAIN, None, &Roots::default()).await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. } | OpenError::Locked(_)), "{refused:?}");
    drop(first);
    open(&at, PLAIN, None, &Roots::default()).await.unwrap();
}

#[tokio::test]
async fn a_lock_file_counts_while_its_process_lives() {
    let (machine, pty) = (Machine::new(), Pty::new());
    let name = std::path::Path::new(pty.path()).file_name().unwrap().to_str().unwrap().to_owned();
    let roots = machine.roots();
    let holds = || who(&[std::path::Path::new(pty.path())], &roots).remove(0);
    machine.process(4_242, "minicom");
    machine.lock_file(&name, b"      4242 minicom root\n");
    assert_eq!(holds().iter().map(ToString::to_string).collect::<Vec<_>>(), ["minicom (process 4242)"]);
    machine.lock_file(&name, &4_242_u32.to_ne_bytes());
    assert_eq!(holds().len(), 1);
    let at = locate(&wanted(pty.path()), &Roots::default()).unwrap();
    assert!(matches!(open(&at, PLAIN, None, &roots).await, Err(OpenError::InUse { .. })));
    for of_nobody in [&b"      4243\n"[..], b"", b"who knows", b"0"] {
        machine.lock_file(&name, of_nobody);
        assert_eq!(holds(), []);
    }
    open(&at, PLAIN, None, &roots).await.unwrap();
}

#[test]
fn who_is_the_other_end_of_a_port_holds_nothing_but_who_is_that_of_another_does() {
    let (machine, one, two) = (Machine::new(), Pty::new(), Pty::new());
    machine.process(7, "meter");
    machine.has_both_ends(7, one.path(), one.path());
    machine.process(8, "rival");
    machine.has_both_ends(8, one.path(), two.path());
    let holders = who(&[std::path::Path::new(one.path())], &machine.roots()).remove(0);
    assert_eq!(holders.iter().map(ToString::to_string).collect::<Vec<_>>(), ["rival (process 8)"]);
}

#[test]
fn who_has_a_lock_on_a_port_is_known_where_its_files_are_hidden() {
    let (machine, pty) = (Machine::new(), Pty::new());
    machine.process(77, "picocom");
    machine.lock_on(pty.path(), 77);
    let holders = who(&[std::path::Path::new(pty.path())], &machine.roots()).remove(0);
    assert_eq!(holders.iter().map(ToString::to_string).collect::<Vec<_>>(), ["picocom (process 77)"]);
    assert_eq!(who(&[std::path::Path::new(Pty::new().path())], &machine.roots()).remove(0), []);
}

#[tokio::test]
async fn who_waits_is_woken_when_a_port_goes_and_when_it_is_back_under_another_number() {
    let (machine, one, two) = (Machine::new(), Pty::new(), Pty::new());
    machine.plug("ttyUSB0", "1-2", "A50285BI", &one);
    let mut watch = Watch::new(wanted(FTDI), machine.roots());
    assert_eq!(seen(&mut watch).unwrap(), one.path());
    let gone = seen_after(&mut watch, || machine.unplug("ttyUSB0")).await;
    assert_eq!(gone, Err(Absent::NotThere(FTDI.into())));
    let back = seen_after(&mut watch, || machine.plug("ttyUSB3", "1-2", "A50285BI", &two)).await;
    assert_eq!(back.unwrap(), two.path());
    let both = seen_after(&mut watch, || {
        machine.unplug("ttyUSB3");
        machine.plug("ttyUSB0", "1-2", "A50285BI", &one);
    });
    assert_eq!(both.await.unwrap(), one.path());
}

#[tokio::test]
async fn a_link_of_ones_own_that_leads_elsewhere_wakes_wherever_on_the_way_it_changed() {
    let (folder, one, two) = (tempfile::tempdir().unwrap(), Pty::new(), Pty::new());
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    let link = |name: &str, to: &str| {
        let (new, name) = (folder.path().join("new"), folder.path().join(name));
        std::os::unix::fs::symlink(to, &new).unwrap();
        std::fs::rename(new, name).unwrap();
    };
    link("inner/port", one.path());
    link("meters", "inner/port");
    let meters = folder.path().join("meters");
    let mut watch = Watch::new(wanted(meters.to_str().unwrap()), Roots::default());
    assert_eq!(seen(&mut watch).unwrap(), one.path());
    for to in [two.path(), one.path()] {
        assert_eq!(seen_after(&mut watch, || link("inner/port", to)).await.unwrap(), to);
    }
    assert!(seen_after(&mut watch, || link("meters", "nowhere")).await.is_err());
}

#[tokio::test]
async fn a_port_that_comes_back_is_open_again_within_two_seconds_and_nothing_is_burned_meanwhile() {
    let (machine, one, two) = (Machine::new(), Pty::new(), Pty::new());
    machine.plug("ttyUSB0", "1-2", "A50285BI", &one);
    machine.link("by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0", "ttyUSB0");
    let bus = on(FTDI, machine.roots());
    is_open(&bus).await;
    machine.unplug("ttyUSB0");
    drop(one);
    let why = is_down(&bus).await;
    assert!(why.contains("has gone") || why.contains("is not there"), "{why}");

    let (away, before) = (Duration::from_millis(1_500), burned());
    assert!(timeout(away, is_open(&bus)).await.is_err(), "it opened what is not there");
    let burned = burned() - before;
    assert!(burned < away / 10, "{burned:?} of processor while it was away");

    machine.plug("ttyUSB7", "1-2", "A50285BI", &two);
    machine.link("by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0", "ttyUSB7");
    let plugged = Instant::now();
    is_open(&bus).await;
    assert!(plugged.elapsed() < Duration::from_secs(2), "it took {:?}", plugged.elapsed());
    asks(&bus, two).await;
}

/// By this thread alone: other tests run beside.
fn burned() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let micros = used.user_time().num_microseconds() + used.system_time().num_microseconds();
    Duration::from_micros(micros as u64)
}

#[tokio::test]
async fn a_port_that_is_in_use_is_opened_when_it_is_free() {
    let pty = Pty::new();
    let file = std::fs::OpenOptions::new().read(true).open(pty.path()).unwrap();
    let mut child = Command::new("sleep").arg("600").stdin(Stdio::from(file)).spawn().unwrap();
    let at = locate(&wanted(pty.path()), &Roots::default()).unwrap();
    eventually("the child holds it", || (!who(&[&at.node], &Roots::default()).remove(0).is_empty()).then_some(()));
    let bus = on(pty.path(), Roots::default());
    let why = is_down(&bus).await;
    assert!(why.contains(&format!("sleep (process {})", child.id())), "{why}");
    child.kill().unwrap();
    child.wait().unwrap();
    is_open(&bus).await;
    asks(&bus, pty).await;
}

#[test]
fn the_command_line_shows_the_ports_and_who_holds_them_without_a_daemon() {
    let (machine, pty) = (Machine::new(), Pty::new());
    machine.plug("ttyUSB0", "1-2", "A50285BI", &pty);
    machine.process(4_242, "minicom");
    machine.lock_file("ttyUSB0", b"4242\n");
    let root = machine.folder.path().to_str().unwrap();
    let cli = |more: &[&str]| {
        let ended = dmgw().args(["link", "ports", "--root", root]).args(more).env("COLUMNS", "70").output().unwrap();
        (ended.status.code().unwrap(), support::text(&ended.stdout) + &support::text(&ended.stderr))
    };
    let (code, says) = cli(&[]);
    assert_eq!(code, 0, "{says}");
    let line = format!("port = {FTDI:?}  # ttyUSB0\n");
    for has in ["FTDI FT232R USB UART (ftdi_sio)", "minicom (process 4242)", &line] {
        assert!(says.contains(has), "{has}: {says}");
    }
    let told: Value = serde_json::from_str(&cli(&["--json"]).1).unwrap();
    let port = &told["ports"][0];
    assert_eq!((port["paste"].as_str(), port["held_by"][0]["pid"].as_u64()), (Some(FTDI), Some(4_242)));
    assert_eq!((port["by_id"].as_str(), port["usb"]["serial"].as_str()), (Some(FTDI), Some("A50285BI")));
    machine.unplug("ttyUSB0");
    assert_eq!(cli(&[]).1.trim(), "this machine has no serial port");
    let (code, says) = cli(&["--url", "https://far.example:8443"]);
    assert!(code == 2 && says.contains("works on the gateway itself"), "{says}");
    // The ports of this very machine, whichever they are.
    let here = dmgw().args(["link", "ports", "--json"]).output().unwrap();
    assert!(serde_json::from_slice::<Value>(&here.stdout).unwrap()["ports"].is_array());
}

/// Writes what makes the kernel say of a device that it changed. It harms nobody; only root may.
fn stir(device: &str) -> bool {
    std::fs::write(format!("/sys/class/{device}/uevent"), "change").is_ok()
}

#[tokio::test]
async fn the_kernel_wakes_a_look_with_a_word_of_a_terminal_and_of_nothing_else() {
    let test = "the_kernel_wakes_a_look_with_a_word_of_a_terminal_and_of_nothing_else";
    let machine = Machine::new();
    let mut watch = Watch::new(wanted("usb:0403:6001"), machine.roots());
    assert!(watch.look().is_err());
    if !stir("mem/null") {
        return println!("SKIP {test}: only root makes the kernel speak");
    }
    let others = timeout(Duration::from_millis(300), watch.stirred()).await;
    assert!(others.is_err(), "it looked because of something that is no port");
    assert!(stir("tty/tty"));
    soon("the kernel's word", watch.stirred()).await;
}

//! `dmgw scan` before there is any configuration: against a server by another hand, on a line that keeps its baud and over
//! TCP. Its settings are pasted into a daemon, which reads with them.

mod support;

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use support::modbus::image::{plant, shipped, started, value};
use support::modbus::line::{Cable, Tty};
use support::modbus::{Fault, On, Server, folder};
use support::{Gateway, dmgw, eventually, text};

/// Where nobody has configured anything.
fn scan(words: &[&str]) -> Output {
    let mut command = dmgw();
    command.arg("scan").args(words).args(["--config", "/nonexistent/dmgw.toml"]).env("DMGW_PROFILES", shipped());
    command.env("COLUMNS", "200").output().unwrap()
}

fn scanned(words: &[&str]) -> Value {
    let ended = scan(&[words, &["--json"]].concat());
    assert!(ended.status.success(), "{}{}", text(&ended.stdout), text(&ended.stderr));
    serde_json::from_slice(&ended.stdout).unwrap()
}

fn unit(shown: &Value, no: u8) -> Value {
    let units = shown["units"].as_array().unwrap();
    units.iter().find(|unit| unit["unit"] == no).unwrap_or_else(|| panic!("no unit {no}: {shown}")).clone()
}

/// The settings of a scan pass the check, and a daemon reads with them.
fn pasted(toml: &str) {
    let gateway = Gateway::new(&format!("[clock]\ntrust = \"always\"\n{toml}"));
    let mut check = dmgw();
    check.arg("check").arg(gateway.config()).env("DMGW_PROFILES", shipped());
    let checked = check.output().unwrap();
    assert!(checked.status.success(), "{}{}\n{toml}", text(&checked.stdout), text(&checked.stderr));
    let mut gateway = gateway;
    gateway.start_with_env(&[("DMGW_PROFILES", &shipped())]);
    eventually("the meter is read", || {
        (value(&gateway, "bus-3", "phase.1.voltage") == json!(238.60000610351562)).then_some(())
    });
    eventually("so is the other", || value(&gateway, "bus-5", "grid.0.frequency").as_f64());
    eventually("who it is stands with it", || {
        let device = gateway.get("/v1/devices/bus-3").body;
        device["detail"]["identities"].to_string().contains("eastron:1234567").then_some(())
    });
}

/// Whatever a scan asked, it changed nothing.
fn only_read(server: &Server) {
    let asked = server.asked();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|asked| [1, 2, 3, 4, 17, 43].contains(&asked.function)), "{asked:?}");
}

#[test]
fn a_line_of_which_nothing_is_known_is_found_with_its_rate_and_units_and_its_settings_read_it() {
    let name = "a_line_of_which_nothing_is_known";
    let Some(server) = Server::start(name, &["by=pty", "baud=19200"], &plant()) else { return };
    let port = server.pty().display().to_string();
    let shown = scanned(&[&port, "--units", "1-9"]);
    assert_eq!((&shown["way"]["baud"], &shown["complete"]), (&json!(19_200), &json!(true)), "{shown}");
    assert_eq!(shown["units"].as_array().unwrap().len(), 3, "{shown}");
    let sdm = unit(&shown, 3);
    assert_eq!((&sdm["profile"], &sdm["serial"]), (&json!("eastron-sdm120"), &json!("serial:eastron:1234567")));
    assert_eq!(sdm["versions"]["firmware"], "281");
    let iem = unit(&shown, 5);
    assert_eq!((&iem["profile"], &iem["versions"]["firmware"]), (&json!("schneider-iem3155"), &json!("V1.2")));
    // By its signs it is what it is, and its profile does not know it by the name that it gives itself.
    assert_eq!((&iem["hardware"], &iem["signs"]), (&json!("Schneider Electric iEM3155"), &json!(1)));
    assert_eq!(iem["objects"]["1"], "METSEIEM3155");
    assert_eq!(iem["objects"]["129"].as_str().unwrap().len(), 128, "all levels are asked for, to their end: {iem}");
    let stranger = unit(&shown, 9);
    assert!(stranger["profile"].is_null() && stranger["server"].as_str().unwrap().starts_with("LMB"), "{stranger}");
    let functions = &stranger["gives"]["functions"];
    assert_eq!((&functions["3"], &functions["4"]), (&json!("answers"), &json!("answers")), "{functions}");
    assert!(functions["1"].as_str().unwrap().contains("exception 2"), "{functions}");
    only_read(&server);
    pasted(shown["toml"].as_str().unwrap());
}

#[test]
fn who_is_behind_an_address_is_told_with_which_points_answer() {
    let Some(server) = Server::start("who_is_behind_an_address", &[], &plant()) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    let ended = scan(&[&at, "--units", "1-9"]);
    let says = text(&ended.stdout);
    assert!(ended.status.success(), "{says}{}", text(&ended.stderr));
    for told in
        ["speaks Modbus TCP", "1234567", "by its sign; 26 of 28 points", "no profile fits", "[link.bus.modbus-tcp]"]
    {
        assert!(says.contains(told), "{told}: {says}");
    }
    let shown = scanned(&[&at, "--units", "3,5", "--as", "bus"]);
    let points = unit(&shown, 3)["gives"]["points"].clone();
    let missing = points["missing"].as_array().unwrap();
    let image: toml::Table =
        std::fs::read_to_string(folder().join("images/eastron-sdm120.toml")).unwrap().parse().unwrap();
    let known = image["means"].as_table().unwrap().len() as u64;
    assert_eq!(points["asked"].as_u64().unwrap() - missing.len() as u64, known, "what its image holds: {points}");
    assert_eq!(points["unanswered"], 0);
    only_read(&server);
    pasted(shown["toml"].as_str().unwrap());
}

#[test]
fn rtu_over_tcp_is_found_where_modbus_tcp_is_not_answered() {
    let Some(server) = Server::start("rtu_over_tcp_is_found", &["frames=rtu"], &plant()) else { return };
    let shown = scanned(&[&format!("127.0.0.1:{}", server.port()), "--units", "3"]);
    assert_eq!(shown["way"], json!({ "wrapping": "rtu" }), "{shown}");
    assert!(shown["toml"].as_str().unwrap().contains("wrapping = \"rtu\""), "{shown}");
}

#[test]
fn on_an_empty_line_nobody_is_found_and_it_is_told_what_was_tried() {
    let Some(cable) = Cable::new("on_an_empty_line_nobody_is_found") else { return };
    let port = cable.a().display().to_string();
    let ended = scan(&[&port, "--baud", "9600,19200", "--parity", "none", "--units", "1-3", "--timeout", "50ms"]);
    let says = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(1), "{says}{}", text(&ended.stderr));
    for told in ["nobody has answered", "9600 8N1", "19200 8N1", "1-3", "silence"] {
        assert!(says.contains(told), "{told}: {says}");
    }
    assert!(!says.contains("[link"), "{says}");
}

#[test]
fn noise_as_of_a_wrong_rate_is_nobody() {
    let Some(cable) = Cable::new("noise_as_of_a_wrong_rate_is_nobody") else { return };
    let port = cable.a().display().to_string();
    let mut other = Tty::open(&cable.b(), nix::sys::termios::BaudRate::B9600);
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = over.clone();
    // Whatever is asked, the end of an answer comes back as another rate would show it.
    let noise = std::thread::spawn(move || {
        while !told.load(std::sync::atomic::Ordering::SeqCst) {
            if !other.read(8, Duration::from_millis(100)).is_empty() {
                other.write(&[0xf8, 0x03, 0x80, 0x66, 0x9e, 0x00, 0xe0]);
            }
        }
    });
    let ended = scan(&[&port, "--baud", "9600", "--units", "1-2"]);
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    noise.join().unwrap();
    let says = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(1), "{says}");
    assert!(says.contains("nobody has answered") && says.contains("something, but no right answer"), "{says}");
}

#[test]
fn one_that_is_stopped_half_way_shows_what_it_has_found() {
    let Some(server) = Server::start("one_that_is_stopped_half_way", &[], &plant()) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    let mut command = dmgw();
    command.args(["scan", &at, "--units", "3-250", "--timeout", "10s", "--json", "--config", "/nonexistent/dmgw.toml"]);
    command.env("DMGW_PROFILES", shipped()).stdout(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    // Nobody is at 4, so whoever asks there is done with 3.
    let beyond = || server.asked().iter().rev().any(|asked| asked.unit == 4).then_some(());
    eventually("it has looked at the third", || {
        let met = server.asked().iter().any(|asked| asked.unit == 3 && asked.function == 4);
        if met { beyond() } else { None }
    });
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let shown: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&shown["complete"], &unit(&shown, 3)["profile"]), (&json!(false), &json!("eastron-sdm120")), "{shown}");
    assert!(shown["toml"].as_str().unwrap().contains("[device.bus-3]"), "{shown}");
}

#[test]
fn a_unit_that_is_late_is_found_by_its_late_answer() {
    let Some(server) = Server::rtu_pty("a_unit_that_is_late_is_found", "4,8", 19_200) else { return };
    server.fault(On::all().unit(4), Fault::Delay(Duration::from_millis(500)));
    let port = server.pty().display().to_string();
    let shown = scanned(&[&port, "--baud", "19200", "--parity", "even", "--units", "2-9", "--timeout", "150ms"]);
    let units: Vec<&Value> = shown["units"].as_array().unwrap().iter().map(|unit| &unit["unit"]).collect();
    assert_eq!(units, [4, 8], "{shown}");
}

#[test]
fn a_device_that_takes_no_heed_of_the_number_is_one() {
    let Some(server) = Server::tcp("a_device_that_takes_no_heed_of_the_number", "1-255") else { return };
    let shown = scanned(&[&format!("127.0.0.1:{}", server.port())]);
    assert_eq!(shown["heeds_no_number"], true, "{shown}");
    assert_eq!(shown["units"].as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn two_with_one_number_are_told_of_and_neither_is_called_by_it() {
    let both = format!("{}{}", plant(), "4 holding 0xFC00 0x0012 0xD687 0x0020\n");
    let Some(server) = Server::start("two_with_one_number", &[], &both) else { return };
    let shown = scanned(&[&format!("127.0.0.1:{}", server.port()), "--units", "3-5"]);
    assert_eq!(unit(&shown, 3)["serial"], unit(&shown, 4)["serial"]);
    let toml = shown["toml"].as_str().unwrap();
    assert!(toml.contains("schneider-electric:123456") && !toml.contains("identities = [\"serial:eastron"), "{toml}");
    let file = server.folder.path().join("both.toml");
    std::fs::write(&file, toml).unwrap();
    let checked = dmgw().arg("check").arg(&file).env("DMGW_PROFILES", shipped()).output().unwrap();
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

#[test]
fn a_port_of_a_running_daemon_is_refused_with_its_link() {
    let Some(server) = Server::start("a_port_of_a_running_daemon", &["by=pty"], &plant()) else { return };
    let port = server.pty().display().to_string();
    let gateway = started(&format!("[link.hall.modbus-rtu]\nport = {port:?}\n"));
    eventually("it has its port", || {
        let links = gateway.get("/v1/links").body;
        (links["links"][0]["state"] == "up").then_some(())
    });
    let ended = gateway.cli(&["scan", &port, "--units", "3"]);
    let says = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{says}");
    for told in ["in use by dmgw", &format!("process {}", gateway.pid()), "dmgw link release hall"] {
        assert!(says.contains(told), "{told}: {says}");
    }
    let told: Value = serde_json::from_slice(&gateway.cli(&["scan", &port, "--json"]).stdout).unwrap();
    assert!(told["type"].as_str().unwrap().ends_with("in-use"), "{told}");
}

#[test]
fn a_scan_of_nothing_sensible_is_refused_with_what_would_be() {
    for (words, says) in [
        (&["/dev/nothing-there", "--units", "1"][..], "is not there"),
        (&["a b"], "neither a port nor a host"),
        (&["127.0.0.1", "--baud", "9600"], "no rate"),
        (&["/dev/ttyS0", "--baud", "9601"], "9601"),
        (&["/dev/ttyS0", "--units", "0"], "1 to 247"),
    ] {
        let ended = scan(words);
        assert!(!ended.status.success() && text(&ended.stderr).contains(says), "{words:?}: {}", text(&ended.stderr));
    }
}

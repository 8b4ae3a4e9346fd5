//! `dmgw device adopt` and `dmgw export`: what they write are settings, and these mean the same.

mod support;

use serde_json::{Value, json};
use support::{Gateway, Plant, TWO_DEVICES, eventually, file, text, told};

/// Who comes waits for a decision.
fn held() -> (Plant, Gateway) {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "[[admission]]\nlink = \"plant\"\nthen = \"hold\"\n");
    eventually("three devices wait", || {
        (gateway.get("/v1/status").body["devices"]["pending"] == json!(3)).then_some(())
    });
    (plant, gateway)
}

fn life(gateway: &Gateway, word: &str) -> Value {
    gateway.get(&format!("/v1/devices/{word}")).ok()["life"].clone()
}

#[test]
fn a_device_that_waits_is_adopted_into_a_drop_in_and_let_in_by_it() {
    let (_plant, gateway) = held();
    assert_eq!(life(&gateway, "meter-1"), "pending");
    let (code, says) = told(&gateway, &["device", "adopt", "meter-1", "--as", "hall"]);
    assert!(code == 0 && says.contains("[device.hall]") && says.contains("serial:acme:meter-1"), "{says}");
    let read: toml::Table = says.parse().unwrap_or_else(|error| panic!("{error}\n{says}"));
    assert_eq!(read["device"]["hall"]["link"].as_str(), Some("plant"));
    assert!(!gateway.folder.path().join("devices.d").exists(), "nothing is written unless it is said");

    let (code, says) = told(&gateway, &["device", "adopt", "meter-1", "--as", "hall", "--write"]);
    assert!(code == 0 && says.contains("devices.d/hall.toml is written"), "{says}");
    let written = gateway.folder.path().join("devices.d/hall.toml");
    assert!(std::fs::read_to_string(&written).unwrap().contains("[device.hall]"));
    let (code, says) = told(&gateway, &["check", written.to_str().unwrap()]);
    assert!(code == 0 && says.contains("1 device"), "{says}");
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert_eq!(code, 0, "{says}");
    eventually("it is let in", || (life(&gateway, "hall") == "managed").then_some(()));
    assert_eq!(life(&gateway, "meter-2"), "pending", "nobody else is");
}

#[test]
fn nothing_is_written_over_and_nothing_that_does_not_go_together() {
    let (_plant, gateway) = held();
    let adopt = |words: &[&str]| told(&gateway, &[&["device", "adopt"], words].concat());
    assert_eq!(adopt(&["meter-1", "--as", "hall", "--write"]).0, 0);
    let before = std::fs::read(gateway.folder.path().join("devices.d/hall.toml")).unwrap();
    let (code, says) = adopt(&["meter-2", "--as", "hall", "--write"]);
    assert!(code == 1 && says.contains("nothing is written"), "the name is taken: {says}");
    let (code, says) = adopt(&["meter-1", "--as", "other"]);
    assert!(code == 1 && says.contains("is another device already"), "{says}");
    let (code, says) = adopt(&["meter-2", "--as", "no name"]);
    assert!(code == 2 && says.contains("--as"), "{says}");
    assert_eq!(std::fs::read(gateway.folder.path().join("devices.d/hall.toml")).unwrap(), before);
    assert_eq!(std::fs::read_dir(gateway.folder.path().join("devices.d")).unwrap().count(), 1);
}

#[test]
fn the_running_set_passes_the_check_and_another_gateway_knows_the_same_devices_by_it() {
    let (_plant, gateway) = held();
    let registered = ["device", "register", "serial:acme:9", "--name", "spare", "--group", "night", "--label", "row=3"];
    assert_eq!(told(&gateway, &registered).0, 0);
    assert_eq!(told(&gateway, &["command", "ask", "relay-1", "accept"]).0, 0);
    let version = file(&gateway, "more.toml", "[group.night]\nfor = 'label.row == \"3\"'\n");
    assert_eq!(told(&gateway, &["config", "change", &version]).0, 0);
    assert_eq!(told(&gateway, &["device", "adopt", "meter-2", "--as", "cellar", "--write"]).0, 0);
    assert_eq!(told(&gateway, &["config", "reload"]).0, 0);

    let exported = gateway.cli(&["export"]);
    let exported = text(&exported.stdout);
    // In a folder of its own: drop-ins beside it would be read too.
    std::fs::create_dir(gateway.folder.path().join("set")).unwrap();
    let set = file(&gateway, "set/set.toml", &exported);
    let (code, says) = told(&gateway, &["check", &set]);
    assert!(code == 0 && says.contains("4 devices, 1 group"), "{says}\n{exported}");
    assert_eq!(exported.matches("serial:acme:meter-2").count(), 1, "it stands in the settings already: {exported}");

    let elsewhere = exported.replace(gateway.folder.path().to_str().unwrap(), "{dir}");
    let mut other = Gateway::new(&elsewhere);
    other.start();
    for (word, life) in [("spare", "managed"), ("cellar", "managed"), ("relay-1", "managed"), ("meter-1", "pending")] {
        let device =
            eventually("it is known", || Some(other.get(&format!("/v1/devices/{word}"))).filter(|a| a.status == 200));
        assert_eq!(device.body["life"], life, "{word}");
    }
    assert_eq!(other.get("/v1/devices/spare").body["detail"]["about"]["labels"]["row"], "3");

    let broken = file(&gateway, "set/set.toml", &exported.replacen("link", "lnik", 1));
    assert_eq!(told(&gateway, &["check", &broken]).0, 1, "the check can fail");
}

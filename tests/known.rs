//! Devices that the settings name: registered before they are seen, told again only where they are others, and grouped,
//! admitted and asked by what is known of them.

mod support;

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::{Gateway, Plant, eventually, file, planted, told, told_with};

const PLANT: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[device.lamp]
count = 3
serial = "acme:lamp-{n}"
hardware = "Acme Lamp"
point."lamp.on" = { type = "bool", access = "read-write", value = { echo = false } }
[device.valve]
serial = "other:valve"
hardware = "Other V1"
point."valve.open" = { type = "bool", access = "read-write", value = { echo = false } }
"#;

fn settings(plant: &Plant, more: &str) -> String {
    format!("[link.plant]\nevery = \"200ms\"\nadmission = \"hold\"\nsim = {{ socket = {:?} }}\n{more}", plant.socket())
}

fn start(plant: &Plant, more: &str) -> Gateway {
    let mut gateway = Gateway::new(&settings(plant, more));
    gateway.start();
    gateway
}

fn lamp(gateway: &Gateway, no: u8) -> Value {
    gateway.get(&format!("/v1/devices/urn:dev:dmgw:serial:acme:lamp-{no}")).body
}

fn serials(gateway: &Gateway, query: &str) -> Vec<String> {
    let found = gateway.get(&format!("/v1/devices?{query}")).ok();
    let id = |device: &Value| device["id"].as_str().unwrap().trim_start_matches("urn:dev:dmgw:serial:").to_owned();
    let mut found: Vec<String> = found["devices"].as_array().unwrap().iter().map(id).collect();
    found.sort();
    found
}

const TWO: &str = "[template.lamps]\nlink = \"plant\"\ngroups = [\"lamps\"]\nlabel = { floor = \"2\" }\n\
    [device.hall]\ntemplate = \"lamps\"\nidentities = [\"serial:acme:lamp-1\"]\napplication = \"lighting\"\n\
    [device.stairs]\ntemplate = \"lamps\"\nidentities = [\"serial:acme:lamp-2\"]\nlabel = { floor = \"-1\" }\n";

#[test]
fn a_device_of_the_settings_is_managed_at_first_sight_and_told_again_only_where_it_is_another() {
    let plant = Plant::start(PLANT);
    let mut gateway = start(&plant, TWO);
    eventually("lamp 1 is up", || (lamp(&gateway, 1)["connectivity"] == "up").then_some(()));
    let first = lamp(&gateway, 1);
    assert_eq!(
        (&first["name"], &first["life"], &first["groups"]),
        (&json!("hall"), &json!("managed"), &json!(["lamps"]))
    );
    eventually("lamp 3 was met", || (lamp(&gateway, 3)["life"] == "pending").then_some(()));
    assert!(gateway.terminate().0.success());
    gateway.start();
    let records =
        |gateway: &Gateway| gateway.get("/v1/journal/events?from=0").body["records"].as_array().unwrap().len();
    eventually("lamp 1 is up", || (lamp(&gateway, 1)["connectivity"] == "up").then_some(()));
    let (code, says) = told(&gateway, &["device", "log", "hall"]);
    assert!(code == 0 && says.matches("added").count() == 1, "{says}");
    let before = records(&gateway);
    // An edit of one table is one change of one device.
    gateway.configure(&settings(&plant, &TWO.replace("\"lighting\"", "\"emergency\"")));
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert!(code == 0 && says.contains("device.hall.application"), "{says}");
    assert_eq!(serials(&gateway, "for=application%20%3D%3D%20%22emergency%22"), ["acme:lamp-1"]);
    assert!(records(&gateway) <= before + 2, "the others are no news");
}

#[test]
fn devices_are_asked_listed_and_grouped_by_what_is_known_of_them() {
    let plant = Plant::start(PLANT);
    let groups = "[group.upstairs]\nfor = { label = { floor = \"2\" } }\n[group.bright]\nfor = 'hardware.startsWith(\"Acme\") && life == \"managed\"'\n";
    let gateway = start(&plant, &format!("{TWO}{groups}"));
    eventually("both are up", || ([1, 2].iter().all(|no| lamp(&gateway, *no)["connectivity"] == "up")).then_some(()));
    assert_eq!(serials(&gateway, "group=upstairs"), ["acme:lamp-1"]);
    eventually("both are bright", || {
        (serials(&gateway, "group=bright") == ["acme:lamp-1", "acme:lamp-2"]).then_some(())
    });
    let (code, says) = told(&gateway, &["command", "ask", "group:bright", "write", "lamp.on", "true", "--wait", "10s"]);
    assert!(code == 0 && says.contains("2 in all: 2 done"), "{says}");
    let (code, says) =
        told(&gateway, &["command", "ask", "for:label.floor == \"-1\"", "write", "lamp.on", "false", "--wait", "10s"]);
    assert_eq!(code, 0, "{says}");
    let written = || (plant.carried_out("acme:lamp-1", "write"), plant.carried_out("acme:lamp-2", "write"));
    eventually("the plant has written it down", || (written() == (1, 2)).then_some(()));
    let (code, says) = told(&gateway, &["command", "ask", "group:brihgt", "probe"]);
    assert!(code == 1 && says.contains("bright was meant?"), "{says}");
    let (code, says) = told(&gateway, &["command", "ask", "for:lable.floor == \"2\"", "probe"]);
    assert!(code == 2 && says.contains("Did you mean label?") && says.contains("\n  ^^^^^"), "{says}");
    let (code, says) = told(&gateway, &["device", "list", "--for", "connectivity == \"upp\""]);
    assert!(code == 2 && says.contains("Did you mean \"up\"?"), "{says}");
    // A device enters and leaves a group with its facts.
    let (code, _) = told(&gateway, &["command", "ask", "stairs", "describe", "label.floor=2", "--wait", "5s"]);
    assert_eq!((code, serials(&gateway, "group=upstairs")), (0, vec!["acme:lamp-1".into(), "acme:lamp-2".into()]));
}

#[test]
fn a_rule_of_admission_looks_at_what_a_newcomer_tells() {
    let plant = Plant::start(PLANT);
    let rule = "[[admission]]\nfor = { hardware = \"Other *\" }\nthen = \"accept\"\n";
    let gateway = start(&plant, rule);
    eventually("all were met", || (serials(&gateway, "life=pending").len() == 3).then_some(()));
    assert_eq!(serials(&gateway, "life=managed"), ["other:valve"]);
}

#[test]
fn what_cannot_be_registered_is_told_and_hinders_nobody() {
    let plant = Plant::start(PLANT);
    let bad = "[device.broken]\nidentities = [\"serial:acme:lamp-3\", \"serial:other:valve\"]\n";
    let gateway = start(&plant, TWO);
    eventually("both were met", || (serials(&gateway, "life=pending").len() == 2).then_some(()));
    gateway.configure(&settings(&plant, &format!("{TWO}{bad}")));
    eventually("lamp 1 is up", || (lamp(&gateway, 1)["connectivity"] == "up").then_some(()));
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert!(code == 0 && says.contains("Not as the settings say: device.broken: "), "{says}");
    assert!(gateway.log().contains("device.broken: its identities name"), "{}", gateway.log());
}

fn key_file(gateway: &Gateway, name: &str, holds: &str) -> String {
    let path = file(gateway, name, holds);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_device_whose_key_cannot_be_read_is_nobody_and_the_status_says_why() {
    let plant = Plant::start(PLANT);
    let mut gateway = Gateway::new("# nothing yet\n");
    let key = key_file(&gateway, "lamp.key", "short");
    let known = "[device.hall]\nidentities = [\"serial:acme:lamp-1\"]\nkey = { file = \"{dir}/lamp.key\" }\n\
        [device.stairs]\nidentities = [\"serial:acme:lamp-2\"]\nkey = { file = \"{dir}/nowhere.key\" }\n";
    gateway.configure(&settings(&plant, known).replace("\"hold\"", "\"accept\""));
    gateway.start();
    eventually("lamp 3 is let in", || (lamp(&gateway, 3)["connectivity"] == "up").then_some(()));
    for no in [1, 2] {
        eventually("it is turned away", || {
            told(&gateway, &["device", "attempts"]).1.contains(&format!("lamp-{no}")).then_some(())
        });
        let device = lamp(&gateway, no);
        assert!(device["connectivity"] != "up" && device["detail"]["keyed"] == true, "{device}");
    }
    let wrong = gateway.get("/v1/status").body["wrong"].to_string();
    assert!(wrong.contains("device.hall: its key: a key has 8 to 128 bytes"), "{wrong}");
    assert!(
        wrong.contains("device.stairs: its key: cannot read ") && wrong.contains("nobody is this device"),
        "{wrong}"
    );
    assert!(told(&gateway, &["status"]).1.contains("device.stairs: its key"));
    std::fs::write(&key, "long enough").unwrap();
    std::fs::copy(&key, gateway.folder.path().join("nowhere.key")).unwrap();
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert!(code == 0 && !says.contains("its key"), "{says}");
    assert!(gateway.get("/v1/status").body["wrong"].is_null());
    assert_ne!(lamp(&gateway, 1)["connectivity"], "up", "it has not shown it");
}

#[test]
fn a_name_that_two_devices_have_is_told() {
    let plant = Plant::start(PLANT);
    let gateway = start(&plant, TWO);
    gateway.configure(&settings(&plant, &TWO.replace("lamp-1", "lamp-3")));
    let (code, says) = told(&gateway, &["config", "reload"]);
    let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        code == 0 && says.contains("device.hall: several devices have this name: ") && says.contains("lamp-1, "),
        "{says}"
    );
    assert!(gateway.get("/v1/status").body["wrong"][0].to_string().contains("rename"));
    let (code, says) =
        told(&gateway, &["command", "ask", "urn:dev:dmgw:serial:acme:lamp-1", "rename", "old-hall", "--wait", "5s"]);
    assert_eq!(code, 0, "{says}");
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert!(code == 0 && !says.contains("several"), "{says}");
}

#[test]
fn a_key_of_the_settings_proves_who_is_who_whichever_way_it_is_named() {
    let keys = [planted::text(), planted::text(), planted::text()];
    let device = |no: usize, key: &str| {
        format!(
            "[device.d{no}]\nserial = \"acme:d{no}\"\nkey = \"{key}\"\nmode = {{ asks = \"100ms\" }}\npoint.\"a.b\" = {{ type = \"bool\", value = {{ echo = false }} }}\n"
        )
    };
    let plant = Plant::start(&format!(
        "socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n{}{}{}",
        device(0, &keys[0]),
        device(1, &keys[1]),
        device(2, "not that one")
    ));
    let mut gateway = Gateway::new("# nothing yet\n");
    gateway.start();
    let sealed = told_with(&gateway, &["secret", "seal"], &keys[0]);
    assert!(gateway.terminate().0.success());
    let file = key_file(&gateway, "d1.key", &format!("{}\n", keys[1]));
    let known = |no: usize, key: &str| format!("[device.k{no}]\nidentities = [\"serial:acme:d{no}\"]\nkey = {key}\n");
    let all =
        [known(0, &sealed), known(1, &format!("{{ file = {file:?} }}")), known(2, &format!("{{ file = {file:?} }}"))];
    gateway.configure(&settings(&plant, &all.concat()));
    gateway.start();
    for no in 0..2 {
        eventually(&format!("d{no} has shown its key: {}", gateway.get(&format!("/v1/devices/k{no}")).body), || {
            let device = gateway.get(&format!("/v1/devices/k{no}")).body;
            (device["connectivity"] == "up" && device["detail"]["keyed"] == true).then_some(())
        });
    }
    eventually("d2 was turned away", || told(&gateway, &["device", "attempts"]).1.contains("acme:d2").then_some(()));
    assert_ne!(gateway.get("/v1/devices/k2").body["connectivity"], "up");
    // The key of the seal is lost: what the settings can still tell is sealed anew, and what they cannot is named.
    assert!(gateway.terminate().0.success());
    for name in ["seal.key", "gateway.key"] {
        std::fs::remove_file(gateway.folder.path().join(name)).unwrap();
    }
    gateway.start();
    eventually("d1 is up", || (gateway.get("/v1/devices/k1").body["connectivity"] == "up").then_some(()));
    assert_ne!(gateway.get("/v1/devices/k0").body["connectivity"], "up");
    let wrong = gateway.get("/v1/status").body["wrong"].to_string();
    assert!(wrong.contains("device.k0: its key: ") && wrong.contains("dmgw secret seal"), "{wrong}");
}

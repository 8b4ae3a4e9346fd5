//! Devices meant by what is known of them, and secrets of the settings.

use serde_json::{Value, json};

use super::support::planted::{self, Search};
use super::support::{Gateway, Plant, eventually};
use super::{Shown, ensure, orders, row, soon};

const PLANT: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[device.lamp]
count = 4
serial = "acme:lamp-{n}"
point."lamp.on" = { type = "bool", access = "read-write", value = { echo = false } }
"#;

/// One for each kind of fact that the row asks for.
const GROUPS: &str = "[group.by-id]\nfor = { id = \"*:lamp-1\" }\n[group.by-place]\nfor = 'location == \"hall\"'\n\
    [group.by-version]\nfor = { version = { firmware = \"2.*\" } }\n[group.by-use]\nfor = { application = \"lighting\" }\n";

fn gateway(plant: &Plant, more: &str) -> Gateway {
    let socket = plant.socket();
    let mut gateway =
        Gateway::new(&format!("[link.plant]\nevery = \"200ms\"\nsim = {{ socket = {socket:?} }}\n{more}"));
    gateway.start();
    for no in 1..=4 {
        gateway.wait_for_device(&format!("lamp-{no}"));
    }
    gateway
}

fn say(gateway: &Gateway, no: u8, about: Value) {
    let answer =
        gateway.operate(&format!("urn:dev:dmgw:serial:acme:lamp-{no}"), json!({ "describe": { "about": about } }));
    assert_eq!(answer.body["accepted"]["state"], "done", "{}", answer.body);
}

/// Without the feature: the same asks, and no groups in the settings.
fn groups_by_facts(on: bool) -> Shown {
    let plant = Plant::start(PLANT);
    let gateway = gateway(&plant, if on { GROUPS } else { "" });
    say(&gateway, 2, json!({ "location": { "place": "hall" } }));
    say(&gateway, 3, json!({ "versions": { "firmware": "2.7.1" } }));
    say(&gateway, 4, json!({ "application": "lighting" }));
    for group in ["by-id", "by-place", "by-version", "by-use"] {
        let ask = json!({ "operate": {
            "group": group, "operation": { "write": { "point": "lamp.on", "value": true } }
        } });
        gateway.post("/v1/ask?wait=20", &ask);
    }
    for no in 1..=4 {
        let reached = || orders(&plant, &format!("acme:lamp-{no}")).len();
        soon(&format!("lamp {no} is written with its group"), || (reached() > 0).then_some(()))?;
        ensure(reached() == 1, || format!("lamp {no} was written {} times, once for its group", reached()))?;
    }
    Ok(())
}

#[test]
fn y06_sim_devices_are_grouped_by_id_location_version_and_application() {
    row(groups_by_facts);
}

/// Without the feature: the key stands in the settings as it is.
fn secrets_of_the_settings(on: bool) -> Shown {
    let key = planted::text();
    let plant = Plant::start(PLANT);
    let mut gateway = Gateway::new("# nothing yet\n");
    gateway.start();
    let sealed = super::support::told_with(&gateway, &["secret", "seal"], &key);
    assert!(gateway.terminate().0.success());
    let socket = plant.socket();
    let named = if on { sealed } else { format!("{{ sealed = \"{key}\" }}") };
    gateway.configure(&format!(
        "[log]\nlevel = \"trace\"\n[link.plant]\nevery = \"200ms\"\nsim = {{ socket = {socket:?} }}\n\
         [device.kept]\nidentities = [\"serial:acme:other\"]\nkey = {named}\n"
    ));
    gateway.launch();
    if on {
        eventually("it is registered", || (gateway.try_get("/v1/devices/kept")?.body["name"] == "kept").then_some(()));
        let keyed = gateway.get("/v1/devices/kept").body["detail"]["keyed"] == true;
        ensure(keyed, || "the device has no key".into())?;
        gateway.get("/v1/config");
        assert!(gateway.terminate().0.success());
    } else {
        eventually("it has read them", || gateway.log().contains("the settings cannot be used").then_some(()));
        gateway.kill();
    }
    let mut search = Search::default();
    search.add("the key", key.as_bytes());
    let found = search.under(gateway.folder.path());
    ensure(found.is_empty(), || format!("{found:?}"))
}

#[test]
fn y53_sim_secrets_of_the_settings_are_sealed_and_never_told() {
    row(secrets_of_the_settings);
}

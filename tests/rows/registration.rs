//! Who may join, in every way there is.

use serde_json::{Value, json};

use super::support::{Gateway, Plant, eventually, text};
use super::{Shown, device, end_of, ensure, register, row, soon};

const PLANT: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[device.caller]
serial = "acme:caller"
mode = { asks = "200ms" }
point."power.active" = { type = "float", value = { counter = {} } }
[device.found]
serial = "acme:found"
point."power.active" = { type = "float", value = { counter = {} } }
[device.listed]
serial = "acme:listed"
point."power.active" = { type = "float", value = { counter = {} } }
[device.keyed]
serial = "acme:keyed"
key = "opensesame"
mode = { asks = "200ms" }
point."power.active" = { type = "float", value = { counter = {} } }
[device.stranger]
serial = "nobody:1"
mode = { asks = "200ms" }
point."power.active" = { type = "float", value = { counter = {} } }
"#;

/// Refuses whom no rule knows.
const RULES: &str = r#"
[[admission]]
identity = "serial:acme:caller"
then = "accept"
[[admission]]
identity = "serial:acme:found"
then = "accept"
"#;

fn gateway(plant: &Plant, more: &str) -> Gateway {
    let socket = plant.socket();
    let link = format!(
        "[link.plant]\nevery = \"200ms\"\nsilent_after = \"2s\"\nadmission = \"refuse\"\nsim = {{ socket = {socket:?} }}\n"
    );
    Gateway::new(&format!("{link}\n{more}"))
}

fn is_up(gateway: &Gateway, serial: &str) -> Shown {
    let id = format!("urn:dev:dmgw:serial:{serial}");
    soon(&format!("{serial} has joined"), || {
        let device = device(gateway, &id);
        (device["connectivity"] == "up" && device["life"] == "managed").then_some(())
    })
}

/// Without the feature: no rule, nobody registered.
fn joins_in_every_mode(on: bool) -> Shown {
    let plant = Plant::start(PLANT);
    let mut gateway = gateway(&plant, if on { RULES } else { "" });
    gateway.start();
    if on {
        let list = gateway.folder.path().join("list.csv");
        std::fs::write(&list, "identity,name\nserial:acme:listed,listed\nserial:acme:listed:too,second\nserial,x\n")
            .unwrap();
        let report = gateway.cli(&["device", "register", list.to_str().unwrap()]);
        let says = text(&report.stdout) + &text(&report.stderr);
        ensure(report.status.code() == Some(1), || format!("line 4 is wrong, and nobody says so: {says}"))?;
        ensure(says.contains('4') && says.contains("urn:dev:dmgw:serial:acme:listed"), || says.clone())?;
        let keyed = json!([{ "identities": [{ "kind": "serial", "value": "acme:keyed" }], "key": "opensesame" }]);
        let answers = register(&gateway, keyed);
        ensure(answers[0]["new"].is_string(), || format!("{answers:?}"))?;
    }
    gateway.kill();
    gateway.start();
    for serial in ["acme:caller", "acme:found", "acme:listed", "acme:keyed"] {
        is_up(&gateway, serial)?;
    }
    // The attempt of who may not is logged and visible.
    let attempt = soon("the failed attempt is visible", || {
        let attempts = gateway.get("/v1/attempts").ok()["attempts"].as_array().cloned().unwrap_or_default();
        attempts.into_iter().find(|attempt| attempt["who"] == "nobody:1")
    })?;
    ensure(attempt["why"] == "rule" && attempt["count"].as_u64() >= Some(1), || attempt.to_string())
}

#[test]
fn y13_sim_registration_by_itself_by_list_by_discovery_and_beforehand() {
    row(joins_in_every_mode);
}

/// Without the feature: the key was never imported.
fn provisioned_beforehand(import: bool) -> Shown {
    let plant = Plant::start(
        r#"
socket = "plant.sock"
record = "record.jsonl"
[device.true-one]
serial = "acme:vault"
key = "opensesame"
mode = { asks = "200ms" }
point."power.active" = { type = "float", value = { counter = {} } }
[device.impostor]
serial = "acme:vault"
address = "impostor"
key = "something else"
mode = { asks = "200ms" }
point."power.active" = { type = "float", value = { counter = {} } }
"#,
    );
    let mut gateway = gateway(&plant, "");
    gateway.start();
    if import {
        let device = json!([{
            "identities": [{ "kind": "serial", "value": "acme:vault" }], "name": "vault", "groups": ["cellar"],
            "about": { "application": "safe", "location": { "place": "cellar" } }, "key": "opensesame",
        }]);
        let answers = register(&gateway, device);
        ensure(answers[0]["new"] == "urn:dev:dmgw:serial:acme:vault", || format!("{answers:?}"))?;
    }
    gateway.kill();
    gateway.start();
    is_up(&gateway, "acme:vault")?;
    let vault = device(&gateway, "urn:dev:dmgw:serial:acme:vault");
    ensure(vault["address"] == "true-one", || format!("it is at {}", vault["address"]))?;
    ensure(vault["groups"] == json!(["cellar"]), || format!("groups {}", vault["groups"]))?;
    ensure(vault["detail"]["about"]["application"] == "safe", || format!("about {}", vault["detail"]["about"]))?;
    ensure(!vault.to_string().contains("opensesame") && !gateway.log().contains("opensesame"), || {
        "the key is shown".into()
    })?;
    soon("the impostor's attempts are visible", || {
        let attempts = gateway.get("/v1/attempts").ok()["attempts"].as_array().cloned().unwrap_or_default();
        attempts.into_iter().find(|attempt| attempt["address"] == "impostor" && attempt["why"] == "unproven")
    })?;
    ensure(device(&gateway, "urn:dev:dmgw:serial:acme:vault")["address"] == "true-one", || "it was moved".into())
}

#[test]
fn l1_sim_identities_and_keys_are_imported_before_the_device_is_seen() {
    row(provisioned_beforehand);
}

/// Without the feature: nobody decides.
fn onboards_under_policy(decide: bool) -> Shown {
    let plant = Plant::start(PLANT);
    let socket = plant.socket();
    let link = format!("[link.plant]\nevery = \"200ms\"\nadmission = \"hold\"\nsim = {{ socket = {socket:?} }}\n");
    let settings = format!(
        "{link}[limits]\ncome_back = \"300ms\"\n[[admission]]\nidentity = \"serial:nobody:*\"\nthen = \"refuse\"\n"
    );
    let mut gateway = Gateway::new(&settings);
    gateway.start();
    let id = "urn:dev:dmgw:serial:acme:caller";
    eventually("it waits", || (device(&gateway, id)["life"] == "pending").then_some(()));
    let early = end_of(&gateway, id, json!({ "read": { "points": ["power.active"] } }));
    ensure(early == "too-late", || format!("a pending device was asked: {early}"))?;
    gateway.kill();
    gateway.start();
    if decide {
        let state = end_of(&gateway, id, json!("accept"));
        ensure(state == "done", || format!("accept: {state}"))?;
    }
    is_up(&gateway, "acme:caller")?;
    let listed: Value = gateway.get("/v1/devices").ok();
    ensure(!listed.to_string().contains("nobody:1"), || "who is refused became a device".into())?;
    soon("the device was told", || {
        let told = plant.witness().into_iter().map(|line| line["answer"].clone());
        let mut of_caller = told.filter(|answer| answer["device"] == "acme:caller");
        of_caller.any(|answer| answer["verdict"] == "accepted").then_some(())
    })
}

#[test]
fn l2_sim_onboarding_under_admission_rules() {
    row(onboards_under_policy);
}

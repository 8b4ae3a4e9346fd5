//! ETags: who asks again hears that nothing is new, and who changes the settings does not undo what somebody else did.

mod support;

use serde_json::{Value, json};
use support::{Answer, Gateway, Plant, eventually};

/// One that stays as it is, and one that does what it is told.
const PLANT: &str = "socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n\
    [device.relay]\naddress = \"relay-1\"\nserial = \"acme:relay-1\"\n\
    point.\"relay.on\" = { type = \"bool\", access = \"read-write\", value = { echo = false } }\n";

fn tag(answer: &Answer) -> String {
    // The support turns heads into small letters.
    answer.header("etag").unwrap_or_else(|| panic!("no tag: {answer:?}")).replace("w/", "W/")
}

fn again(gateway: &Gateway, path: &str, tag: &str) -> Answer {
    gateway.ask_with("GET", path, &Value::Null, &format!("if-none-match: {tag}\r\n"))
}

#[test]
fn who_asks_again_hears_that_nothing_is_new_however_late() {
    let plant = Plant::start(PLANT);
    let gateway = Gateway::start_with(&plant, "");
    let relay = gateway.wait_for_device("relay-1");
    eventually("it was read", || gateway.get("/v1/points").body["points"][0]["age"].as_f64());
    // It is read no more, so that only ages grow.
    plant.freeze();
    let down = |path: &str| gateway.get(path).body.to_string();
    eventually("its link knows", || down("/v1/devices/relay-1").contains("\"silent\"").then_some(()));
    for path in ["/v1/devices", "/v1/devices/relay-1", "/v1/points", "/v1/links"] {
        let first = gateway.get(path);
        let (known, told) = (tag(&first), first.body.to_string());
        assert!(known.starts_with("W/\"") && told.len() > 20, "{first:?}");
        let later = eventually("time has passed", || Some(gateway.get(path)).filter(|now| now.body != first.body));
        assert_eq!(tag(&later), known, "{path}: {told} {:?}", later.body);
        let unchanged = again(&gateway, path, &known);
        assert_eq!((unchanged.status, &unchanged.body, tag(&unchanged)), (304, &Value::Null, known.clone()), "{path}");
        assert!(unchanged.header("content-type").is_none());
        assert_eq!(again(&gateway, path, "\"ab\"").status, 200);
    }
    // A reading is news.
    let known = tag(&gateway.get("/v1/points"));
    plant.thaw();
    let news =
        eventually("it is read again", || Some(again(&gateway, "/v1/points", &known)).filter(|a| a.status == 200));
    assert_ne!(tag(&news), known);
    let of_device = tag(&gateway.get(&format!("/v1/devices/{relay}")));
    gateway.operate(&relay, json!({ "write": { "point": "relay.on", "value": true } })).ok();
    let device = gateway.get(&format!("/v1/devices/{relay}"));
    assert_ne!(tag(&device), of_device);
}

#[test]
fn the_state_of_the_gateway_has_a_tag_that_stays() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let known = tag(&gateway.get("/v1/status"));
    let told = gateway.get("/v1/status").body["uptime"].clone();
    eventually("time has passed", || (gateway.get("/v1/status").body["uptime"] != told).then_some(()));
    assert_eq!(again(&gateway, "/v1/status", &known).status, 304);
    gateway.post("/v1/config/change", &json!({ "text": "[link.a]\nsim = { socket = \"/nowhere\" }\n" })).ok();
    eventually("it has a link", || (again(&gateway, "/v1/status", &known).status == 200).then_some(()));
    // What only those may see who may see it says nothing to others.
    let token = gateway.token("ann", "viewer", None);
    let settings = tag(&gateway.get("/v1/config"));
    let lines = format!("authorization: Bearer {token}\r\nif-none-match: {settings}\r\n");
    assert_eq!(gateway.ask_with("GET", "/v1/config", &Value::Null, &lines).status, 403);
}

#[test]
fn of_two_who_change_the_settings_the_second_is_told() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let group = |name: &str| json!({ "text": format!("[group.{name}]\nfor = {{ life = \"managed\" }}\n") });
    let change = |name: &str, seen: &str| {
        gateway.ask_with("POST", "/v1/config/change", &group(name), &format!("if-match: {seen}\r\n"))
    };
    let both_saw = tag(&gateway.get("/v1/config"));
    assert!(both_saw.starts_with('"'), "a strong one: {both_saw}");
    let versions = tag(&gateway.get("/v1/config/versions"));
    assert_eq!(change("first", &both_saw).status, 200);
    for seen in [&both_saw, &versions] {
        let second = change("second", seen);
        assert_eq!((second.status, second.fault().0), (412, "changed-meanwhile"), "{second:?}");
    }
    let names = || gateway.get("/v1/config").body.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert!(names().contains("group.first") && !names().contains("group.second"), "{}", names());
    // Back and reload ask the same.
    for path in ["/v1/config/back/0", "/v1/config/reload"] {
        let late = gateway.ask_with("POST", path, &Value::Null, &format!("if-match: {both_saw}\r\n"));
        assert_eq!(late.status, 412, "{late:?}");
    }
    assert_eq!(change("second", &tag(&gateway.get("/v1/config/versions"))).status, 200);
    assert_eq!(change("third", "*").status, 200);
    assert!(names().contains("group.first") && names().contains("group.second"), "{}", names());
    let audits = gateway.get("/v1/journal/vital?fresh=true").body.to_string();
    assert!(audits.contains("others by now"), "{audits}");
}

#[test]
fn of_many_at_once_who_saw_the_same_one_changes_it() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let seen = tag(&gateway.get("/v1/config"));
    let change = |n: usize| {
        let text = json!({ "text": format!("[group.g{n}]\nfor = {{ life = \"managed\" }}\n") });
        gateway.ask_with("POST", "/v1/config/change", &text, &format!("if-match: {seen}\r\n")).status
    };
    let mut came: Vec<u16> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|n| scope.spawn(move || change(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    came.sort_unstable();
    assert_eq!(came, [200, 412, 412, 412]);
}

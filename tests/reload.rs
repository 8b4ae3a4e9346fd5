//! Other settings while the daemon runs: only what is another is touched, nothing changes where there is a mistake, and a
//! start goes on with as much as holds.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::{Gateway, Plant, TWO_DEVICES, eventually, http, told};

fn link(plant: &Plant, name: &str, every: &str) -> String {
    format!("[link.{name}]\nevery = \"{every}\"\nsim = {{ socket = {:?} }}\n", plant.socket())
}

fn connections(plant: &Plant) -> usize {
    plant.witness().iter().filter(|line| !line["connected"].is_null()).count()
}

/// The test's own look whether it listens, and the gateway. The record is written now and then.
fn both_connected(plant: &Plant) -> usize {
    eventually("the gateway is in the record", || Some(connections(plant)).filter(|count| *count == 2))
}

fn names(gateway: &Gateway) -> Vec<String> {
    let links = gateway.get("/v1/links").body["links"].clone();
    links.as_array().unwrap().iter().map(|link| link["name"].as_str().unwrap().to_owned()).collect()
}

fn drop_in(gateway: &Gateway, name: &str, text: &str) {
    let folder = gateway.folder.path().join("links.d");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn a_link_is_added_changed_and_taken_out_and_the_others_stay_connected() {
    let (kept, other) = (Plant::start(TWO_DEVICES), Plant::start(TWO_DEVICES));
    let first = link(&kept, "kept", "200ms");
    let without = "[link.kept-2]\nsim = {}\n";
    let mut gateway = Gateway::new(&first);
    gateway.start();
    gateway.wait_for_device("meter-1");
    let before = both_connected(&kept);
    gateway.configure(&format!("{first}{}", link(&other, "other", "200ms")));
    let (code, says) = told(&gateway, &["config", "diff"]);
    assert!(code == 0 && says.contains("link.other.every") && says.contains("\"200ms\""), "{says}");
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert!(code == 0 && says.contains("link.other.every"), "{says}");
    assert_eq!(told(&gateway, &["config", "diff"]), (0, "the daemon runs with what the files say\n".into()));
    eventually("the new link is up", || {
        let links = gateway.get("/v1/links").body["links"].clone();
        (links[1]["name"] == "other" && links[1]["state"] == "up").then_some(())
    });
    // Its serial numbers are those of the first plant, so these devices are contested; the link is what counts here.
    let attached = both_connected(&other);
    gateway.configure(&format!("{first}{}", link(&other, "other", "300ms")));
    told(&gateway, &["config", "reload"]);
    assert_eq!(connections(&other), attached, "how often to read is no reason to connect anew");
    gateway.configure(&format!("{first}{without}"));
    let (_, says) = told(&gateway, &["config", "reload"]);
    assert!(says.contains("link.kept-2.sim"), "a link with no key but its driver is told of: {says}");
    gateway.configure(&first);
    told(&gateway, &["config", "reload"]);
    assert_eq!(names(&gateway), ["kept"]);
    eventually("the plant was left", || other.witness().iter().any(|line| !line["left"].is_null()).then_some(()));
    assert_eq!(connections(&kept), before);
    assert!(gateway.get("/v1/devices/meter-1").body["connectivity"] == "up");
    let (ended, _) = gateway.terminate();
    assert!(ended.success());
}

#[test]
fn with_a_mistake_nothing_changes_and_all_of_them_are_told() {
    let plant = Plant::start(TWO_DEVICES);
    let good = link(&plant, "plant", "200ms");
    let mut gateway = Gateway::new(&good);
    gateway.start();
    gateway.wait_for_device("meter-1");
    let before = both_connected(&plant);
    gateway.configure(&format!("{}[link.b]\nevry = \"1s\"\n[limits]\nasks = 0\n", link(&plant, "renamed", "1s")));
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert!(code == 1 && says.contains("Did you mean \"every\"?") && says.contains("asks is 0"), "{says}");
    assert_eq!((names(&gateway), connections(&plant)), (vec!["plant".to_owned()], before));
    let (code, says) = told(&gateway, &["check"]);
    assert!(code == 1 && says.contains("mistakes in"), "{says}");
    // By signal too; the log tells, for it is another mistake.
    gateway.configure(&format!("{}[limits]\npage = 0\n", link(&plant, "renamed", "1s")));
    kill(Pid::from_raw(gateway.pid() as i32), Signal::SIGHUP).unwrap();
    eventually("the log tells again", || (gateway.log().matches("nothing is changed").count() == 2).then_some(()));
    std::fs::write(gateway.config(), "").unwrap();
    let (code, says) = told(&gateway, &["--socket", gateway.socket().to_str().unwrap(), "config", "reload"]);
    assert!(code == 1 && says.contains("is empty"), "{says}");
    gateway.configure(&format!("{good}[commands]\ntimeout = \"7s\"\n[limits]\npage = 7\n"));
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert!(code == 0 && says.contains("Waits for the next start: limits.page"), "{says}");
    let shown = gateway.get("/v1/config").body;
    assert_eq!(
        (&shown["commands.timeout"]["value"], &shown["limits.page"]),
        (&json!("\"7s\""), &Value::Null),
        "{shown}"
    );
    let (_, says) = told(&gateway, &["config", "reload"]);
    assert!(says.contains("Waits for the next start: limits.page"), "it still waits: {says}");
    assert_eq!(connections(&plant), before);
    assert!(gateway.terminate().0.success());
}

#[test]
fn a_start_leaves_out_a_bad_drop_in_and_goes_back_to_the_last_good_main_file() {
    let plant = Plant::start(TWO_DEVICES);
    let mut gateway = Gateway::new(&link(&plant, "plant", "200ms"));
    drop_in(&gateway, "10-good.toml", "[link.good]\nsim = { socket = \"/nowhere\" }\n");
    drop_in(&gateway, "20-bad.toml", "[link.bad]\nevery = 5\nsim = {}\n");
    drop_in(&gateway, ".hidden.toml", "nonsense");
    gateway.start();
    assert_eq!(names(&gateway), ["good", "plant"]);
    let (_, says) = told(&gateway, &["status"]);
    assert!(says.contains("20-bad.toml") && says.contains("dmgw check"), "{says}");
    assert!(gateway.log().contains("20-bad.toml:2:9: the number 5 stands where a span of time"), "{}", gateway.log());
    assert!(gateway.terminate().0.success());
    std::fs::write(gateway.config(), "[link\n").unwrap();
    let folder = gateway.folder.path().to_str().unwrap().to_owned();
    let store = format!("{folder}/state.redb");
    gateway.start_with_env(&[("DMGW_STORE__PATH", &store), ("STATE_DIRECTORY", &folder)]);
    assert_eq!(names(&gateway), ["good", "plant"]);
    let status = gateway.get("/v1/status").body;
    assert!(status["settings"].as_str().unwrap().contains("last good"), "{status}");
    gateway.configure(&link(&plant, "plant", "200ms"));
    std::fs::remove_file(gateway.folder.path().join("links.d/20-bad.toml")).unwrap();
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
    assert!(gateway.get("/v1/status").body["settings"].is_null());
}

#[test]
fn the_environment_changes_a_key_and_what_is_shown_says_so() {
    let mut gateway = Gateway::new("[link.yard-2]\nsim = {}\n");
    gateway.start_with_env(&[("DMGW_LIMITS__PAGE", "11"), ("DMGW_LINK__YARD_2__EVERY", "5s")]);
    let shown = gateway.get("/v1/config").body;
    assert_eq!(shown["limits.page"], json!({ "value": "11", "origin": "$DMGW_LIMITS__PAGE" }));
    assert_eq!(shown["link.yard-2.every"]["value"], "\"5s\"");
    let (_, says) = told(&gateway, &["config", "show", "link", "--origin"]);
    assert!(
        says.lines().any(|line| line.starts_with("link.yard-2.sim = {}") && line.ends_with("dmgw.toml:2")),
        "{says}"
    );
}

/// Small numbers that repeat.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// What a start with these files would come to, as far as doors show it; not how long ago things were.
fn durable(gateway: &Gateway) -> Value {
    let devices = gateway.get("/v1/devices").body;
    let device = |device: &Value| {
        let whole = gateway.get(&format!("/v1/devices/{}", device["id"].as_str().unwrap())).body;
        let detail = &whole["detail"];
        let points: Value = detail["points"].as_array().into_iter().flatten().map(|of| of["point"].clone()).collect();
        let of_row =
            ["id", "no", "name", "link", "address", "life", "groups", "dynamic"].map(|key| (key, whole[key].clone()));
        let of_detail = ["identities", "profile"].map(|key| (key, detail[key].clone()));
        of_row.into_iter().chain(of_detail).chain([("points", points)]).collect::<BTreeMap<_, _>>()
    };
    let devices: Vec<_> = devices["devices"].as_array().unwrap().iter().map(device).collect();
    json!({ "devices": devices, "links": names(gateway), "settings": gateway.get("/v1/config").body })
}

/// What comes and goes beside the links: who is in a group, of which kind a device is, how it is called, who may join.
fn beside(chance: &mut Chance) -> String {
    let every = [
        "[group.g]\nfor = { link = \"kept\" }\n",
        "[group.h]\nfor = 'id.contains(\"lamp\") && !blocked'\n",
        "[profile.meter]\nmatch = [{ identity = \"serial:acme:meter-*\" }]\npoint.\"mains.p\" = { raw = \"power.active\" }\n",
        "[profile.other]\nmatch = [{ identity = \"serial:acme:meter-*\" }]\npoint.\"mains.q\" = { raw = \"power.active\" }\n",
        "[device.known]\nidentities = [\"serial:sim:lamp-2\"]\nlabel = { row = \"3\" }\n",
        "[[admission]]\nidentity = \"serial:nobody:*\"\nthen = \"refuse\"\n",
    ];
    every.into_iter().filter(|_| chance.below(2) == 0).collect()
}

/// Somebody who reads a device of the untouched link all the while.
struct Load {
    stop: Arc<AtomicBool>,
    asks: JoinHandle<usize>,
}

impl Load {
    fn start(gateway: &Gateway) -> Load {
        let (stop, socket) = (Arc::new(AtomicBool::new(false)), gateway.socket());
        let ask = json!({ "operate": { "device": "urn:dev:dmgw:serial:acme:relay-1", "operation": { "read": { "points": ["relay.on"] } } } });
        let stopped = stop.clone();
        let asks = std::thread::spawn(move || {
            let mut done = 0;
            while !stopped.load(Ordering::Relaxed) {
                let answer = http::exchange(&socket, "POST", "/v1/ask?wait=10", ask.to_string().as_bytes()).unwrap();
                assert_eq!(answer.body["accepted"]["state"], "done", "{}", answer.body);
                done += 1;
            }
            done
        });
        Load { stop, asks }
    }

    /// How often it was answered.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.asks.join().unwrap()
    }
}

#[test]
fn after_two_hundred_edits_the_untouched_link_was_never_left_and_all_is_as_after_a_start() {
    let (kept, other) = (
        Plant::start(TWO_DEVICES),
        Plant::start("socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n[device.lamp]\ncount = 3\n"),
    );
    let untouched = link(&kept, "kept", "100ms");
    let mut gateway = Gateway::new(&untouched);
    gateway.start();
    gateway.wait_for_device("meter-1");
    let (before, mut chance) = (both_connected(&kept), Chance(20_261_120));
    let mut there: BTreeMap<String, String> = BTreeMap::new();
    let load = Load::start(&gateway);
    for edit in 0..200 {
        let name = format!("l{}", chance.below(6));
        match chance.below(4) {
            0 => drop(there.remove(&name)),
            1 => drop(there.insert(name.clone(), format!("[link.{name}]\nsim = {{ socket = \"/nowhere/{edit}\" }}\n"))),
            _ => {
                let every = 1 + chance.below(3);
                // Only one may have the plant at a time.
                there.retain(|_, text| text.contains("nowhere"));
                there.insert(name.clone(), link(&other, &name, &format!("{every}s")));
            }
        }
        let (beside, timeout) = (beside(&mut chance), 1 + chance.below(9));
        let bad = chance.below(5) == 0;
        let tail = if bad { "[limits]\nasks = 0\n" } else { "" };
        let links: String = there.values().cloned().collect();
        let good = format!("{untouched}{links}{beside}[commands]\ntimeout = \"{timeout}s\"\n");
        gateway.configure(&format!("{good}{tail}"));
        let answer = gateway.post("/v1/config/reload", &json!(null));
        assert_eq!(answer.status, if bad { 409 } else { 200 }, "{}", answer.body);
        if bad {
            // The next good one says what holds.
            gateway.configure(&good);
            assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
        }
    }
    // The lamps come to rest on one link, wherever chance has led them.
    there.retain(|_, text| text.contains("nowhere"));
    there.insert("l0".into(), link(&other, "l0", "1s"));
    let links: String = there.values().cloned().collect();
    gateway.configure(&format!("{untouched}{links}{}", beside(&mut chance)));
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
    assert!(load.end() > 100, "hardly any load");
    let at_rest = |gateway: &Gateway| {
        let lamps = (1..=3).map(|no| gateway.get(&format!("/v1/devices/lamp-{no}")).body);
        lamps.into_iter().all(|lamp| lamp["link"] == "l0" && lamp["connectivity"] == "up").then_some(())
    };
    eventually("the lamps are on their link", || at_rest(&gateway));
    assert_eq!(connections(&kept), before, "the untouched link was left");
    assert_eq!(gateway.get("/v1/devices/meter-1").body["connectivity"], "up");
    let reloaded = durable(&gateway);
    assert!(gateway.terminate().0.success());
    gateway.start();
    eventually("the lamps are on their link", || at_rest(&gateway));
    let sorted = |mut all: Value| {
        let links = all["links"].as_array_mut().unwrap();
        links.sort_by_key(ToString::to_string);
        all
    };
    assert_eq!(sorted(reloaded), sorted(durable(&gateway)));
    assert!(Path::new(&gateway.config()).exists());
}

//! Settings changed through the door: versions over the files, the way back, and probation in all the ways it can end.

mod support;

use std::time::Duration;

use dmgw::config::{Inputs, kept, probation};
use dmgw::document::{Origin, Sources};
use dmgw::model::layer::OnProbation;
use serde_json::{Value, json};
use support::disk::Disk;
use support::{Gateway, eventually, file, told};

const FILE: &str =
    "[link.a]\nevery = \"1s\"\nsim = { socket = \"/nowhere/a\" }\n[link.b]\nsim = { socket = \"/nowhere/b\" }\n";

fn gateway() -> Gateway {
    let mut gateway = Gateway::new(FILE);
    gateway.start();
    gateway
}

fn names(gateway: &Gateway) -> Vec<String> {
    let links = gateway.get("/v1/links").body["links"].clone();
    let mut names: Vec<String> =
        links.as_array().unwrap().iter().map(|link| link["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn every(gateway: &Gateway, link: &str) -> Value {
    gateway.get("/v1/config").body[format!("link.{link}.every")]["value"].clone()
}

/// What it said, without the way in which it is laid out.
fn done(gateway: &Gateway, words: &[&str]) -> String {
    let (code, says) = told(gateway, words);
    assert_eq!(code, 0, "{words:?}: {says}");
    says.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_version_holds_over_the_files_until_somebody_goes_back() {
    let mut gateway = gateway();
    let change = file(&gateway, "change.toml", "[link.a]\nevery = \"7s\"\nsim = {}\n[link.c]\nsim = {}\n");
    let says = done(&gateway, &["config", "change", &change, "--hide", "link.b", "--note", "try"]);
    assert!(
        says.contains("link.a.every") && says.contains("a version holds, and not the files: link.a, link.b"),
        "{says}"
    );
    assert_eq!((names(&gateway), every(&gateway, "a")), (vec!["a".into(), "c".into()], json!("\"7s\"")));
    let says = done(&gateway, &["config", "show", "link.a", "--running", "--origin"]);
    assert!(says.contains("version 1 by local-root"), "{says}");
    // It holds over a stop and over a kill, and an edit of a covered table says so.
    assert!(gateway.terminate().0.success());
    gateway.start();
    assert!(!gateway.log().contains("not a clean one"), "a link that was taken out has lost nothing");
    gateway.configure(&FILE.replace("1s", "3s"));
    let says = done(&gateway, &["config", "reload"]);
    assert!(says.contains("nothing has changed") && says.contains("link.a, link.b"), "{says}");
    gateway.kill();
    gateway.start();
    assert_eq!((names(&gateway), every(&gateway, "a")), (vec!["a".into(), "c".into()], json!("\"7s\"")));
    done(&gateway, &["config", "change", "--lift", "link.b"]);
    assert_eq!(names(&gateway), ["a", "b", "c"]);
    let says = done(&gateway, &["config", "versions"]);
    assert!(says.contains("try") && says.contains("hides link.b") && says.contains("lifts link.b"), "{says}");
    let says = done(&gateway, &["config", "diff", "0", "1"]);
    assert!(says.contains("link.a.every") && says.contains("VERSION 0") && says.contains("\"7s\""), "{says}");
    assert!(done(&gateway, &["config", "diff"]).contains("runs with what the files say"));
    done(&gateway, &["config", "back", "1"]);
    assert_eq!(names(&gateway), ["a", "c"]);
    done(&gateway, &["config", "back", "0"]);
    assert_eq!((names(&gateway), every(&gateway, "a")), (vec!["a".into(), "b".into()], json!("\"3s\"")));
    let says = done(&gateway, &["journal", "show", "events"]);
    assert!(says.contains("settings: version 1 by local-root: link.a.every"), "{says}");
    let (code, says) = told(&gateway, &["config", "back", "44"]);
    assert!(code == 1 && says.contains("there is no version 44; there are 0 (the files), 1, 2, 3, 4"), "{says}");
}

#[test]
fn a_change_with_a_mistake_is_no_version() {
    let gateway = gateway();
    let change = file(&gateway, "change.toml", "[link.a]\nevry = \"7s\"\nsim = {}\n");
    let (code, says) = told(&gateway, &["config", "change", &change, "--confirm-within", "1m"]);
    assert!(code == 1 && says.contains("version 1 by local-root:2:1: unknown key \"evry\""), "{says}");
    assert!(done(&gateway, &["config", "versions"]).contains("there are none"));
    let (code, says) = told(&gateway, &["config", "change", "--hide", "link"]);
    assert!(code == 1 && says.contains("is no named table"), "{says}");
    let (code, _) = told(&gateway, &["config", "confirm", "1"]);
    assert_eq!(code, 1);
    assert_eq!(every(&gateway, "a"), json!("\"1s\""));
}

#[test]
fn what_nobody_confirms_is_taken_back_by_itself_and_what_somebody_does_stays() {
    let gateway = gateway();
    let change = file(&gateway, "change.toml", "[link.a]\nevery = \"7s\"\nsim = {}\n");
    let says = done(&gateway, &["config", "change", &change, "--confirm-within", "1s"]);
    assert!(says.contains("On probation for 1s: dmgw config confirm 1"), "{says}");
    let other = json!({ "hide": ["link.b"] });
    eventually("it is as before", || (every(&gateway, "a") == json!("\"1s\"")).then_some(()));
    let versions = gateway.get("/v1/config/versions").body;
    assert_eq!(
        (&versions["layers"][1]["by"], &versions["layers"][1]["note"]),
        (&json!("gateway"), &json!("back to version 0"))
    );
    assert!(versions["probation"].is_null());
    done(&gateway, &["config", "change", &change, "--confirm-within", "1h"]);
    let refused = gateway.post("/v1/config/change", &other);
    assert!(
        refused.status == 409 && refused.body.to_string().contains("version 3 is on probation"),
        "{}",
        refused.body
    );
    let (code, says) = told(&gateway, &["config", "back", "3"]);
    assert!(code == 1 && says.contains("confirm it, or go back to an earlier one"), "{says}");
    let (code, says) = told(&gateway, &["config", "confirm", "2"]);
    assert!(code == 1 && says.contains("version 3 is on probation, not 2"), "{says}");
    assert!(done(&gateway, &["config", "versions"]).contains("on probation"));
    done(&gateway, &["config", "confirm", "3"]);
    assert_eq!(gateway.post("/v1/config/change", &other).status, 200);
    assert_eq!((names(&gateway), every(&gateway, "a")), (vec!["a".to_owned()], json!("\"7s\"")));
}

/// What somebody has half written into a file is no part of a change, and no reason not to go back.
#[test]
fn a_change_is_laid_over_what_runs_and_not_over_what_was_written_since() {
    let mut gateway = gateway();
    gateway.configure(&FILE.replace("link.b", "link.bb"));
    let change = file(&gateway, "change.toml", "[link.c]\nsim = {}\n");
    done(&gateway, &["config", "change", &change]);
    assert_eq!(names(&gateway), ["a", "b", "c"]);
    let change = file(&gateway, "change.toml", "[link.a]\nevery = \"7s\"\nsim = {}\n");
    done(&gateway, &["config", "change", &change, "--confirm-within", "1s"]);
    gateway.configure(&format!("{FILE}[link.d]\nevry = \"1s\"\n"));
    eventually("it is as before", || (every(&gateway, "a") == json!("\"1s\"")).then_some(()));
    assert_eq!(names(&gateway), ["a", "b", "c"]);
    let (code, says) = told(&gateway, &["config", "diff"]);
    assert!(code == 1 && says.contains("unknown key \"evry\""), "{says}");
    // A start takes the files; the version stays over them.
    gateway.configure(&FILE.replace("link.b", "link.bb"));
    gateway.kill();
    gateway.start();
    assert_eq!(names(&gateway), ["a", "bb", "c"]);
}

/// It holds, is kept as soon as the disk takes it, and nothing rests on it before; nobody has to wait for the disk to stop
/// the daemon.
#[test]
fn while_the_disk_takes_nothing_a_change_holds_and_the_next_one_waits() {
    let Some(disk) = Disk::mount("while_the_disk_takes_nothing_a_change_holds_and_the_next_one_waits", 24) else {
        return;
    };
    let mut gateway = Gateway::new(&format!("{FILE}[store]\npath = {:?}\n", disk.path().join("state.redb")));
    gateway.start();
    disk.fill();
    let first = gateway.post("/v1/config/change", &json!({ "text": "[link.c]\nsim = {}\n" }));
    assert_eq!((first.status, &first.body["unsettled"]), (202, &json!(true)), "{}", first.body);
    assert_eq!(names(&gateway), ["a", "b", "c"]);
    let second = json!({ "text": "[link.d]\nsim = {}\n" });
    let refused = gateway.post("/v1/config/change", &second);
    assert!(
        refused.status == 409 && refused.body.to_string().contains("not yet taken the last change"),
        "{}",
        refused.body
    );
    disk.empty();
    eventually("the next one is taken", || (gateway.post("/v1/config/change", &second).status == 200).then_some(()));
    let versions = gateway.get("/v1/config/versions").body;
    assert!(versions["layers"][0]["text"].as_str().unwrap().contains("link.c"), "{versions}");
    assert_eq!(names(&gateway), ["a", "b", "c", "d"]);
    disk.fill();
    let socket = gateway.socket();
    let asks = std::thread::spawn(move || drop(support::http::exchange(&socket, "POST", "/v1/config/back/0", b"")));
    eventually("it is at it", || (names(&gateway) == ["a", "b"]).then_some(()));
    let (_, took) = gateway.terminate();
    assert!(took < Duration::from_secs(6), "{took:?}");
    asks.join().unwrap();
}

/// A version that a start left out is nothing to go back to, and nothing to confirm.
#[test]
fn what_was_left_out_at_the_start_is_not_gone_back_to() {
    let mut gateway = gateway();
    let links = gateway.folder.path().join("links.d");
    std::fs::create_dir_all(&links).unwrap();
    std::fs::write(links.join("extra.toml"), "[link.extra]\nsim = { socket = \"/nowhere/x\" }\n").unwrap();
    done(&gateway, &["config", "reload"]);
    let named = |link: &str| json!({ "text": format!("[device.d]\nlink = {link:?}\naddress = \"1\"\n"), "confirm_within": 3600 });
    assert_eq!(gateway.post("/v1/config/change", &named("extra")).status, 200);
    std::fs::remove_file(links.join("extra.toml")).unwrap();
    gateway.kill();
    gateway.start();
    let (code, says) = told(&gateway, &["config", "confirm", "1"]);
    assert!(code == 1 && says.contains("was left out at the start"), "{says}");
    assert!(done(&gateway, &["config", "versions"]).contains("left out at the start"));
    done(&gateway, &["config", "back", "0"]);
    // Again, and this time it was confirmed before the link went away.
    std::fs::write(links.join("extra.toml"), "[link.extra]\nsim = { socket = \"/nowhere/x\" }\n").unwrap();
    done(&gateway, &["config", "reload"]);
    assert_eq!(gateway.post("/v1/config/change", &named("extra")).status, 200);
    done(&gateway, &["config", "confirm", "3"]);
    std::fs::remove_file(links.join("extra.toml")).unwrap();
    gateway.kill();
    gateway.start();
    let short = json!({ "text": "[device.d]\nlink = \"a\"\naddress = \"1\"\n", "confirm_within": 1 });
    assert_eq!(gateway.post("/v1/config/change", &short).status, 200);
    eventually("it goes back to what ran", || {
        let versions = gateway.get("/v1/config/versions").body;
        (versions["probation"].is_null() && versions["layers"][4]["by"] == "gateway").then_some(())
    });
    assert!(gateway.get("/v1/config").body["device.d.link"].is_null());
}

/// Somebody who is not there any more cannot confirm; the second start takes back what the first one failed with.
#[test]
fn a_version_with_which_the_daemon_fails_is_taken_back_by_the_second_start() {
    let mut gateway = gateway();
    let change =
        file(&gateway, "change.toml", "[debug.crash]\npanic_at_start = true\n[link.a]\nevery = \"7s\"\nsim = {}\n");
    done(&gateway, &["config", "change", &change, "--confirm-within", "1h"]);
    gateway.kill();
    gateway.launch();
    assert!(!gateway.wait().success(), "{}", gateway.log());
    gateway.start();
    assert_eq!(every(&gateway, "a"), json!("\"1s\""));
    let versions = gateway.get("/v1/config/versions").body;
    assert!(versions["layers"][1]["by"] == "gateway" && versions["probation"].is_null(), "{versions}");
    assert!(gateway.log().contains("started twice"), "{}", gateway.log());
    // And it is over: the next start has nothing to go back from.
    gateway.kill();
    gateway.start();
    assert_eq!(gateway.get("/v1/config/versions").body["layers"].as_array().unwrap().len(), 2);
}

#[test]
fn a_version_is_taken_back_where_nobody_can_say_whether_it_is_on_probation() {
    let mut gateway = gateway();
    let change = file(&gateway, "change.toml", "[link.a]\nevery = \"7s\"\nsim = {}\n");
    done(&gateway, &["config", "change", &change]);
    let other = file(&gateway, "other.toml", "[link.a]\nevery = \"9s\"\nsim = {}\n");
    done(&gateway, &["config", "change", &other, "--confirm-within", "1h"]);
    gateway.kill();
    file(&gateway, "probation", "{\"vers");
    gateway.start();
    assert_eq!(every(&gateway, "a"), json!("\"7s\""));
    assert!(gateway.log().contains("says what is on probation, cannot be read"), "{}", gateway.log());
    gateway.kill();
    gateway.start();
    assert_eq!(every(&gateway, "a"), json!("\"7s\""), "and it is over");
}

#[test]
fn what_is_left_of_a_probation_that_never_began_takes_no_later_version_back() {
    let mut gateway = gateway();
    file(&gateway, "probation", &json!({ "version": 1, "back_to": 0, "within": 60, "starts": 1 }).to_string());
    let change = file(&gateway, "change.toml", "[link.a]\nevery = \"7s\"\nsim = {}\n");
    done(&gateway, &["config", "change", &change]);
    gateway.kill();
    gateway.start();
    assert_eq!(every(&gateway, "a"), json!("\"7s\""));
    assert!(gateway.get("/v1/config/versions").body["probation"].is_null());
}

#[test]
fn two_stores_do_not_share_a_folder() {
    let (first, second) = (gateway(), Gateway::new(FILE));
    let mut second = second;
    let other = first.folder.path().join("other.redb");
    second.configure(&format!("{FILE}[store]\npath = {other:?}\n"));
    second.launch();
    assert!(!second.wait().success());
    assert!(second.log().contains("another dmgw has its store in") && second.log().contains("other.redb"));
    assert!(!other.exists(), "nothing is made there");
}

/// The disk loses what was not synced, and keeps what was.
#[test]
fn what_lies_beside_the_store_is_there_whole_after_a_power_cut() {
    let Some(disk) = Disk::mount("what_lies_beside_the_store_is_there_whole_after_a_power_cut", 16) else { return };
    let store = disk.path().join("state.redb");
    let (probation, copy) = (probation::place(&store), kept::place(&store));
    let on = |version| OnProbation { version, back_to: 0, within: 60, starts: 0 };
    let inputs = |text: &str| {
        let mut sources = Sources::default();
        sources.add(Origin::File("/etc/dmgw/dmgw.toml".into()), text.into());
        Inputs { sources, files: vec![0], ..Inputs::default() }
    };
    for version in 1..=5 {
        let text = format!("# {version}\n").repeat(3_000);
        probation::write(&probation, &on(version)).unwrap();
        kept::write(&copy, &inputs(&text)).unwrap();
        std::fs::write(disk.path().join("unsynced"), &text).unwrap();
        disk.cut_power();
        disk.power_up();
        assert_eq!(probation::read(&probation).unwrap(), Some(on(version)));
        let kept = kept::read(&copy, std::iter::empty()).unwrap();
        assert_eq!(kept.sources.get(0).unwrap().text, text);
        let unsynced = std::fs::read_to_string(disk.path().join("unsynced")).unwrap_or_default();
        assert_ne!(unsynced, text, "this disk loses nothing, so it shows nothing");
        probation::end(&probation).unwrap();
        disk.cut_power();
        disk.power_up();
        assert_eq!(probation::read(&probation).unwrap(), None, "it is over");
    }
}

/// Wherever the power goes, the gateway runs with the old or with the new; never without its links, and never with a new
/// one that nobody watches.
#[test]
fn a_power_cut_in_the_middle_leaves_the_old_or_a_new_one_that_is_watched() {
    let (mut old, mut new) = (0, 0);
    for micros in [0, 300, 1_000, 2_000, 3_000, 5_000, 8_000, 12_000, 20_000, 40_000] {
        let mut gateway = gateway();
        let socket = gateway.socket();
        let asks = std::thread::spawn(move || {
            let change = json!({ "text": "[link.a]\nevery = \"7s\"\nsim = {}\n", "confirm_within": 2 }).to_string();
            // Its answer may never come.
            drop(support::http::exchange(&socket, "POST", "/v1/config/change", change.as_bytes()));
        });
        support::pause(Duration::from_micros(micros));
        gateway.kill();
        asks.join().unwrap();
        gateway.start();
        assert_eq!(names(&gateway), ["a", "b"]);
        let versions = gateway.get("/v1/config/versions").body;
        match versions["layers"].as_array().unwrap().len() {
            0 => {
                assert!(versions["probation"].is_null(), "{versions}");
                old += 1;
            }
            _ => {
                assert_eq!(versions["probation"]["version"], 1, "{versions}");
                new += 1;
            }
        }
        eventually("it is as before", || (every(&gateway, "a") == json!("\"1s\"")).then_some(()));
    }
    assert!(old > 0 && new > 0, "the cuts missed the middle: {old} before, {new} after");
}

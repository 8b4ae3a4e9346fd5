//! The verbs that list, let in and watch, against the real daemon: what a person reads, what a program reads, and what a
//! page at a time comes to.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use dmgw::api::groups::{GroupsShown, KindsShown};
use dmgw::api::points::PointsShown;
use dmgw::api::tokens::TokensShown;
use serde_json::{Value, json};
use support::{Gateway, PATIENCE, Plant, TWO_DEVICES, dmgw, eventually, text, told};

const GROUPS: &str = "[group.all]\nfor = { link = \"plant\" }\n[group.meters]\nfor = { id = \"*meter*\" }\n\
    [group.nobody]\nfor = { label = { floor = \"none\" } }\n";

const KINDS: &str =
    "[profile.a]\nmatch = [{ driver = \"sim\" }]\n[profile.b]\nextends = \"a\"\n[profile.c]\nextends = \"a\"\n";

fn ready(more: &str) -> (Plant, Gateway) {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, more);
    for device in ["relay-1", "meter-1", "meter-2"] {
        gateway.wait_for_device(device);
    }
    (plant, gateway)
}

fn json_of(gateway: &Gateway, words: &[&str]) -> Value {
    let ended = gateway.cli(&[words, &["--json"]].concat());
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{words:?}: {ended:?}"))
}

fn read<T: serde::de::DeserializeOwned>(gateway: &Gateway, words: &[&str]) -> T {
    serde_json::from_value(json_of(gateway, words)).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

#[test]
fn points_groups_and_kinds_are_listed_whole_though_a_page_holds_two() {
    let (_plant, gateway) = ready(&format!("[limits]\npage = 2\n{KINDS}{GROUPS}"));
    let points: PointsShown = read(&gateway, &["point", "list"]);
    assert_eq!((points.points.len(), points.after), (3, None));
    let groups: GroupsShown = read(&gateway, &["group", "list"]);
    let counts: BTreeMap<String, usize> = groups.groups.iter().map(|of| (of.name.to_string(), of.devices)).collect();
    assert_eq!(counts, BTreeMap::from([("all".into(), 3), ("meters".into(), 2), ("nobody".into(), 0)]));
    let kinds: KindsShown = read(&gateway, &["profile", "list", "--running"]);
    assert_eq!(kinds.profiles.len(), 3, "{kinds:?}");
    assert_eq!(json_of(&gateway, &["device", "list"])["devices"].as_array().unwrap().len(), 3);
    for (words, has) in [
        (&["point", "list"][..], "relay.0.on"),
        (&["group", "list"], "nobody"),
        (&["profile", "list", "--running"], "DEVICES"),
    ] {
        let (code, says) = told(&gateway, words);
        assert!(code == 0 && says.contains(has), "{words:?}: {says}");
    }
}

#[test]
fn of_points_and_groups_only_what_was_asked_is_shown_and_what_is_not_there_is_told() {
    let (_plant, gateway) = ready(GROUPS);
    let points = |words: &[&str]| read::<PointsShown>(&gateway, &[&["point", "list"], words].concat()).points.len();
    assert_eq!((points(&["--point", "power.*"]), points(&["--for", "\"meters\" in groups"])), (2, 2));
    assert_eq!(points(&["--point", "relay.*", "--for", "\"meters\" in groups"]), 0);
    assert!(told(&gateway, &["point", "list", "--point", "x.*"]).1.contains("no point is so"));
    eventually("the point was read", || {
        let (code, says) = told(&gateway, &["point", "show", "relay-1", "relay.on"]);
        (code == 0 && says.contains("value    false")).then_some(())
    });
    let (code, says) = told(&gateway, &["point", "show", "relay-1", "relay.off"]);
    assert!(code == 1 && says.contains("did you mean relay.0.on?"), "{says}");
    let (code, says) = told(&gateway, &["group", "show", "meters"]);
    assert!(code == 0 && says.contains("meter-2") && !says.contains("relay-1"), "{says}");
    let (code, says) = told(&gateway, &["group", "show", "metres"]);
    assert!(code == 1 && says.contains("did you mean meters?"), "{says}");
}

#[test]
fn a_token_is_told_once_and_lets_in_until_it_is_revoked() {
    let (_plant, gateway) = ready(GROUPS);
    let scope = "\"meters\" in groups";
    let ended = gateway.cli(&["token", "create", "office", "--role", "operator", "--for", scope, "--expires", "1h"]);
    assert!(ended.status.success(), "{ended:?}");
    let secret = text(&ended.stdout).trim_end().to_owned();
    assert!(secret.starts_with("dmgw_") && !secret.contains(char::is_whitespace), "alone: {ended:?}");
    assert!(text(&ended.stderr).contains("never again"));
    let devices = gateway.as_token(&secret, "GET", "/v1/devices", &Value::Null).ok();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 2, "{devices}");

    let (_, says) = told(&gateway, &["token", "list"]);
    assert!(says.contains("office") && says.contains("operator") && says.contains("secret"), "{says}");
    let listed = gateway.cli(&["token", "list", "--json"]);
    let tokens: TokensShown = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((tokens.tokens.len(), &tokens.tokens[0].token), (1, &None));
    assert!(tokens.tokens[0].used.is_some() && tokens.tokens[0].expires.is_some(), "{tokens:?}");
    assert_eq!(serde_json::to_value(&tokens).unwrap(), gateway.get("/v1/tokens").ok(), "as the daemon tells it");
    assert!(!says.contains(&secret) && !text(&listed.stdout).contains(&secret));

    let made = json_of(&gateway, &["token", "create", "second", "--role", "viewer"]);
    assert!(made["token"].is_string() && made["name"] == "second", "{made}");
    for (words, code, has) in [
        (&["token", "create", "office", "--role", "viewer"][..], 1, "office"),
        (&["token", "create", "x", "--role", "boss"], 2, "viewer"),
        (&["token", "create", "x", "--role", "viewer", "--for", "lnk == 1"], 2, "Did you mean link?"),
        (&["token", "revoke", "offce"], 1, "office was meant?"),
    ] {
        let (ended, says) = told(&gateway, words);
        assert!(ended == code && says.contains(has), "{words:?}: {ended} {says}");
    }
    assert_eq!(told(&gateway, &["token", "revoke", "office"]).0, 0);
    assert_eq!(gateway.as_token(&secret, "GET", "/v1/devices", &Value::Null).status, 401);
    assert_eq!(read::<TokensShown>(&gateway, &["token", "list"]).tokens.len(), 1);
}

#[test]
fn whoever_shows_a_token_at_the_socket_is_that_and_no_more() {
    let (_plant, gateway) = ready(GROUPS);
    let secret = gateway.token("eye", "viewer", None);
    let file = support::file(&gateway, "eye.token", &format!("{secret}\n"));
    let as_eye = |words: &[&str]| told(&gateway, &[words, &["--token-file", &file]].concat());
    let (code, says) = as_eye(&["device", "list"]);
    assert!(code == 0 && says.contains("meter-1") && says.contains("chmod 600"), "{says}");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (code, says) = as_eye(&["write", "relay-1", "relay.on", "true"]);
    assert!(code == 1 && says.contains("ask somebody who may") && !says.contains("chmod"), "{says}");
    assert_eq!(told(&gateway, &["write", "relay-1", "relay.on", "true"]).0, 0, "whoever shows none is root");
    // To have things written down first takes more than to look.
    let (code, says) = as_eye(&["journal", "show", "events"]);
    assert!(code == 0 && says.contains("meter-1 up") && says.contains("The newest may be missing"), "{says}");
    assert!(!told(&gateway, &["journal", "show", "events"]).1.contains("The newest may be missing"));
    assert_eq!(as_eye(&["config", "log-level", "debug"]).0, 1);
    gateway.delete("/v1/tokens/eye");
    let (code, says) = as_eye(&["device", "list"]);
    assert!(code == 1 && says.contains("not good here, or no more"), "{says}");
    let empty = support::file(&gateway, "empty", "\n");
    assert_eq!(told(&gateway, &["status", "--token-file", &empty]).0, 2);
    assert_eq!(told(&gateway, &["status", "--token-file", "/no/such/file"]).0, 2);
}

#[test]
fn the_log_says_more_for_a_while_and_goes_back() {
    let (_plant, gateway) = ready("");
    let says = |words: &[&str]| told(&gateway, &[&["config", "log-level"], words].concat());
    assert_eq!(says(&[]), (0, "info, as the settings say\n".into()));
    let (code, told) = says(&["debug", "--for", "1h"]);
    assert!(code == 0 && told.starts_with("debug for another") && told.contains("then info"), "{told}");
    assert!(says(&[]).1.starts_with("debug for another"));
    assert_eq!(says(&["--back"]), (0, "info, as the settings say\n".into()));
    assert_eq!(says(&["loud"]).0, 2);
    let (code, told) = says(&["debug", "--for", "100d"]);
    assert!(code == 1 && !told.is_empty(), "{told}");
}

/// `dmgw watch --json`, line by line.
struct Watching {
    child: Child,
    lines: Receiver<Value>,
    last: BTreeMap<String, u64>,
    gaps: usize,
}

impl Watching {
    fn begin(gateway: &Gateway, streams: &str) -> Watching {
        let mut command = dmgw();
        command.args(["watch", "--json", "--streams", streams, "--config"]).arg(gateway.config());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = sync_channel(1_000);
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let Ok(()) = tell.send(serde_json::from_str(&line).expect("a line of JSON")) else { return };
            }
        });
        Watching { child, lines, last: BTreeMap::new(), gaps: 0 }
    }

    /// The next line; of each stream every number comes once and in order, or a gap names it.
    fn next(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("a further line");
        let (data, event) = (&line["data"], line["event"].as_str().unwrap());
        let number = |key: &str| data[key].as_u64().unwrap_or_else(|| panic!("{line}"));
        let (stream, first, last) = match event {
            "gap" => (data["stream"].as_str().unwrap(), number("first"), number("last")),
            _ => {
                let readings = data["heard"]["readings"].as_array().map_or(1, Vec::len) as u64;
                (event, number("seq"), number("seq") + readings - 1)
            }
        };
        self.gaps += usize::from(event == "gap");
        let before = self.last.insert(stream.to_owned(), last);
        assert!(before.is_none_or(|before| before + 1 == first), "after {before:?}: {line}");
        line
    }

    fn until(&mut self, found: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.next();
            if found(&line) {
                return line;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn who_watches_goes_on_without_a_loss_when_the_daemon_was_killed_and_is_back() {
    let (_plant, mut gateway) = ready("");
    let mut watching = Watching::begin(&gateway, "vital,events,telemetry");
    watching.until(|line| line["data"]["heard"]["device"].as_str().is_some_and(|of| of.contains("meter-2")));
    for round in 0..2 {
        gateway.kill();
        gateway.start();
        let value = round == 0;
        assert_eq!(told(&gateway, &["write", "relay-1", "relay.on", &value.to_string(), "--wait", "20s"]).0, 0);
        let ends = |line: &Value| line["data"]["record"]["result"]["state"] == "done";
        watching.until(ends);
        watching
            .until(|line| line["event"] == "telemetry" && line["data"]["heard"]["readings"][0]["value"] != json!(0));
    }
    println!("{:?} seen, {} gaps named", watching.last, watching.gaps);
}

//! What the gateway counts of itself, held against who knows better: the plant's own record, the kernel, a parser of
//! somebody else; and the same numbers as points of the gateway itself.

mod support;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::scrape::{scrape, until};
use support::{Gateway, Plant, TWO_DEVICES, eventually};

const COUNTING: &str = include_str!("support/counting_plant.toml");
const OWN: &str = "urn:dev:dmgw:endpoint:test";

#[test]
fn as_many_readings_are_heard_as_the_plant_emitted_and_all_of_them_are_accounted_for() {
    let mut plant = Plant::start(COUNTING);
    let gateway = Gateway::start_with(&plant, "");
    until(&gateway, "dmgw_readings_heard_total", |heard| heard > 200.0);
    plant.stop();
    until(&gateway, "dmgw_link_up{link=\"plant\"}", |up| up == 0.0);
    let emitted = plant.witness().iter().filter(|line| line["reading"].is_object()).count() as f64;
    let now = until(&gateway, "dmgw_readings_heard_total", |heard| heard == emitted);
    assert_eq!(now.of("dmgw_link_readings_total{link=\"plant\"}"), emitted);
    assert_eq!(now.of("dmgw_link_rejected_total{link=\"plant\"}"), 0.0);
    let kept = now.of("dmgw_journal_records_total{stream=\"telemetry\"}") + now.of("dmgw_readings_gathered");
    assert_eq!(kept, emitted, "on disk or in memory");
    assert_eq!(now.of("dmgw_readings_lost_total"), 0.0);
    assert_eq!(now.of("dmgw_link_devices{link=\"plant\"}"), 7.0);
}

#[test]
fn each_command_is_counted_once_by_how_it_ended() {
    let plant = Plant::start(TWO_DEVICES);
    let clock = "[clock]\ntrust = \"always\"\n[commands]\ntimeout = \"4s\"\nexpiry = \"1s\"\ngrace = \"0s\"\n";
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "60s", "", clock));
    gateway.start();
    let relay = gateway.wait_for_device("relay-1");
    for value in [true, false] {
        let write = json!({ "write": { "point": "relay.0.on", "value": value } });
        assert_eq!(gateway.operate(&relay, write).body["accepted"]["state"], "done");
    }
    // From here on the device says nothing.
    plant.freeze();
    let ask = || json!({ "operate": { "device": relay, "operation": { "restart": {} } } });
    let sent = gateway.post("/v1/ask", &ask()).ok();
    assert_eq!(sent["accepted"]["state"], "sent", "{sent}");
    let waits = gateway.post("/v1/ask", &ask()).ok();
    let called_back = json!({ "cancel": { "command": waits["accepted"]["id"] } });
    assert!(gateway.post("/v1/ask", &called_back).status < 300);
    let expires = gateway.post("/v1/ask?wait=20", &ask()).ok();
    assert_eq!(expires["accepted"]["state"], "expired", "{expires}");
    let now = until(&gateway, "dmgw_commands_total{outcome=\"unknown\"}", |unknown| unknown == 1.0);
    let ended = [("cancelled", 1.0), ("done", 2.0), ("expired", 1.0), ("failed", 0.0), ("unknown", 1.0)];
    assert_eq!(now.labels("dmgw_commands_total", "outcome"), ended);
    assert_eq!(now.of("dmgw_commands_accepted_total"), 5.0);
    assert_eq!(
        (now.of("dmgw_commands_open{state=\"queued\"}"), now.of("dmgw_commands_open{state=\"sent\"}")),
        (0.0, 0.0)
    );
    assert!(now.of("dmgw_store_given_bytes_total{cause=\"commands\"}") > 5.0 * 100.0);
    // The sum of the results stands in vital, too, and that somebody called one back; nothing else came there.
    assert_eq!(now.of("dmgw_journal_records_total{stream=\"vital\"}"), 5.0 + 1.0);
}

#[test]
fn names_of_links_are_bounded_and_the_rest_is_in_the_sum() {
    let plant = Plant::start(COUNTING);
    let socket = plant.socket();
    let nowhere = |name: &str| format!("[link.{name}.sim]\nsocket = \"{{dir}}/{name}.sock\"\n");
    let plant_last = format!("[link.z]\nevery = \"200ms\"\n[link.z.sim]\nsocket = {socket:?}\n");
    let some: String = ["a", "b", "c", "other"].map(nowhere).concat();
    let mut gateway = Gateway::new(&format!("{some}{plant_last}[limits]\nmetric_labels = 2\n"));
    gateway.start();
    let now = until(&gateway, "dmgw_readings_heard_total", |heard| heard > 50.0);
    for family in ["dmgw_link_up", "dmgw_link_readings_total", "dmgw_link_devices", "dmgw_link_credits"] {
        let names: Vec<&str> = now.labels(family, "link").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "other"], "{family}");
    }
    // What a link told of is published a moment after it was counted.
    eventually("the sums agree", || {
        let now = scrape(&gateway);
        (now.of("dmgw_link_readings_total{link=\"other\"}") == now.of("dmgw_readings_heard_total")).then_some(())
    });
    assert_eq!((now.of("dmgw_link_up{link=\"other\"}"), now.of("dmgw_link_up{link=\"a\"}")), (1.0, 0.0));
    eventually("all devices are in the sum", || {
        (scrape(&gateway).of("dmgw_link_devices{link=\"other\"}") == 7.0).then_some(())
    });
    assert!(!now.text.contains("acme"), "nothing is told by device");
}

#[test]
fn requests_are_counted_by_their_status_and_who_may_not_come_in_is_refused() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let count =
        |class: &str| scrape(&gateway).of(&format!("dmgw_requests_total{{door=\"socket\",status=\"{class}\"}}"));
    // A scrape is counted when it is answered: each tells of those before it.
    let (good, bad) = (count("2xx"), count("4xx"));
    gateway.get("/v1/nothing");
    gateway.get("/v1/devices/nobody");
    gateway.get("/v1/status");
    assert_eq!((count("4xx") - bad, count("2xx") - good), (2.0, 4.0));
    eventually("only the one that asks is there", || {
        (scrape(&gateway).of("dmgw_queue_length{queue=\"connections\"}") == 1.0).then_some(())
    });
    if !nix::unistd::geteuid().is_root() {
        return println!(
            "SKIP requests_are_counted_by_their_status_and_who_may_not_come_in_is_refused: only root can play somebody else"
        );
    }
    assert_eq!(scrape(&gateway).of("dmgw_logins_refused_total{door=\"socket\"}"), 0.0);
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(gateway.folder.path(), mode(0o755)).unwrap();
    std::fs::set_permissions(gateway.socket(), mode(0o666)).unwrap();
    let mut nobody = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    nobody.args(["status", "--socket"]).arg(gateway.socket()).uid(65_534).gid(65_534).current_dir("/");
    assert_eq!(nobody.output().unwrap().status.code(), Some(1));
    assert_eq!(scrape(&gateway).of("dmgw_logins_refused_total{door=\"socket\"}"), 1.0);
}

fn of_kernel(gateway: &Gateway, file: &str, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/{file}", gateway.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn what_is_written_and_held_is_what_the_kernel_saw() {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "");
    let relay = gateway.wait_for_device("relay-1");
    let (before, kernel) = (scrape(&gateway), of_kernel(&gateway, "io", "wchar:"));
    for value in 0..20 {
        let write = json!({ "write": { "point": "relay.0.on", "value": value % 2 == 0 } });
        assert_eq!(gateway.operate(&relay, write).body["accepted"]["state"], "done");
    }
    let (after, kernel) = (scrape(&gateway), of_kernel(&gateway, "io", "wchar:") - kernel);
    let more = |name: &str| after.of(name) - before.of(name);
    let written = more("dmgw_store_written_bytes_total");
    // The rest of it went to sockets and the log.
    assert!(written <= kernel && written >= 0.7 * kernel, "{written} of {kernel}");
    let commits = more("dmgw_store_commits_total");
    assert!((20.0..=60.0).contains(&commits), "{commits}");
    assert_eq!(more("dmgw_store_commit_duration_seconds_count"), commits);
    assert!(more("dmgw_store_commit_duration_seconds_sum") > 0.0);
    assert!(more("dmgw_store_syncs_total") >= commits, "a commit is synced");
    assert_eq!(after.of("dmgw_store_commits_failed_total"), 0.0);
    let given: f64 = after.labels("dmgw_store_given_bytes_total", "cause").into_iter().map(|(_, bytes)| bytes).sum();
    assert!(given > 0.0 && given < after.of("dmgw_store_written_bytes_total"));
    let near = |told: f64, saw: f64| (told - saw).abs() <= 0.2 * saw + 1e6;
    let resident = of_kernel(&gateway, "status", "VmRSS:") * 1024.0;
    assert!(near(after.of("dmgw_memory_bytes{kind=\"resident\"}"), resident), "{resident}\n{}", after.text);
    let anonymous = of_kernel(&gateway, "status", "RssAnon:") * 1024.0;
    assert!(near(after.of("dmgw_memory_bytes{kind=\"anonymous\"}"), anonymous), "{anonymous}\n{}", after.text);
}

/// The parser of Prometheus' own client library; None where it is not installed.
fn parse(text: &str) -> Option<Result<Value, String>> {
    const READ: &str = "import sys, json\n\
        from prometheus_client.parser import text_string_to_metric_families as read\n\
        families = list(read(sys.stdin.read()))\n\
        print(json.dumps({f.name: [f.type, f.documentation, len(f.samples)] for f in families}))";
    let found = Command::new("/usr/bin/python3").args(["-c", "import prometheus_client.parser"]).output();
    if !found.is_ok_and(|found| found.status.success()) {
        return None;
    }
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", READ]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = python.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    match ended.status.success() {
        true => Some(Ok(serde_json::from_slice(&ended.stdout).unwrap())),
        false => Some(Err(support::text(&ended.stderr))),
    }
}

#[test]
fn the_parser_of_prometheus_reads_all_of_it() {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "");
    gateway.wait_for_device("relay-1");
    let text = scrape(&gateway).text;
    let Some(read) = parse(&text) else {
        return println!(
            "SKIP the_parser_of_prometheus_reads_all_of_it: python3-prometheus-client is not installed; make tools"
        );
    };
    let read = read.unwrap();
    for family in dmgw::metrics::FAMILIES {
        // It calls a counter by its name without the ending.
        let of = &read[family.name.trim_end_matches("_total")];
        let kind = format!("{:?}", family.kind).to_lowercase();
        assert!(of[0] == *kind && of[1] == *family.says && of[2].as_u64() > Some(0), "{} is {of}", family.name);
    }
    assert_eq!(read.as_object().unwrap().len(), dmgw::metrics::FAMILIES.len(), "and nothing else");
    // It does find what is no such text.
    assert!(parse(&text.replacen("{link=\"", "{link=", 1)).unwrap().is_err());
}

fn points(gateway: &Gateway) -> Vec<(String, Value)> {
    let shown = gateway.get(&format!("/v1/devices/{OWN}")).body["detail"]["points"].clone();
    let points = shown.as_array().cloned().unwrap_or_default();
    points.iter().map(|of| (of["point"].as_str().unwrap().to_owned(), of["value"].clone())).collect()
}

fn point(gateway: &Gateway, path: &str) -> Option<Value> {
    points(gateway).into_iter().find(|(known, value)| known == path && !value.is_null()).map(|(_, value)| value)
}

/// Reads it anew.
fn read(gateway: &Gateway, path: &str) -> f64 {
    let answer = gateway.operate(OWN, json!({ "read": { "points": [path] } })).ok();
    answer["accepted"]["outcome"]["done"][0][1].as_f64().unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn the_gateway_is_a_device_whose_points_are_its_numbers() {
    let plant = Plant::start(COUNTING);
    let more = "[link.gateway]\nevery = \"200ms\"\n[link.gateway.own]\n";
    let mut gateway =
        Gateway::new(&Gateway::settings(&plant, "200ms", "flush_idle = \"100ms\"\nflush_busy = \"100ms\"", more));
    gateway.start();
    gateway.wait_for_device(OWN);
    until(&gateway, "dmgw_link_readings_total{link=\"plant\"}", |heard| heard > 0.0);
    for (path, name) in [
        ("readings.0.heard", "dmgw_readings_heard_total"),
        ("store.0.commits", "dmgw_store_commits_total"),
        ("store.0.written", "dmgw_store_written_bytes_total"),
        ("commands.0.done", "dmgw_commands_total{outcome=\"done\"}"),
        ("link-plant.0.heard", "dmgw_link_readings_total{link=\"plant\"}"),
    ] {
        // What goes on meanwhile only adds.
        let (before, told, after) = (scrape(&gateway).of(name), read(&gateway, path), scrape(&gateway).of(name));
        assert!(before <= told && told <= after, "{path}: {before} <= {told} <= {after}");
        assert!(told > 0.0 || path == "commands.0.done", "{path}");
    }
    // Polled as well, with a kind and a unit, and it moves.
    let first = eventually("it was polled", || point(&gateway, "readings.0.heard").and_then(|value| value.as_u64()));
    eventually("it is polled again", || (point(&gateway, "readings.0.heard")?.as_u64()? > first).then_some(()));
    assert_eq!(point(&gateway, "link-plant.0.up"), Some(json!(true)));
    let page = || gateway.get("/v1/journal/telemetry?limit=1000").ok();
    eventually("it is in telemetry", || {
        let of_own = |record: &&Value| record["heard"]["device"] == OWN;
        let page = page();
        let heard = page["records"].as_array()?.iter().find(of_own)?.clone();
        let all = heard["heard"]["readings"].as_array()?.clone();
        all.iter()
            .any(|reading| reading["point"] == "memory.0.anonymous" && reading["value"].as_u64() > Some(1 << 20))
            .then_some(())
    });
}

#[test]
fn a_reload_gives_and_takes_points_with_the_links_and_leaves_the_device() {
    let plant = Plant::start(TWO_DEVICES);
    let own = "[link.gateway]\nevery = \"200ms\"\n[link.gateway.own]\n";
    let settings = |more: &str| Gateway::settings(&plant, "1s", "", &format!("{own}{more}"));
    let mut gateway = Gateway::new(&settings(""));
    gateway.start();
    gateway.wait_for_device(OWN);
    let number = |gateway: &Gateway| gateway.get(&format!("/v1/devices/{OWN}")).body["no"].clone();
    let before = number(&gateway);
    gateway.configure(&settings("[link.second.sim]\nsocket = \"{dir}/none.sock\"\n"));
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
    eventually("the new link is told", || (point(&gateway, "link-second.0.up")? == json!(false)).then_some(()));
    gateway.configure(&settings(""));
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
    eventually("it is told no more", || {
        points(&gateway).iter().all(|(path, _)| !path.starts_with("link-second")).then_some(())
    });
    // Other settings of the link itself: it begins anew, and stays who it is.
    let only = settings("").replace("[link.gateway.own]", "[link.gateway.own]\ntell = [\"memory\"]");
    gateway.configure(&only);
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
    eventually("only memory is told", || {
        let points = points(&gateway);
        (!points.is_empty() && points.iter().all(|(path, _)| path.starts_with("memory."))).then_some(())
    });
    eventually("it is read", || point(&gateway, "memory.0.resident"));
    assert_eq!(number(&gateway), before);
    let (_, says) = support::told(&gateway, &["device", "show", OWN]);
    assert!(says.contains("memory.0.resident"), "{says}");
}

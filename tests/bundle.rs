//! `dmgw bundle`: it holds what somebody needs who helps from afar, and nothing of any secret that was planted.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use serde_json::Value;
use support::planted::{self, Search};
use support::{Gateway, Plant, TWO_DEVICES, eventually, file, text, told, told_with};

/// By tar itself, after the standard library of zstd.
fn unpacked(bundle: &Path, into: &Path) {
    use std::io::Write;
    let tar = zstd::stream::decode_all(std::fs::File::open(bundle).unwrap()).unwrap();
    std::fs::create_dir_all(into).unwrap();
    let mut child = Command::new("tar").args(["-xf", "-", "-C"]).arg(into).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&tar).unwrap();
    assert!(child.wait().unwrap().success(), "tar reads it");
}

fn read(folder: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join("dmgw-bundle").join(name)).unwrap_or_else(|_| panic!("{name}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"))
}

#[test]
fn a_bundle_holds_what_is_known_and_no_secret_from_wherever_it_came() {
    let plant = Plant::start(TWO_DEVICES);
    let (mut search, secrets) = (Search::default(), [(); 9].map(|()| planted::text()));
    let [registered, sealed, in_file, clear, in_clear_variable, environment, of_daemon, elsewhere, label] = &secrets;
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "200ms", "", "[variable]\nsite_password = \"x\"\n"));
    gateway.start_with_env(&[("DMGW_VARIABLE__SITE_PASSWORD", of_daemon), ("CLOUD_SECRET", elsewhere)]);
    gateway.wait_for_device("meter-1");
    let folder = gateway.folder.path().to_owned();
    let names = [
        "registered",
        "sealed",
        "in a file",
        "in clear",
        "in a variable",
        "in the environment",
        "in that of the daemon",
        "elsewhere in that",
        "in a label that says so",
    ];
    names.iter().zip(&secrets).for_each(|(name, secret)| search.add(name, secret.as_bytes()));

    // Where secrets may stand.
    let key = file(&gateway, "one.key", registered);
    assert_eq!(
        told(&gateway, &["device", "register", "serial:acme:one", "--name", "marker-7", "--key-file", &key]).0,
        0
    );
    search.add("a token", gateway.token("office", "viewer", None).as_bytes());
    let made = told(&gateway, &["token", "create", "second", "--role", "viewer", "--json"]).1;
    search.add("another", serde_json::from_str::<Value>(&made).unwrap()["token"].as_str().unwrap().as_bytes());
    let says = format!("label.wifi_key={label}");
    assert_eq!(told(&gateway, &["command", "ask", "meter-2", "describe", &says, "label.note=marker-8"]).0, 0);
    let in_settings = told_with(&gateway, &["secret", "seal"], sealed);
    search.add("the sealed text", in_settings.split('"').nth(1).unwrap().trim_start_matches("dmgw1:").as_bytes());
    let other = file(&gateway, "two.key", in_file);
    std::fs::create_dir(folder.join("devices.d")).unwrap();
    let drop_in = format!(
        "[device.two]\nidentities = [\"serial:acme:two\"]\nkey = {in_settings}\n\
         [device.three]\nidentities = [\"serial:acme:three\"]\nkey = {{ file = \"{other}\" }}\n\
         label = {{ note = \"marker-9\", wifi_key = \"{label}\" }}\n"
    );
    std::fs::write(folder.join("devices.d/keys.toml"), drop_in).unwrap();
    let (code, says) = told(&gateway, &["config", "reload"]);
    assert_eq!(code, 0, "{says}");
    search.add("the gateway's own key", &std::fs::read(folder.join("gateway.key")).unwrap());
    search.add("seal.key", &std::fs::read(folder.join("seal.key")).unwrap());
    // And where they must not.
    let wrong = format!(
        "[variables]\nwifi_password = \"{in_clear_variable}\"\n\
         [device.four]\nidentities = [\"serial:acme:four\"]\nkey = \"{clear}\"\n"
    );
    std::fs::write(folder.join("devices.d/wrong.toml"), wrong).unwrap();

    let bundle = folder.join("b.tar.zst");
    let ended = support::dmgw()
        .args(["bundle", bundle.to_str().unwrap(), "--json", "--config"])
        .arg(gateway.config())
        .env("DMGW_VARIABLE__TOKEN", environment)
        .output()
        .unwrap();
    let says: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert!(ended.status.success() && says["holds"].as_array().is_some_and(|holds| holds.len() > 8), "{says}");
    let out = folder.join("unpacked");
    unpacked(&bundle, &out);

    assert_eq!(search.under(&out), [], "nothing of any secret is in it");
    let kept: Vec<String> = search.under(&folder).into_iter().map(|(name, _)| name).collect();
    for name in ["sealed text", "in clear", "in a variable", "in a file"] {
        assert!(kept.iter().any(|found| found.contains(name)), "the search finds {name} where it is: {kept:?}");
    }
    for word in ["marker-7", "marker-9"] {
        let mut marker = Search::default();
        marker.add(word, word.as_bytes());
        assert!(!marker.under(&out).is_empty(), "and what is no secret is in the bundle: {word}");
    }
    assert_eq!(read(&out, "status.json")["gateway"], "test");
    assert!(read(&out, "about.json")["kernel"].is_string());
    assert!(read(&out, "events.json")["records"].as_array().is_some_and(|records| !records.is_empty()));
    assert!(read(&out, "store.json")["files"]["state.redb"].as_u64().is_some_and(|size| size > 0));
    let running = read(&out, "running.json");
    assert_eq!(running["device.two.key"]["value"], "***", "{running}");
    assert!(running["device.two.key"]["origin"].as_str().is_some_and(|origin| origin.contains("keys.toml:3")));
    assert!(running["link.plant.every"]["value"].is_string(), "{running}");
}

/// 2 000 devices, and a client that keeps asking meanwhile.
#[test]
fn of_two_thousand_devices_the_bundle_is_small_and_the_export_whole_with_a_request_a_page() {
    let plant = Plant::start(
        "socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n[device.meter]\ncount = 2000\nserial = \"acme:{n}\"\n\
         versions = { firmware = \"1.2\" }\npoint.\"power.active\" = { type = \"float\", value = { constant = 1.5 } }\n",
    );
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "2s", "", ""));
    gateway.start();
    eventually("all are known", || (gateway.get("/v1/status").body["devices"]["up"] == 2000).then_some(()));
    let folder = gateway.folder.path().to_owned();
    let asked = || support::scrape::scrape(&gateway).of("dmgw_requests_total{door=\"socket\",status=\"2xx\"}");
    let (before, began) = (asked(), Instant::now());
    let (code, text) = told(&gateway, &["export"]);
    let (requests, took) = (asked() - before, began.elapsed());
    assert_eq!((code, text.matches("[device.").count()), (0, 2000));
    assert!(requests < 30.0, "{requests} requests");
    println!("an export of 2 000 devices: {requests} requests, {took:?}");

    let done = AtomicBool::new(false);
    let bundle = folder.join("b.tar.zst");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                gateway.get("/v1/devices?limit=100");
            }
        });
        let began = Instant::now();
        let (code, says) = told(&gateway, &["bundle", bundle.to_str().unwrap()]);
        done.store(true, Relaxed);
        assert!(code == 0 && says.contains("it holds the first 1000 of 2000"), "{says}");
        println!("a bundle of it under load: {:?}, {} bytes", began.elapsed(), bundle.metadata().unwrap().len());
        // Each of what it asks for has its deadline; a machine that is busy takes no longer than that.
        assert!(began.elapsed() < support::PATIENCE);
    });
    assert!(bundle.metadata().unwrap().len() < 1 << 20);
    let out = folder.join("unpacked");
    unpacked(&bundle, &out);
    assert_eq!(read(&out, "devices.json")["devices"].as_array().unwrap().len(), 1000);
}

#[test]
fn a_bundle_is_made_without_a_daemon_too_and_says_what_is_missing() {
    let gateway = Gateway::new("");
    let bundle = gateway.folder.path().join("b.tar.zst");
    let words = ["bundle", bundle.to_str().unwrap()];
    let (code, says) = told(&gateway, &words);
    assert!(code == 0 && says.contains("without what the daemon tells: cannot reach"), "{says}");
    let out = gateway.folder.path().join("unpacked");
    unpacked(&bundle, &out);
    assert_eq!(read(&out, "settings.json")["gateway.id"]["value"], "\"test\"");
    let missing = std::fs::read(out.join("dmgw-bundle/missing.txt")).unwrap();
    assert!(text(&missing).contains("what the daemon tells"));
    let (code, says) = told(&gateway, &words);
    assert!(code == 1 && says.contains("is there already"), "{says}");
    eventually("only root reads it", || {
        use std::os::unix::fs::PermissionsExt;
        (bundle.metadata().unwrap().permissions().mode() & 0o777 == 0o600).then_some(())
    });
}

//! Secrets stay secret: what was planted is searched for in all that a gateway ever wrote and said.

mod kept;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod typed;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use dmgw::api::routes::ROUTES;
use dmgw::seal::Seal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::planted::{self, Search};
use support::{Gateway, Plant, eventually, told};
use typed::sealed_by;

fn device(name: &str, address: &str, key: &str) -> String {
    format!(
        "[device.{address}]\nserial = \"acme:{name}\"\naddress = \"{address}\"\nkey = \"{key}\"\n\
         mode = {{ asks = \"200ms\" }}\npoint.\"power.active\" = {{ type = \"float\", value = {{ counter = {{}} }} }}\n"
    )
}

fn plant(devices: &[String]) -> Plant {
    Plant::start(&format!("socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n{}", devices.concat()))
}

/// It writes down all that it does. Without a plant at first: who comes before it is registered is refused for good.
fn gateway() -> Gateway {
    Gateway::new(LOUD)
}

const LOUD: &str = "[log]\nlevel = \"trace\"\n";

/// From its next start on.
fn attach(gateway: &Gateway, plant: &Plant) {
    let socket = plant.socket();
    gateway.configure(&format!(
        "{LOUD}[link.plant]\nevery = \"200ms\"\nsilent_after = \"2s\"\nadmission = \"refuse\"\n\
         sim = {{ socket = {socket:?} }}\n"
    ));
}

/// A program that may leave a core file in the folder, as far as it is up to the machine.
fn that_may_dump(program: &str, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", program]).current_dir(folder);
    command
}

fn serial(name: &str) -> Value {
    json!([{ "kind": "serial", "value": format!("acme:{name}") }])
}

fn register(name: &str, key: &str) -> Value {
    json!({ "register": { "devices": [{ "identities": serial(name), "key": key }] } })
}

fn is_up(gateway: &Gateway, name: &str) {
    eventually(&format!("{name} is up"), || {
        let device = gateway.get(&format!("/v1/devices/urn:dev:dmgw:serial:acme:{name}")).body;
        (device["connectivity"] == "up").then_some(())
    });
}

/// What was said goes where it is searched.
struct Said<'a> {
    gateway: &'a Gateway,
    /// Lists and keys that people hold; nobody searches there.
    desk: tempfile::TempDir,
    count: usize,
}

impl Said<'_> {
    fn keep(&mut self, what: &str) {
        self.count += 1;
        std::fs::write(self.gateway.folder.path().join(format!("said-{}", self.count)), what).unwrap();
    }

    fn post(&mut self, path: &str, body: &[u8]) -> String {
        let answer = self.gateway.post_bytes(path, body).body.to_string();
        self.keep(&answer);
        answer
    }

    fn cli(&mut self, words: &[&str]) -> String {
        let (_, says) = told(self.gateway, words);
        self.keep(&says);
        says
    }

    fn file(&self, name: &str, holds: &str) -> String {
        let path = self.desk.path().join(name);
        std::fs::write(&path, holds).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Each way in which a key comes in.
    fn register(&mut self, keys: &[String; 4], marker: &str) {
        let file = self.file("one.key", &format!("{}\n", keys[0]));
        let mark = format!("note={marker}");
        self.cli(&["device", "register", "serial:acme:one", "--key-file", &file, "--label", &mark, "--json"]);
        let list = self.file("list.csv", &format!("identity,key\nserial:acme:two,{}\n", keys[1]));
        self.cli(&["device", "register", &list]);
        let list = format!(
            "[[device]]\nidentities = [{{ kind = \"serial\", value = \"acme:three\" }}]\nkey = \"{}\"\n",
            keys[2]
        );
        let list = self.file("list.toml", &list);
        self.cli(&["device", "register", &list, "--json"]);
        self.post("/v1/ask", register("four", &keys[3]).to_string().as_bytes());
    }

    /// Each way in which a key comes in where it is refused.
    fn blunder(&mut self, key: &str, number: u64) {
        let whole = register("five", key).to_string();
        let bodies = [
            whole[..whole.len() - 3].to_owned(),
            whole.replace("\"key\"", "\"kee\""),
            whole.replace(&format!("\"{key}\""), &number.to_string()),
            whole.replace(&format!("\"{key}\""), &format!("[\"{key}\"]")),
            whole.replace(key, &key.repeat(6)),
            whole.replace("serial", "cereal"),
            whole.replace("devices", "device"),
        ];
        for body in bodies {
            for path in ["/v1/ask", "/v1/journal/ack", "/v1/status", "/v1/nowhere"] {
                let says = self.post(path, body.as_bytes());
                assert!(says.contains("remedy") || says.contains("refused"), "{says}");
            }
        }
        self.post("/v1/ask", format!("{whole}{}", " ".repeat(100_000)).as_bytes());
        for (name, list) in [
            ("few.csv", format!("identity,link,key\nserial:acme:five,{key}\n")),
            ("long.csv", format!("identity,key\nserial:acme:five,{}\n", key.repeat(6))),
            ("open.toml", format!("[[device]]\nkey = \"{key}\n")),
            ("number.toml", format!("[[device]]\nkey = {number}\n")),
            ("list.toml", format!("[[device]]\nkey = [\"{key}\"]\n")),
        ] {
            let list = self.file(name, &list);
            self.cli(&["device", "register", &list]);
            self.cli(&["device", "register", &list, "--json"]);
        }
        let long = self.file("long.key", &key.repeat(6));
        self.cli(&["device", "register", "serial:acme:five", "--key-file", &long]);
    }

    fn look_everywhere(&mut self) {
        let listed = self.gateway.get("/v1/devices").ok();
        let ids = listed["devices"].as_array().unwrap().iter().map(|device| device["id"].as_str().unwrap().to_owned());
        for id in ids.collect::<Vec<_>>() {
            for route in ROUTES.iter().filter(|route| route.method == "GET") {
                // Each word that another one can stand for makes another answer.
                for stream in ["vital", "events", "telemetry"] {
                    // A stream has no end; what it tells is what the journal has.
                    let path = route.path.replace("/v1/stream", "/v1/stream?from=nowhere");
                    let path = path.replace("{id}", &id).replace("{stream}", stream);
                    self.keep(&self.gateway.get(&path).body.to_string());
                }
            }
            self.cli(&["device", "show", &id]);
            self.cli(&["device", "log", &id]);
        }
        for words in [
            "status",
            "device list",
            "device attempts",
            "link list",
            "command list",
            "journal show vital",
            "journal show events",
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            self.cli(&words);
            self.cli(&[&words[..], &["--json"]].concat());
        }
    }
}

/// Its own keys, in clear, are nowhere but in the one file.
fn own_keys(folder: &Path) -> Search {
    let mut search = Search::default();
    let key = folder.join("seal.key");
    let seal = Seal::in_file(&key).unwrap();
    search.add("the key of the seal", &std::fs::read(&key).unwrap());
    let closed = std::fs::read_to_string(folder.join("gateway.key")).unwrap();
    let seed = seal.open(&closed.trim_end().parse().unwrap(), "gateway-key").unwrap();
    search.add("the gateway's own key", seed.reveal().as_bytes());
    use base64::Engine;
    let seed = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(seed.reveal()).unwrap();
    search.add("the gateway's own key", &seed);
    search
}

#[test]
fn no_secret_is_found_in_anything_that_a_gateway_wrote_or_said() {
    let keys = [(); 4].map(|()| planted::text());
    let (wrong, refused, password, marker) =
        (planted::text(), planted::text(), planted::text(), planted::text().replace('_', "-"));
    let number = u64::from_le_bytes(planted::bytes()) | 1 << 63;
    let names = ["one", "two", "three", "four"];
    let mut devices: Vec<String> = names.iter().zip(&keys).map(|(name, key)| device(name, name, key)).collect();
    devices.push(device("one", "impostor", &wrong));
    devices.push(device("nobody", "stranger", &wrong));
    let plant = plant(&devices);
    let mut gateway = gateway();
    let folder = gateway.folder.path().to_owned();
    gateway.start_as(that_may_dump(env!("CARGO_BIN_EXE_dmgw"), &folder));

    let mut said = Said { gateway: &gateway, desk: tempfile::tempdir().unwrap(), count: 0 };
    said.register(&keys, &marker);
    let (desk, count) = (said.desk, said.count);
    gateway.kill();
    attach(&gateway, &plant);
    gateway.start_as(that_may_dump(env!("CARGO_BIN_EXE_dmgw"), &folder));
    let mut said = Said { gateway: &gateway, desk, count };
    names.iter().for_each(|name| is_up(&gateway, name));
    eventually("the impostor was turned away", || {
        gateway.get("/v1/attempts").body.to_string().contains("impostor").then_some(())
    });
    said.blunder(&refused, number);
    said.look_everywhere();
    let sealed = sealed_by(&gateway, &password, &[]);
    assert!(sealed.0 == 0 && sealed.1.contains("dmgw1:"), "{sealed:?}");
    said.keep(&sealed.1);

    // It dies with all of this in memory.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    kill(Pid::from_raw(gateway.pid() as i32), Signal::SIGABRT).unwrap();
    let died = gateway.wait();
    assert!(died.signal() == Some(Signal::SIGABRT as i32) && !died.core_dumped(), "{died:?}");
    gateway.start();
    names.iter().for_each(|name| is_up(&gateway, name));
    gateway.terminate();

    let mut search = Search::default();
    let all = keys.iter().chain([&wrong, &refused, &password]);
    all.for_each(|secret| search.add(secret, secret.as_bytes()));
    search.add("a number", number.to_string().as_bytes());
    assert_eq!(search.under(&folder), []);
    let own = own_keys(&folder).under(&folder);
    assert_eq!(own, [("the key of the seal".into(), folder.join("seal.key").display().to_string())]);

    // The same search finds what was told to be shown, where it was written and where it was said.
    let mut search = Search::default();
    search.add("marker", marker.as_bytes());
    let found = search.under(&folder);
    assert!(found.iter().any(|(_, file)| file.ends_with("state.redb")), "{found:?}");
    assert!(found.iter().any(|(_, file)| file.contains("said-")), "{found:?}");
}

#[test]
fn the_same_end_without_the_guard_leaves_secrets_behind() {
    let (desk, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = planted::text();
    let file = desk.path().join("plant.toml");
    std::fs::write(
        &file,
        format!("socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n{}", device("one", "one", &key)),
    )
    .unwrap();
    let mut plant = that_may_dump(env!("CARGO_BIN_EXE_dmgw-plant"), folder.path())
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let socket = desk.path().join("plant.sock");
    eventually("the plant listens", || std::os::unix::net::UnixStream::connect(&socket).ok());
    kill(Pid::from_raw(plant.id() as i32), Signal::SIGABRT).unwrap();
    let died = plant.wait().unwrap();
    if !died.core_dumped() || std::fs::read_dir(folder.path()).unwrap().count() == 0 {
        println!("this machine puts no core file beside a program: only the limit of the daemon was looked at");
        return;
    }
    let mut search = Search::default();
    search.add("key", key.as_bytes());
    assert!(!search.under(folder.path()).is_empty(), "the search finds what a core file holds");
}

#[test]
fn the_search_finds_each_spelling() {
    let (secret, folder) = (planted::text(), tempfile::tempdir().unwrap());
    let mut search = Search::default();
    search.add("it", secret.as_bytes());
    let file = folder.path().join("a");
    for form in planted::forms(secret.as_bytes()) {
        std::fs::write(&file, [b"around ", &form[..], b" it"].concat()).unwrap();
        assert_eq!(search.under(folder.path()).len(), 1, "{}", form.escape_ascii());
    }
    use base64::Engine;
    for before in ["", "a", "ab", "abc"] {
        let longer = format!("{before}{secret} and more");
        std::fs::write(&file, base64::engine::general_purpose::STANDARD.encode(longer)).unwrap();
        assert_eq!(search.under(folder.path()).len(), 1, "{before}");
    }
    std::fs::write(&file, secret.to_lowercase()).unwrap();
    assert_eq!(search.under(folder.path()), []);
}

//! Secrets stay secret: what was planted is searched for in all that a gateway ever wrote and said.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use dmgw::api::ROUTES;
use dmgw::seal::Seal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::{Value, json};
use support::planted::{self, Search};
use support::{Gateway, Plant, eventually, text, told};

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("keys");
const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");

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
fn that_may_dump(folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_dmgw")]).current_dir(folder);
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

fn join(gateway: &mut Gateway, plant: &Plant, name: &str, key: &str) {
    gateway.start();
    gateway.post("/v1/ask", &register(name, key)).ok();
    gateway.kill();
    attach(gateway, plant);
    gateway.start();
    is_up(gateway, name);
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
        self.cli(&["register", "serial:acme:one", "--key-file", &file, "--label", &mark, "--json"]);
        let list = self.file("list.csv", &format!("identity,key\nserial:acme:two,{}\n", keys[1]));
        self.cli(&["register", &list]);
        let list = format!(
            "[[device]]\nidentities = [{{ kind = \"serial\", value = \"acme:three\" }}]\nkey = \"{}\"\n",
            keys[2]
        );
        let list = self.file("list.toml", &list);
        self.cli(&["register", &list, "--json"]);
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
                assert!(says.contains("error") || says.contains("refused"), "{says}");
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
            self.cli(&["register", &list]);
            self.cli(&["register", &list, "--json"]);
        }
        let long = self.file("long.key", &key.repeat(6));
        self.cli(&["register", "serial:acme:five", "--key-file", &long]);
    }

    fn look_everywhere(&mut self) {
        let listed = self.gateway.get("/v1/devices").ok();
        let ids = listed["devices"].as_array().unwrap().iter().map(|device| device["id"].as_str().unwrap().to_owned());
        for id in ids.collect::<Vec<_>>() {
            for route in ROUTES.iter().filter_map(|route| route.strip_prefix("GET ")) {
                let answer = self.gateway.get(&route.replace("{id}", &id)).body.to_string();
                self.keep(&answer);
            }
            self.cli(&["devices", &id]);
            self.cli(&["log", &id]);
        }
        for words in ["status", "devices", "attempts", "links", "commands", "journal vital", "journal events"] {
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
    gateway.start_as(that_may_dump(&folder));

    let mut said = Said { gateway: &gateway, desk: tempfile::tempdir().unwrap(), count: 0 };
    said.register(&keys, &marker);
    let (desk, count) = (said.desk, said.count);
    gateway.kill();
    attach(&gateway, &plant);
    gateway.start_as(that_may_dump(&folder));
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
    let mut plant = that_may_dump(folder.path()).arg("sim").arg(&file).stderr(Stdio::null()).spawn().unwrap();
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

/// As a version before sealing left them.
fn put_in_clear(store: &Path, key: &str) {
    let with_checksum = |row: &[u8], payload: &[u8]| {
        let crc = crc32c::crc32c_append(crc32c::crc32c(row), payload);
        [payload, &crc.to_le_bytes()].concat()
    };
    let db = redb::Database::open(store).unwrap();
    let rows = db.begin_read().unwrap().open_table(ROWS).unwrap();
    let rows: Vec<Vec<u8>> = rows.iter().unwrap().map(|row| row.unwrap().0.value().to_vec()).collect();
    assert_eq!(rows.len(), 1);
    let txn = db.begin_write().unwrap();
    for row in rows {
        let in_clear = with_checksum(&row, key.as_bytes());
        txn.open_table(ROWS).unwrap().insert(&row[..], &in_clear[..]).unwrap();
    }
    let name = &b"format.keys"[..];
    txn.open_table(META).unwrap().insert(name, &with_checksum(name, &[1])[..]).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_key_that_was_kept_in_clear_is_found_before_and_not_after_the_next_start_and_still_counts() {
    let key = planted::text();
    let plant = plant(&[device("one", "one", &key)]);
    let mut gateway = gateway();
    join(&mut gateway, &plant, "one", &key);
    gateway.terminate();
    let folder = gateway.folder.path().to_owned();
    let mut search = Search::default();
    search.add("key", key.as_bytes());
    assert_eq!(search.under(&folder), []);
    put_in_clear(&folder.join("state.redb"), &key);
    assert_eq!(search.under(&folder).len(), 1, "the search finds what is there");
    gateway.start();
    assert_eq!(search.under(&folder), []);
    is_up(&gateway, "one");
    gateway.kill();
    assert_eq!(search.under(&folder), []);
}

#[test]
fn another_key_of_the_seal_costs_the_secrets_and_nothing_else_and_the_right_one_brings_them_back() {
    let key = planted::text();
    let plant = plant(&[device("one", "one", &key)]);
    let mut gateway = gateway();
    join(&mut gateway, &plant, "one", &key);
    let public = gateway.get("/v1/status").ok()["public_key"].clone();
    assert_eq!(told(&gateway, &["secret", "public"]), (0, format!("{}\n", public.as_str().unwrap())));
    gateway.terminate();
    let (seal, away) = (gateway.folder.path().join("seal.key"), gateway.folder.path().join("away"));
    std::fs::rename(&seal, &away).unwrap();
    let own = std::fs::read(gateway.folder.path().join("gateway.key")).unwrap();

    gateway.start();
    assert_eq!(gateway.get("/v1/status").ok()["public_key"], Value::Null);
    let (code, says) = told(&gateway, &["secret", "public"]);
    assert!(code == 1 && says.contains("could not open its own key"), "{says}");
    assert!(told(&gateway, &["status"]).1.contains("cannot be opened"));
    eventually("nobody is believed", || {
        gateway.get("/v1/attempts").body.to_string().contains("unproven").then_some(())
    });
    for says in ["the gateway has no own key", "move it away and restart", "whoever shows one is not believed"] {
        assert!(gateway.log().contains(says), "{says}: {}", gateway.log());
    }
    gateway.terminate();

    assert_eq!(std::fs::read(gateway.folder.path().join("gateway.key")).unwrap(), own);
    std::fs::rename(&away, &seal).unwrap();
    gateway.start();
    assert_eq!(gateway.get("/v1/status").ok()["public_key"], public);
    is_up(&gateway, "one");
}

#[test]
fn a_key_that_others_may_read_stops_the_start_with_what_to_do() {
    let mut gateway = Gateway::new("");
    gateway.start();
    gateway.terminate();
    let key = gateway.folder.path().join("seal.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    gateway.launch();
    assert!(!gateway.wait().success());
    assert!(gateway.log().contains(&format!("chmod 600 {}", key.display())), "{}", gateway.log());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    gateway.start();
}

/// What `dmgw secret seal` says to this on its standard input.
fn sealed_by(gateway: &Gateway, secret: &str, words: &[&str]) -> (i32, String) {
    use std::io::Write;
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    command.args(["secret", "seal"]).args(words).arg("--config").arg(gateway.config());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who refuses before it reads has closed its end.
    let _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
    let ended = child.wait_with_output().unwrap();
    (ended.status.code().unwrap(), text(&ended.stdout) + &text(&ended.stderr))
}

#[test]
fn a_secret_is_sealed_for_the_settings_and_opens_with_the_key_beside_the_store() {
    let mut gateway = Gateway::new("");
    let (code, says) = sealed_by(&gateway, "hunter22", &[]);
    assert!(code == 1 && says.contains("the daemon makes it at its first start"), "{says}");
    gateway.start();
    let key = gateway.folder.path().join("seal.key");
    let opened = |sealed: &str| {
        let sealed = sealed.parse().unwrap();
        Seal::in_file(&key).unwrap().open(&sealed, "config").unwrap().reveal().to_owned()
    };
    let (code, says) = sealed_by(&gateway, "hunter22\n", &[]);
    let settings: toml::Table = toml::from_str(&format!("password = {says}")).unwrap();
    assert_eq!((code, opened(settings["password"]["sealed"].as_str().unwrap()).as_str()), (0, "hunter22"));
    let says = sealed_by(&gateway, "hunter22", &["--json"]).1;
    let shown: Value = serde_json::from_str(&says).unwrap();
    assert_eq!(opened(shown["sealed"].as_str().unwrap()), "hunter22");
    let (code, says) = sealed_by(&gateway, "", &[]);
    assert!(code == 2 && says.contains("empty"), "{says}");
    let (code, says) = sealed_by(&gateway, "hunter22", &["--key", "nowhere.key"]);
    assert!(code == 1 && says.contains("there is no key nowhere.key") && !says.contains("hunter22"), "{says}");
}

#[test]
fn a_terminal_does_not_show_the_secret_that_is_typed_and_ctrl_c_calls_it_off() {
    let mut gateway = Gateway::new("");
    gateway.start();
    for (typed, code, says) in [("hunter22\n", 0, "dmgw1:"), ("hunt\x03", 1, "called off")] {
        let (shown, said, ended, echoes) = at_a_terminal(&gateway, typed);
        assert!(shown.contains("Secret") && !shown.contains("hunt"), "{shown:?}");
        assert!(ended == code && format!("{shown}{said}").contains(says), "{shown:?} {said:?}");
        assert!(echoes, "the terminal shows again what is typed");
    }
}

/// What the terminal showed, what went to the standard output, how it ended, and whether the terminal echoes after.
fn at_a_terminal(gateway: &Gateway, typed: &str) -> (String, String, i32, bool) {
    let pty = nix::pty::openpty(None, None).unwrap();
    let slave = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    command.args(["secret", "seal"]).arg("--config").arg(gateway.config());
    let child = command.stdin(slave()).stdout(Stdio::piped()).stderr(slave()).spawn().unwrap();
    let mut shown = String::new();
    let mut look = || {
        let mut part = [0; 256];
        let length = nix::unistd::read(&pty.master, &mut part).unwrap();
        shown += &String::from_utf8_lossy(&part[..length]);
        shown.contains("not shown").then_some(())
    };
    eventually("it asks", &mut look);
    nix::unistd::write(&pty.master, typed.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    // Something that ends the reading.
    nix::unistd::write(&pty.slave, b"not shown.").unwrap();
    look();
    let echoes = nix::sys::termios::tcgetattr(&pty.slave).unwrap().local_flags;
    let echoes = echoes.contains(nix::sys::termios::LocalFlags::ECHO);
    (shown, text(&ended.stdout), ended.status.code().unwrap(), echoes)
}

//! The command line from afar: the real `dmgw` at the real door with TLS, as viewer, operator and stranger; and what a
//! person is told where it cannot come in.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::json;
use support::tls::{Pair, listens};
use support::{Gateway, Plant, TWO_DEVICES, dmgw, eventually, file, text};

const SETTINGS: &str = "[api]\nlisten = \"127.0.0.1:0\"\ncertificate = \"{dir}/tls.pem\"\n\
    key = { file = \"{dir}/tls.key\" }\n[group.all]\nfor = { link = \"plant\" }\n[profile.acme-meter]\nmatch = [{ identity = \"serial:none:*\" }]\n";

struct There {
    plant: Plant,
    gateway: Gateway,
    at: SocketAddr,
    pair: Pair,
}

impl There {
    /// A gateway whose certificate is for this name.
    fn begin(name: &str) -> There {
        let (pair, plant) = (Pair::new(name), Plant::start(TWO_DEVICES));
        let link = Gateway::settings(&plant, "200ms", "", "");
        let mut gateway = Gateway::new(&format!("{SETTINGS}{link}"));
        pair.write(gateway.folder.path(), "tls");
        gateway.start();
        for device in ["relay-1", "meter-1", "meter-2"] {
            gateway.wait_for_device(device);
        }
        let at = eventually("it listens", || listens(&gateway.get("/v1/status").body));
        There { plant, gateway, at, pair }
    }

    fn path(&self, name: &str) -> String {
        self.gateway.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The file with a new token.
    fn token(&self, name: &str, role: &str) -> String {
        let path = file(&self.gateway, &format!("{name}.token"), &self.gateway.token(name, role, None));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// From another machine: without the settings, the socket and the environment of this one.
    fn run(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = dmgw();
        command.args(words).args(["--config", "/nowhere/dmgw.toml"]).envs(environment.iter().copied());
        command.env("COLUMNS", "200").output().unwrap()
    }

    fn url(&self) -> String {
        format!("https://{}", self.at)
    }

    /// As whoever has this token, who knows the gateway by its certificate.
    fn says(&self, words: &[&str], token: &str) -> (i32, String) {
        let (url, ca) = (self.url(), self.path("tls.pem"));
        said(&self.run(&[words, &["--url", &url, "--ca", &ca, "--token-file", token]].concat(), &[]))
    }
}

fn said(ended: &Output) -> (i32, String) {
    (ended.status.code().unwrap(), text(&ended.stdout) + &text(&ended.stderr))
}

#[test]
fn from_afar_a_viewer_sees_all_lists_and_changes_nothing() {
    let there = There::begin("127.0.0.1");
    let eye = there.token("eye", "viewer");
    for (words, has) in [
        (&["status"][..], "from afar"),
        (&["link", "list"], "plant"),
        (&["link", "show", "plant"], "meter-1"),
        (&["device", "list"], "relay-1"),
        (&["device", "show", "relay-1"], "relay.0.on"),
        (&["device", "log", "relay-1"], "up"),
        (&["device", "attempts"], "nobody was turned away"),
        (&["point", "list"], "power.0.active"),
        (&["point", "show", "relay-1", "relay.on"], "value"),
        (&["group", "list"], "all"),
        (&["group", "show", "all"], "meter-2"),
        (&["profile", "list", "--running"], "acme-meter"),
        (&["command", "list"], "no command is open"),
        (&["journal", "show", "events"], "The newest may be missing"),
        (&["read", "relay-1", "relay.on"], "relay.0.on = false"),
        (&["config", "log-level"], "info"),
        (&["secret", "public"], ""),
        (&["version"], "dmgw"),
    ] {
        let (code, says) = there.says(words, &eye);
        assert!(code == 0 && says.contains(has), "{words:?}: {code} {says}");
    }
    for words in [
        &["write", "relay-1", "relay.on", "true"][..],
        &["command", "ask", "relay-1", "restart"],
        &["device", "register", "serial:a:1"],
        &["config", "reload"],
        &["config", "show", "--running"],
        &["config", "log-level", "debug"],
        &["token", "list"],
        &["token", "create", "x", "--role", "viewer"],
        &["link", "discover", "plant"],
        &["journal", "ack", "events", "app", "0"],
    ] {
        let (code, says) = there.says(words, &eye);
        assert!(code == 1 && says.contains("eye may not"), "{words:?}: {says}");
    }
    assert_eq!(there.plant.carried_out("acme:relay-1", "write"), 0);
    let hand = there.token("hand", "operator");
    assert_eq!(there.says(&["write", "relay-1", "relay.on", "true"], &hand).0, 0);
    eventually("the plant saw it", || (there.plant.carried_out("acme:relay-1", "write") == 1).then_some(()));
}

#[test]
fn what_needs_the_files_of_the_gateway_says_so_and_does_nothing() {
    let there = There::begin("127.0.0.1");
    let root = there.token("root", "administrator");
    let bundle = there.path("b.tar.zst");
    for words in [&["bundle", &bundle][..], &["secret", "seal"], &["device", "adopt", "relay-1"], &["config", "show"]] {
        let (code, says) = there.says(words, &root);
        assert!(code == 2 && says.contains("works on the gateway itself"), "{words:?}: {code} {says}");
    }
    assert!(!std::path::Path::new(&bundle).exists());
    assert!(there.says(&["config", "show", "--running"], &root).1.contains("link.plant.every"));
    assert!(there.says(&["export"], &root).1.contains("[device.relay-1]"));
}

#[test]
fn a_gateway_is_known_by_its_fingerprint_and_somebody_by_a_certificate_or_the_environment() {
    let there = There::begin("gateway.test");
    let (_, says) = support::told(&there.gateway, &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&says).unwrap();
    let mark = format!("sha256:{}", status["certificate"].as_str().unwrap());
    assert_eq!(mark, there.pair.mark());
    let ann = Pair::new("ann");
    ann.write(there.gateway.folder.path(), "ann");
    let pem = there.path("ann.pem");
    let made = support::told(&there.gateway, &["token", "create", "ann", "--role", "viewer", "--certificate", &pem]);
    assert_eq!(made.0, 0, "{}", made.1);
    let url = there.url();
    let own = ["--client-certificate", &pem, "--client-key", &there.path("ann.key")];
    let words = [&["device", "list", "--url", &url, "--fingerprint", &mark][..], &own].concat();
    let (code, says) = said(&there.run(&words, &[]));
    assert!(code == 0 && says.contains("meter-1"), "{says}");

    let secret = there.gateway.token("bob", "viewer", None);
    let environment = [("DMGW_URL", &url[..]), ("DMGW_FINGERPRINT", &mark), ("DMGW_TOKEN", &secret)];
    assert_eq!(said(&there.run(&["device", "list"], &environment)).0, 0);
    // It is for the gateway far away; at the socket it counts for nothing.
    let socket = there.gateway.socket();
    let words = ["write", "relay-1", "relay.on", "true", "--socket", socket.to_str().unwrap()];
    assert_eq!(said(&there.run(&words, &environment)).0, 0, "whoever is at the socket is root");
    let (code, says) = said(&there.run(&words[..4], &environment));
    assert!(code == 1 && says.contains("bob may not"), "{says}");

    there.gateway.delete("/v1/tokens/ann");
    let words = [&["device", "list", "--url", &url, "--fingerprint", &mark][..], &own].concat();
    let (code, says) = said(&there.run(&words, &[]));
    assert!(code == 1 && says.contains("it is not known who asks") && says.contains("--token-file"), "{says}");
}

#[test]
fn why_nobody_can_come_in_is_told_with_what_to_do() {
    let there = There::begin("gateway.test");
    let (eye, url, ca) = (there.token("eye", "viewer"), there.url(), there.path("tls.pem"));
    let other = Pair::new("127.0.0.1");
    other.write(there.gateway.folder.path(), "other");
    let (other_ca, other_mark) = (there.path("other.pem"), other.mark());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let speaks = plain.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in plain.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let (closed, speaks) = (format!("https://{closed}"), format!("https://{speaks}"));
    for (words, code, why, what) in [
        (&["--url", &url][..], 4, "nobody who is trusted here vouches", "--ca FILE"),
        (&["--url", &url, "--ca", &other_ca], 4, "nobody who is trusted here vouches", "--fingerprint sha256"),
        (&["--url", &url, "--ca", &ca], 4, "is for another name than 127.0.0.1", "--fingerprint sha256"),
        (&["--url", &url, "--fingerprint", &other_mark], 4, "another certificate", "stands in between"),
        (&["--url", &closed, "--ca", &ca], 4, "nobody listens there", "api.listen"),
        (&["--url", &speaks, "--ca", &ca], 4, "does not speak TLS", "the right port"),
        (&["--url", "https://no.such.name.invalid:1"], 4, "its name is not known", "spelled right"),
        (&["--url", "http://127.0.0.1:1"], 2, "does not begin with https://", "https://HOST:PORT"),
        (&["--url", &url, "--fingerprint", "sha256:12"], 2, "64 hexadecimal digits", "--help"),
        (&["--url", &url, "--ca", &eye], 2, "no certificate", "PEM"),
    ] {
        let (ended, says) = said(&there.run(&[&["status", "--token-file", &eye], words].concat(), &[]));
        assert!(ended == code && says.contains(why) && says.contains(what), "{words:?}: {ended} {says}");
        assert!(!says.contains("dmgw_"), "{says}");
    }
    // Without a token, and with one that is good no more.
    let mark = there.pair.mark();
    let ask =
        |more: &[&str]| said(&there.run(&[&["status", "--url", &url, "--fingerprint", &mark], more].concat(), &[]));
    assert!(ask(&[]).1.contains("--token-file FILE or in DMGW_TOKEN"), "{:?}", ask(&[]));
    assert_eq!(ask(&["--token-file", &eye]).0, 0);
    assert_eq!(there.gateway.delete("/v1/tokens/eye").status, 204);
    let (code, says) = ask(&["--token-file", &eye]);
    assert!(code == 1 && says.contains("not good here, or no more"), "{says}");
    let told = there.run(&["status", "--url", &url, "--fingerprint", &mark, "--json"], &[]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["type"], &told["status"]), (&json!("urn:dmgw:problem:not-known-who"), &json!(401)));
}

#[test]
fn who_watches_from_afar_hears_of_what_happens() {
    use std::io::{BufRead, BufReader};
    let there = There::begin("127.0.0.1");
    let (eye, url, ca) = (there.token("eye", "viewer"), there.url(), there.path("tls.pem"));
    let mut command = dmgw();
    command.args(["watch", "--streams", "telemetry", "--json", "--url", &url, "--ca", &ca, "--token-file", &eye]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(line.contains("\"heard\""), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
}

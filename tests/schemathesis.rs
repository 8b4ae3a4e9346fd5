//! The published description in the hands of strangers: a validator of OpenAPI reads it, and schemathesis asks the running
//! daemon by it whatever it allows and much that it does not. No answer may be a fault of the daemon (500), each must be as
//! described, and what is not allowed must be refused.
//!
//! As root at the socket, and over TLS with the token of a viewer who sees one device. The seed and the number of examples
//! are fixed. Whether what is allowed is also accepted is not asked: a selector is a text, and not each text is a selector.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::tls::{Pair, listens};
use support::{Gateway, Plant, TWO_DEVICES, eventually, text};

const SETTINGS: &str = "[api]\nlisten = \"127.0.0.1:0\"\ncertificate = \"{dir}/api.pem\"\n\
    key = { file = \"{dir}/api.key\" }\n[limits]\nrequests = 0\n[journal.readers]\napp = [\"vital\"]\n";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method,ignored_auth";
const EXAMPLES: &str = "25";

/// What `tests/tools.sh python` has installed.
fn tool(name: &str, why: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin").join(name);
    if !path.exists() {
        println!("SKIP {why}: {name} is not installed and could not be; tests/tools.sh python");
        return None;
    }
    Some(path)
}

fn validates(python: &Path, document: &Path) -> bool {
    Command::new(python).args(["-m", "openapi_spec_validator"]).arg(document).output().unwrap().status.success()
}

#[test]
fn the_document_is_openapi_for_others_too() {
    let Some(python) = tool("python", "the_document_is_openapi_for_others_too") else { return };
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/openapi.json");
    assert!(validates(&python, &document));
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.json");
    let right = std::fs::read_to_string(document).unwrap();
    std::fs::write(&broken, right.replace("\"required\":true,", "\"required\":7,")).unwrap();
    assert!(!validates(&python, &broken));
}

/// From TCP to the socket, for clients that know no sockets. Its threads end with their connections.
fn forwarder(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let socket = socket.clone();
            std::thread::spawn(move || forward(stream, &socket));
        }
    });
    port
}

fn forward(stream: TcpStream, socket: &Path) {
    let Ok(daemon) = UnixStream::connect(socket) else { return };
    let (from, mut to) = (stream.try_clone().unwrap(), daemon.try_clone().unwrap());
    std::thread::spawn(move || {
        copy(from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let mut stream = stream;
    copy(daemon, &mut stream);
    let _ = stream.shutdown(Shutdown::Both);
}

fn copy(mut from: impl Read, to: &mut impl Write) {
    let mut part = [0; 8_192];
    while let Ok(length @ 1..) = from.read(&mut part) {
        if to.write_all(&part[..length]).is_err() {
            return;
        }
    }
}

struct World {
    gateway: Gateway,
    pair: Pair,
    _plant: Plant,
}

fn world() -> World {
    let plant = Plant::start(TWO_DEVICES);
    let pair = Pair::new("gateway.test");
    let link = Gateway::settings(&plant, "200ms", "", "");
    let mut gateway = Gateway::new(&format!("{link}{SETTINGS}"));
    pair.write(gateway.folder.path(), "api");
    gateway.start();
    gateway.wait_for_device("relay-1");
    World { gateway, pair, _plant: plant }
}

/// What it found; nothing, where all is well.
fn asked(world: &World, st: &Path, words: &[&str]) -> Result<String, String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/openapi.json");
    let mut command = Command::new(st);
    command.arg("run").arg(document).args(words).current_dir(world.gateway.folder.path());
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES]);
    command.args(["--seed", "7", "--generation-deterministic", "--no-shrink"]);
    // It has no end, and schemathesis waits for one.
    command.args(["--exclude-path", "/v1/stream"]);
    command.args(["--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off", "--no-color"]);
    let ended = command.output().unwrap();
    let says = text(&ended.stdout) + &text(&ended.stderr);
    assert_eq!(world.gateway.get("/v1/status").status, 200, "{says}");
    if ended.status.success() { Ok(says) } else { Err(says) }
}

#[test]
fn root_at_the_socket_is_answered_as_described_whatever_is_asked() {
    let Some(st) = tool("st", "root_at_the_socket_is_answered_as_described_whatever_is_asked") else { return };
    let world = world();
    let url = format!("http://127.0.0.1:{}", forwarder(world.gateway.socket()));
    // Whoever is at the socket needs to show nothing.
    asked(&world, &st, &["--url", &url, "--exclude-checks", "ignored_auth"]).unwrap_or_else(|says| panic!("{says}"));
}

#[test]
fn a_viewer_from_afar_is_answered_as_described_whatever_is_asked() {
    let Some(st) = tool("st", "a_viewer_from_afar_is_answered_as_described_whatever_is_asked") else { return };
    let world = world();
    let at = eventually("it listens", || listens(&world.gateway.get("/v1/status").body));
    let token = world.gateway.token("ann", "viewer", Some("name == \"relay\" || id.endsWith(\"relay-1\")"));
    let (url, line) = (format!("https://127.0.0.1:{}", at.port()), format!("Authorization: Bearer {token}"));
    assert!(!world.pair.pem.is_empty());
    asked(&world, &st, &["--url", &url, "--tls-verify", "false", "--header", &line])
        .unwrap_or_else(|says| panic!("{says}"));
}

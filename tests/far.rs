//! From afar: TLS, tokens, certificates, and what happens to those who come in crowds or say nothing.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use support::tls::{Pair, connect, exchange, get, listens};
use support::{Gateway, eventually};

const SETTINGS: &str = "[api]\nlisten = \"127.0.0.1:0\"\ncertificate = \"{dir}/gateway.pem\"\n\
    key = { file = \"{dir}/gateway.key\" }\n";

/// Listening; and the certificate that it shows.
fn listening(more: &str) -> (Gateway, Pair, SocketAddr) {
    let pair = Pair::new("gateway.test");
    let mut gateway = Gateway::new(&format!("{SETTINGS}{more}"));
    pair.write(gateway.folder.path(), "gateway");
    gateway.start();
    let at = eventually("it listens", || listens(&gateway.get("/v1/status").body));
    (gateway, pair, at)
}

#[test]
fn from_afar_a_token_or_a_certificate_lets_in_and_nothing_else() {
    let (gateway, pair, at) = listening("");
    let status = |token: Option<&str>, own: Option<&Pair>| get(at, &pair, "/v1/status", token, own).unwrap();
    let stranger = status(None, None);
    assert_eq!((stranger.status, stranger.fault().0), (401, "not-known-who"));
    assert!(stranger.head.contains("www-authenticate: bearer"), "{stranger:?}");
    let token = gateway.token("ann", "viewer", None);
    assert_eq!(status(Some(&token), None).status, 200);
    assert_eq!(status(Some(&format!("{token}A")), None).status, 401);

    // A certificate, by its mark.
    let bob = Pair::new("bob");
    assert_eq!(status(None, Some(&bob)).status, 401);
    let wanted = json!({ "name": "bob", "role": "operator", "certificate": bob.mark() });
    let made = gateway.post("/v1/tokens", &wanted).ok();
    assert_eq!((&made["shows"], &made["token"]), (&json!("certificate"), &Value::Null));
    assert_eq!(status(None, Some(&bob)).status, 200);
    assert_eq!(status(None, Some(&Pair::new("bob"))).status, 401, "another one of the same name");
    // What is shown with the request counts more than what is shown with the connection.
    let config = |token: Option<&str>| get(at, &pair, "/v1/config", token, Some(&bob)).unwrap().status;
    assert_eq!((config(None), config(Some(&token))), (200, 403));
    assert_eq!(gateway.delete("/v1/tokens/bob").status, 204);
    assert_eq!(status(None, Some(&bob)).status, 401);
}

#[test]
fn a_certificate_that_is_taken_back_is_so_on_a_connection_that_stands() {
    let (gateway, pair, at) = listening("");
    let bob = Pair::new("bob");
    gateway.post("/v1/tokens", &json!({ "name": "bob", "role": "viewer", "certificate": bob.mark() })).ok();
    let mut standing = connect(at, &pair, Some(&bob)).unwrap();
    write!(standing, "GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut first = [0; 12];
    standing.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert_eq!(gateway.delete("/v1/tokens/bob").status, 204);
    // What is left of the first answer goes before the second.
    write!(standing, "GET /v1/status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = standing.read_to_end(&mut rest);
    assert!(support::text(&rest).contains("HTTP/1.1 401"), "{}", support::text(&rest));
}

#[test]
fn who_from_afar_asked_what_stands_in_the_journal() {
    let (gateway, pair, at) = listening("");
    let token = gateway.token("ann", "operator", None);
    let mut stream = connect(at, &pair, None).unwrap();
    assert_eq!(exchange(&mut stream, "POST", "/v1/config/reload", Some(&token)).unwrap().status, 403);
    let audit = eventually("it is told", || {
        let page = gateway.get("/v1/journal/vital?limit=1000").ok();
        let records = page["records"].as_array().unwrap().iter();
        records.map(|held| held["record"]["audit"].clone()).find(|audit| audit["by"] == "ann")
    });
    assert_eq!((&audit["from"], &audit["what"]), (&json!("127.0.0.1"), &json!("configure")), "{audit}");
}

#[test]
fn a_certificate_that_is_renewed_is_shown_without_a_restart() {
    let (gateway, pair, at) = listening("");
    let token = gateway.token("ann", "viewer", None);
    let new = Pair::new("gateway.test");
    new.write(gateway.folder.path(), "gateway");
    assert_eq!(get(at, &new, "/v1/status", Some(&token), None).unwrap().status, 200);
    assert!(get(at, &pair, "/v1/status", Some(&token), None).is_err(), "the old one is shown no more");
    // Half of a file is not taken over.
    std::fs::write(gateway.folder.path().join("gateway.pem"), &pair.pem[..200]).unwrap();
    assert_eq!(get(at, &new, "/v1/status", Some(&token), None).unwrap().status, 200);
}

#[test]
fn where_no_certificate_can_be_read_the_rest_goes_on_and_it_is_tried_again() {
    let mut gateway = Gateway::new(SETTINGS);
    gateway.start();
    assert!(listens(&gateway.get("/v1/status").ok()).is_none());
    eventually("it is told", || gateway.log().contains("nobody can come from afar yet").then_some(()));
    let pair = Pair::new("gateway.test");
    pair.write(gateway.folder.path(), "gateway");
    let at = eventually("it listens", || listens(&gateway.get("/v1/status").body));
    assert_eq!(get(at, &pair, "/v1/status", None, None).unwrap().status, 401);
}

#[test]
fn one_address_takes_no_more_places_than_it_may() {
    let (gateway, pair, at) = listening("connections = 8\nper_address = 2\n");
    let token = gateway.token("ann", "viewer", None);
    let held: Vec<_> = (0..2).map(|_| connect(at, &pair, None).unwrap()).collect();
    let third = get(at, &pair, "/v1/status", Some(&token), None);
    assert!(third.is_err(), "{third:?}");
    // Nobody from afar keeps root from the socket.
    assert_eq!(gateway.get("/v1/status").status, 200);
    drop(held);
    eventually("there is a place again", || get(at, &pair, "/v1/status", Some(&token), None).ok());
}

#[test]
fn whoever_does_not_speak_tls_is_not_answered() {
    let (gateway, _pair, at) = listening("");
    let mut plain = TcpStream::connect(at).unwrap();
    plain.write_all(b"GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!support::text(&said).contains("HTTP"), "{}", support::text(&said));
    assert_eq!(gateway.get("/v1/status").status, 200);
}

#[test]
fn a_token_that_is_taken_back_is_worth_nothing_for_what_is_still_on_its_way() {
    let (gateway, _pair, _at) = listening("");
    let token = gateway.token("eve", "administrator", None);
    let wanted = json!({ "name": "another", "role": "administrator" }).to_string();
    let mut standing = support::http::connect(&gateway.socket()).unwrap();
    let length = wanted.len();
    let head = format!("host: a\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\nconnection: close");
    write!(standing, "POST /v1/tokens HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    support::pause(std::time::Duration::from_millis(300));
    assert_eq!(gateway.delete("/v1/tokens/eve").status, 204);
    standing.write_all(wanted.as_bytes()).unwrap();
    let mut said = Vec::new();
    let _ = standing.read_to_end(&mut said);
    assert!(support::text(&said).starts_with("HTTP/1.1 401"), "{}", support::text(&said));
    assert_eq!(gateway.get("/v1/tokens").ok()["tokens"], json!([]));
}

#[test]
fn whoever_is_let_in_anew_by_the_same_certificate_goes_on_as_who_they_are_now() {
    let (gateway, pair, at) = listening("");
    let bob = Pair::new("bob");
    let let_in = |of: Value| {
        let wanted = json!({ "name": "bob", "role": "viewer", "certificate": bob.mark(), "for": of });
        gateway.post("/v1/tokens", &wanted).ok();
    };
    let_in(Value::Null);
    let mut standing = connect(at, &pair, Some(&bob)).unwrap();
    write!(standing, "GET /v1/stream HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut first = [0; 12];
    standing.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert_eq!(gateway.delete("/v1/tokens/bob").status, 204);
    let_in(json!("link == \"nowhere\""));
    // The stream of whoever they were ends, with what happens next or with its next comment.
    let mut rest = Vec::new();
    let _ = standing.read_to_end(&mut rest);
    assert!(support::text(&rest).ends_with("\r\n0\r\n\r\n"), "{}", support::text(&rest));
    assert!(!support::text(&rest).contains("audit"), "{}", support::text(&rest));
}

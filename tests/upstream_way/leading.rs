//! A real CONNECT goes over each way and a real broker greets us.

use std::path::Path;

use dmgw::upstream::way::expiry;
use dmgw::upstream::way::trouble::day;
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::authority::{Authority, NAME, Pair, alone};
use crate::broker::{Broker, OLD_TLS, shows, wants};
use crate::{CONNACK, CONNECT, greets, open, route, stranger};

struct Made {
    folder: TempDir,
    authority: Authority,
    pair: Pair,
}

/// An authority `ours.pem`, and what it made for a broker.
fn made() -> Made {
    let folder = tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ours");
    let pair = authority.signs(folder.path(), "broker", NAME);
    Made { folder, authority, pair }
}

fn tls(folder: &Path) -> String {
    format!("[tls]\nca = {:?}\nname = \"{NAME}\"\n", folder.join("ours.pem"))
}

#[tokio::test]
async fn without_anything_in_between() {
    let folder = tempdir().unwrap();
    let Some(broker) = Broker::start("without_anything_in_between", folder.path(), "") else { return };
    let leads = greets(&format!("url = \"mqtt://{}\"", broker.at)).await;
    assert_eq!((leads.peer, leads.tls), (broker.at, None));
    // The same by a name, which somebody must look up; and by an interface.
    greets(&format!("url = \"mqtt://localhost:{}\"", broker.at.port())).await;
    greets(&format!("url = \"mqtt://{}\"\ninterface = \"lo\"", broker.at)).await;
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return println!("SKIP without_anything_in_between: this machine has no IPv6");
    }
    let Some(broker) = Broker::start_at("without_anything_in_between", folder.path(), "[::1]:0", "") else { return };
    greets(&format!("url = \"mqtt://[::1]:{}\"", broker.at.port())).await;
}

#[tokio::test]
async fn in_tls_of_both_kinds_with_when_the_certificates_end() {
    let Made { folder, pair, .. } = made();
    for (how, version) in [(OLD_TLS, "1.2"), ("", "1.3")] {
        let Some(broker) = Broker::start("in_tls_of_both_kinds", folder.path(), &(shows(&pair) + how)) else { return };
        let leads = greets(&format!("url = \"mqtts://{}\"\n{}", broker.at, tls(folder.path()))).await;
        let over = leads.tls.unwrap();
        assert_eq!((over.version, over.own_until), (version, None));
        assert_eq!(day(over.until.unwrap()), "2040-02-29");
    }
}

#[tokio::test]
async fn by_the_mark_of_one_certificate_whatever_stands_in_it() {
    let folder = tempdir().unwrap();
    let pair = alone(folder.path(), "broker", "some.other.name");
    let Some(broker) = Broker::start("by_the_mark", folder.path(), &shows(&pair)) else { return };
    let mark = dmgw::trust::mark_of(&pair.der);
    greets(&format!("url = \"mqtts://{}\"\ntls = {{ fingerprint = \"sha256:{mark}\" }}", broker.at)).await;
}

#[tokio::test]
async fn with_a_certificate_of_our_own_that_is_read_anew_for_each_connection() {
    let Made { folder, authority, pair } = made();
    let own = authority.signs(folder.path(), "own", "plant-7");
    let how = shows(&pair) + &wants(folder.path(), "ours");
    let Some(broker) = Broker::start("with_a_certificate_of_our_own", folder.path(), &how) else { return };
    let text = format!(
        "url = \"mqtts://{}\"\n{}certificate = {:?}\nkey = {{ file = {:?} }}",
        broker.at,
        tls(folder.path()),
        own.certificate,
        own.key
    );
    let until = |leads: dmgw::upstream::way::Leads| day(leads.tls.unwrap().own_until.unwrap());
    assert_eq!(until(greets(&text).await), "2040-02-29");
    // Renewed under the same names.
    authority.signs_from(folder.path(), "own", "plant-7", (2020, 1, 1), (2041, 5, 6));
    assert_eq!(day(route(&text).own_until().unwrap().unwrap()), "2041-05-06");
    assert_eq!(until(greets(&text).await), "2041-05-06");
}

#[tokio::test]
async fn in_websocket_with_and_without_tls_and_nothing_of_a_long_message_is_lost() {
    let Made { folder, pair, .. } = made();
    let plain = Broker::start("in_websocket", folder.path(), "protocol websockets\n");
    let Some(plain) = plain else { return };
    greets(&format!("url = \"ws://{}/mqtt\"", plain.at)).await;
    let how = format!("protocol websockets\n{}", shows(&pair));
    let Some(safe) = Broker::start("in_websocket", folder.path(), &how) else { return };
    let text = format!("url = \"wss://{}\"\n{}", safe.at, tls(folder.path()));
    let leads = greets(&text).await;
    assert_eq!(leads.tls.unwrap().version, "1.3");
    returns_a_long_message(&text).await;
    returns_a_long_message(&format!("url = \"ws://{}/mqtt\"", plain.at)).await;
}

/// SUBSCRIBE to `t`, PUBLISH a message that takes many frames each way, and read it back.
async fn returns_a_long_message(text: &str) {
    let mut bytes = open(text).await.unwrap().bytes;
    let carries: Vec<u8> = (0..40_000_u32).map(|n| (n / 7) as u8).collect();
    // Three bytes for its length: 40 003 = 67 + 56 * 128 + 2 * 128².
    let publish = [&[0x30, 0x80 | 67, 0x80 | 56, 2, 0, 1, b't'][..], &carries].concat();
    bytes.write_all(&CONNECT).await.unwrap();
    bytes.write_all(&[0x82, 6, 0, 1, 0, 1, b't', 0]).await.unwrap();
    bytes.write_all(&publish).await.unwrap();
    bytes.flush().await.unwrap();
    let mut back = vec![0; CONNACK.len() + 5 + publish.len()];
    bytes.read_exact(&mut back).await.unwrap();
    assert_eq!(back[..CONNACK.len()], CONNACK);
    assert!(back.ends_with(&publish), "what came back is another message");
    bytes.shutdown().await.unwrap();
}

#[tokio::test]
async fn through_a_proxy_that_may_want_to_know_who_comes() {
    let Made { folder, pair, .. } = made();
    let plain = Broker::start("through_a_proxy", folder.path(), "");
    let safe = Broker::start("through_a_proxy", folder.path(), &shows(&pair));
    let (Some(plain), Some(safe)) = (plain, safe) else { return };
    let (anybody, asked) = stranger::proxy(None);
    let leads = greets(&format!("url = \"mqtt://{}\"\nproxy = {{ url = \"http://{anybody}\" }}", plain.at)).await;
    assert_eq!(leads.peer, anybody);
    // The name goes to the proxy as it is.
    let localhost = format!("localhost:{}", safe.at.port());
    greets(&format!("url = \"mqtts://{localhost}\"\nproxy = {{ url = \"http://{anybody}\" }}\n{}", tls(folder.path())))
        .await;
    let heads = asked.lock().unwrap().clone();
    assert!(heads[1].starts_with(&format!("CONNECT {localhost} HTTP/1.1\r\nHost: {localhost}\r\n")), "{heads:?}");
    // "Aladdin:open sesame"
    let (known, _) = stranger::proxy(Some("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    let password = folder.path().join("password");
    std::fs::write(&password, "open sesame\n").unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let proxy =
        format!("proxy = {{ url = \"http://{known}\", user = \"Aladdin\", password = {{ file = {password:?} }} }}");
    greets(&format!("url = \"mqtts://{}\"\n{proxy}\n{}", safe.at, tls(folder.path()))).await;
}

#[test]
fn the_ends_of_this_machines_own_authorities_are_what_openssl_says() {
    let file = Path::new(dmgw::trust::MACHINE);
    let Ok(text) = std::fs::read_to_string(file) else {
        return println!("SKIP the_ends_of_this_machines_own_authorities: there is no {}", file.display());
    };
    let (folder, mut compared) = (tempdir().unwrap(), 0);
    for pem in text.split_inclusive("-----END CERTIFICATE-----\n").take(40) {
        let one = folder.path().join("one.pem");
        std::fs::write(&one, pem).unwrap();
        let mut openssl = std::process::Command::new("openssl");
        let said = openssl.args(["x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in"]).arg(&one).output();
        let Ok(said) = said else { return println!("SKIP the_ends_of_this_machines_own_authorities: no openssl") };
        let said = crate::support::text(&said.stdout);
        let Some(ends) = said.strip_prefix("notAfter=").and_then(|date| date.split(' ').next()) else { continue };
        let read = expiry::expires(&dmgw::trust::chain(&one).unwrap()).unwrap();
        assert_eq!(day(read), ends, "{pem}");
        compared += 1;
    }
    assert!(compared > 20, "{compared} were compared");
}

//! Each thing that can be in the way, with the very words that a person reads.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dmgw::model::{ClockQuality, Now, Wall};
use dmgw::upstream::way::WayError;
use tempfile::{TempDir, tempdir};

use crate::authority::{Authority, NAME, Pair, alone};
use crate::broker::{Broker, OLD_TLS, shows, wants};
use crate::{now, refused, refused_at, stranger};

/// What is told, of a person who must do something.
#[track_caller]
fn person(why: &WayError, says: &str) {
    assert!(matches!(why, WayError::Person(_)), "{why:?}");
    assert_eq!(why.to_string(), says);
}

struct Made {
    folder: TempDir,
    authority: Authority,
}

fn made() -> Made {
    let folder = tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ours");
    Made { folder, authority }
}

impl Made {
    fn broker(&self, test: &str, pair: &Pair, more: &str) -> Option<Broker> {
        Broker::start(test, self.folder.path(), &(shows(pair) + more))
    }

    fn to(&self, at: SocketAddr, ca: &str) -> String {
        let ca = self.folder.path().join(format!("{ca}.pem"));
        format!("url = \"mqtts://{at}\"\n[tls]\nca = {ca:?}\nname = \"{NAME}\"\n")
    }

    fn showing(&self, at: SocketAddr, own: &Pair) -> String {
        format!("{}certificate = {:?}\nkey = {{ file = {:?} }}\n", self.to(at, "ours"), own.certificate, own.key)
    }
}

const PORTAL: &str = "or a network in between answers in its place, such as a portal where somebody must log in";

#[tokio::test]
async fn nobody_is_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = free.local_addr().unwrap();
    drop(free);
    let why = refused(&format!("url = \"mqtt://{at}\"")).await;
    assert!(matches!(why, WayError::Elsewhere(_)), "{why:?}");
    assert_eq!(why.to_string(), format!("{at}: nobody listens there; does the broker run, and is it the right port?"));
    let why = refused(&format!("url = \"mqtt://{at}\"\ninterface = \"dmgw-none\"")).await;
    person(&why, &format!("{at}: there is no interface dmgw-none; ip link shows those that there are"));
}

#[tokio::test]
async fn the_certificate_of_the_broker_is_not_believed() {
    let made = made();
    let folder = made.folder.path();
    let _others = Authority::new(folder, "others");
    let Some(broker) = made.broker("not_believed", &made.authority.signs(folder, "broker", NAME), "") else { return };
    let at = format!("mqtts://{}", broker.at);
    let others = folder.join("others.pem");
    let why = refused(&made.to(broker.at, "others")).await;
    let vouches = "nobody who is trusted here vouches for its certificate";
    person(&why, &format!("{at}: {vouches}; is {} of the authority that made it? {PORTAL}", others.display()));
    let why = refused(&format!("url = \"{at}\"")).await;
    person(&why, &format!("{at}: {vouches}; name the file of whoever made it as tls.ca; {PORTAL}"));
    let why = refused(&format!("url = \"{at}\"\ntls = {{ fingerprint = \"{}\" }}", "0".repeat(64))).await;
    let says = "it shows another certificate than the one of tls.fingerprint; was it renewed? if not, somebody stands in between";
    person(&why, &format!("{at}: {says}"));
    let why = refused(&made.to(broker.at, "ours").replace(NAME, "other.test")).await;
    let hint = format!("write a name that stands in it into the address, or as tls.name; {PORTAL}");
    person(&why, &format!("{at}: its certificate is for DnsName(\"{NAME}\"), not for other.test; {hint}"));
    let why = refused(&made.to(broker.at, "none")).await;
    assert!(why.to_string().contains("none.pem: No such file"), "{why}");
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_and_for_no_server() {
    let made = made();
    let Some(broker) = made.broker("vouches_for_itself", &alone(made.folder.path(), "alone", NAME), "") else { return };
    let why = refused(&made.to(broker.at, "alone")).await;
    let hint = "let that authority make one for it; or name the SHA-256 of this one as tls.fingerprint";
    let says = "its certificate is that of an authority, and vouches for no server";
    person(&why, &format!("mqtts://{}: {says}; {hint}", broker.at));
}

#[tokio::test]
async fn a_certificate_that_is_over_or_begins_later_and_what_the_clock_has_to_do_with_it() {
    let made = made();
    let pair = made.authority.signs_from(made.folder.path(), "brief", NAME, (2031, 1, 2), (2031, 3, 4));
    let Some(broker) = made.broker("over_or_begins_later", &pair, "") else { return };
    let (at, to) = (format!("mqtts://{}", broker.at), made.to(broker.at, "ours"));
    let on = |millis, quality| Now { wall: Wall(millis), quality, ..Now::default() };
    // 2031-01-01, 2031-02-01, 2031-04-01.
    let [before, within, after] = [1_924_992_000_000, 1_927_670_400_000, 1_932_768_000_000];
    for quality in [ClockQuality::Set, ClockQuality::Held, ClockQuality::Unset] {
        let opened = crate::open_at(&to, on(within, quality)).await;
        assert!(opened.is_ok(), "{:?}", opened.err());
    }
    let why = refused_at(&to, on(after, ClockQuality::Set)).await;
    person(
        &why,
        &format!(
            "{at}: its certificate ended on 2031-03-04; it must be renewed there; the clock of this gateway shows 2031-04-01"
        ),
    );
    let why = refused_at(&to, on(before, ClockQuality::Set)).await;
    let hint = "was it made on a machine whose clock is wrong? the clock of this gateway shows 2031-01-01";
    person(&why, &format!("{at}: its certificate begins on 2031-01-02 only; {hint}"));
    for (millis, quality, says) in [
        (
            before,
            ClockQuality::Unset,
            "begins on 2031-01-02 only, and the clock of this gateway is not set: it shows 2031-01-01",
        ),
        (
            0,
            ClockQuality::Unset,
            "begins on 2031-01-02 only, and the clock of this gateway is not set: it shows 1970-01-01",
        ),
        (
            after,
            ClockQuality::Unset,
            "ended on 2031-03-04, and the clock of this gateway is not set: it shows 2031-04-01",
        ),
        (
            before,
            ClockQuality::Held,
            "begins on 2031-01-02 only, and the clock of this gateway goes on from what it was before a restart: it shows 2031-01-01",
        ),
    ] {
        let why = refused_at(&to, on(millis, quality)).await;
        assert!(matches!(why, WayError::Clock(_)), "{why:?}");
        let hint = "set it (timedatectl, NTP); it is tried again then";
        assert_eq!(why.to_string(), format!("{at}: its certificate {says}; {hint}"));
    }
}

#[tokio::test]
async fn the_broker_wants_a_certificate_and_has_none_or_another() {
    let made = made();
    let folder = made.folder.path();
    let strangers = Authority::new(folder, "strangers");
    let stranger = strangers.signs(folder, "stranger", "plant-7");
    let over = made.authority.signs_from(folder, "over", "plant-7", (2020, 1, 1), (2021, 1, 1));
    let own = made.authority.signs(folder, "own", "plant-7");
    let pair = made.authority.signs(folder, "broker", NAME);
    // In 1.3 it looks at ours only when we have gone on already.
    for version in [OLD_TLS, ""] {
        let more = wants(folder, "ours") + version;
        let Some(broker) = made.broker("the_broker_wants_a_certificate", &pair, &more) else { return };
        crate::greets(&made.showing(broker.at, &own)).await;
        let why = refused(&made.to(broker.at, "ours")).await;
        let wants = "it wants to see a certificate of this gateway, and the settings name none";
        person(&why, &format!("mqtts://{}: {wants}; set tls.certificate and tls.key", broker.at));
        let why = refused(&made.showing(broker.at, &stranger)).await;
        let trusts = "it does not trust whoever vouches for our certificate";
        let hint = "did its authority make tls.certificate, and is the clock there right? its log tells more";
        person(&why, &format!("mqtts://{}: {trusts}; {hint}", broker.at));
        let why = refused(&made.showing(broker.at, &over)).await;
        let says = "it says that our certificate is over; tls.certificate ended on 2021-01-01: renew it";
        person(&why, &format!("mqtts://{}: {says}", broker.at));
    }
}

#[tokio::test]
async fn what_is_named_for_ourselves_cannot_be_used() {
    let made = made();
    let folder = made.folder.path();
    let (one, other) = (made.authority.signs(folder, "one", "a"), made.authority.signs(folder, "other", "b"));
    let nobody = "127.0.0.1:1".parse().unwrap();
    let mixed = Pair { certificate: one.certificate.clone(), key: other.key.clone(), der: Vec::new() };
    let why = refused(&made.showing(nobody, &mixed)).await;
    assert!(why.to_string().starts_with(&format!("tls.key: it does not fit {}", one.certificate.display())), "{why}");
    let swapped = Pair { certificate: other.key.clone(), key: other.certificate.clone(), der: Vec::new() };
    let why = refused(&made.showing(nobody, &swapped)).await;
    let says = "there is no certificate in it, in PEM; name a file with certificates in PEM";
    person(&why, &format!("tls.certificate {}: {says}", other.key.display()));
}

#[tokio::test]
async fn it_is_not_the_port_for_tls_or_it_is() {
    let made = made();
    let plain = Broker::start("not_the_port_for_tls", made.folder.path(), "");
    let pair = made.authority.signs(made.folder.path(), "broker", NAME);
    let (Some(plain), Some(safe)) = (plain, made.broker("not_the_port_for_tls", &pair, "")) else { return };
    let why = refused(&made.to(plain.at, "ours")).await;
    assert!(matches!(why, WayError::Elsewhere(_)), "{why:?}");
    let says = "it ended the connection instead of agreeing on TLS; is it the port for TLS? one without is written mqtt:// or ws://";
    assert_eq!(why.to_string(), format!("mqtts://{}: {says}", plain.at));
    let why = refused(&format!("url = \"mqtt://{}\"", safe.at)).await;
    let says = "it ended the connection without a word";
    let hint = "is it a broker, and a port without TLS? with TLS it is written mqtts://";
    assert_eq!(why.to_string(), format!("mqtt://{}: {says}; {hint}", safe.at));
    // Others say it in TLS before they go.
    let alert = stranger::says(b"\x15\x03\x01\x00\x02\x02\x46");
    let why = refused(&format!("url = \"mqtt://{alert}\"")).await;
    person(&why, &format!("mqtt://{alert}: it speaks TLS; write mqtts:// where there is TLS"));
    let talks = stranger::says(b"220 mail.example ESMTP\r\n");
    let why = refused(&made.to(talks, "ours")).await;
    let says = "it does not speak TLS; is it the right port? one without TLS is written mqtt:// or ws://";
    person(&why, &format!("mqtts://{talks}: {says}"));
    // No TLS newer than 1.1: its hello says so.
    let old = stranger::says(b"\x15\x03\x01\x00\x02\x02\x46");
    let why = refused(&made.to(old, "ours")).await;
    let says = "it and this gateway have no kind of TLS in common (ProtocolVersion)";
    let hint = "the gateway speaks TLS 1.2 and 1.3; something newer must be allowed there";
    person(&why, &format!("mqtts://{old}: {says}; {hint}"));
}

#[tokio::test]
async fn a_portal_answers_in_the_place_of_the_broker() {
    let made = made();
    let found = stranger::says(
        b"HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/?to=x\r\nContent-Length: 0\r\n\r\n",
    );
    let bad = stranger::says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let login = "302 and the way to http://login.hotel.example/";
    let wants = "a network in between wants somebody to log in at its portal first";
    let why = refused(&format!("url = \"mqtt://{found}\"")).await;
    person(&why, &format!("mqtt://{found}: HTTP answers there, not MQTT: {login}; {wants}"));
    let why = refused(&made.to(found, "ours")).await;
    person(&why, &format!("mqtts://{found}: HTTP answers there, not TLS: {login}; {wants}"));
    let why = refused(&format!("url = \"mqtt://{bad}\"")).await;
    let hint = "is it the right port? or a network in between answers in its place";
    person(&why, &format!("mqtt://{bad}: HTTP answers there, not MQTT: 400; {hint}"));
    let why = refused(&format!("url = \"ws://{found}\"")).await;
    let hint = "write the address where the broker is; or must somebody log in at a portal first?";
    person(&why, &format!("ws://{found}/mqtt: WebSocket was refused: it answers {login}; {hint}"));
}

#[tokio::test]
async fn web_socket_is_refused() {
    for (answer, says) in [
        (
            &b"HTTP/1.1 404 Not Found\r\n\r\n"[..],
            "WebSocket was refused: it answers 404; is the path right? most brokers have /mqtt",
        ),
        (
            b"HTTP/1.1 401 x\r\n\r\n",
            "WebSocket was refused: it answers 401; whoever looks after this server must let us in",
        ),
        (b"SSH-2.0-x\r\n", "it does not speak HTTP; is it a WebSocket of a broker, and the right port?"),
    ] {
        let at = stranger::says(answer);
        person(&refused(&format!("url = \"ws://{at}\"")).await, &format!("ws://{at}/mqtt: {says}"));
    }
    let folder = tempdir().unwrap();
    let Some(broker) = Broker::start("web_socket_is_refused", folder.path(), "") else { return };
    let why = refused(&format!("url = \"ws://{}\"", broker.at)).await;
    let says = "it ended the connection without a word; is it a WebSocket of a broker, and the right port?";
    assert_eq!(why.to_string(), format!("ws://{}/mqtt: {says}", broker.at));
}

#[tokio::test]
async fn a_proxy_refuses_or_is_none() {
    let to = |proxy: SocketAddr| format!("url = \"mqtt://127.0.0.1:1\"\nproxy = {{ url = \"http://{proxy}\" }}");
    let (wants, _) = stranger::proxy(Some("x"));
    let says = "it wants to know who comes; set proxy.user and proxy.password";
    person(&refused(&to(wants)).await, &format!("the proxy http://{wants}: {says}"));
    let (open, _) = stranger::proxy(None);
    let why = refused(&to(open)).await;
    assert!(matches!(why, WayError::Elsewhere(_)), "{why:?}");
    let says = "it cannot reach 127.0.0.1:1 (it answers 502); does the proxy's network let it out to there?";
    assert_eq!(why.to_string(), format!("the proxy http://{open}: {says}"));
    let forbids = stranger::says(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    let says = "it lets nobody through to 127.0.0.1:1 (it answers 403); whoever looks after it must allow CONNECT to this host and port";
    person(&refused(&to(forbids)).await, &format!("the proxy http://{forbids}: {says}"));
    let none = stranger::says(b"SSH-2.0-x\r\n");
    let says = "it does not speak HTTP; is it an HTTP proxy, and the right port?";
    person(&refused(&to(none)).await, &format!("the proxy http://{none}: {says}"));
}

/// Each step waits for so long and no longer, whatever the step before took.
const STEP: Duration = Duration::from_millis(400);

async fn ends_in_time(text: &str, says: &str) {
    let began = Instant::now();
    let why = refused(&format!("step = \"{}ms\"\n{text}", STEP.as_millis())).await;
    assert!(matches!(why, WayError::Elsewhere(_)), "{why:?}");
    assert_eq!(why.to_string(), says);
    // Longer only because this machine is busy.
    assert!(began.elapsed() >= STEP && began.elapsed() < STEP * 20, "{:?}", began.elapsed());
}

#[tokio::test]
async fn whoever_says_nothing_is_waited_for_no_longer_than_a_step() {
    let made = made();
    let (silent, swallows) = (stranger::silent(), stranger::swallows());
    ends_in_time(
        &format!("url = \"mqtt://{}\"", swallows.at),
        &format!(
            "{}: no answer within 400ms; is it switched on, and does a firewall on the way swallow this port?",
            swallows.at
        ),
    )
    .await;
    ends_in_time(
        &made.to(silent, "ours"),
        &format!("mqtts://{silent}: it said nothing of TLS within 400ms; is it the port for TLS, and is the link very slow? (step)"),
    )
    .await;
    ends_in_time(
        &format!("url = \"ws://{silent}\""),
        &format!(
            "ws://{silent}/mqtt: it said nothing within 400ms; is it a WebSocket of a broker, and the right port?"
        ),
    )
    .await;
    ends_in_time(
        &format!("url = \"mqtt://127.0.0.1:1\"\nproxy = {{ url = \"http://{silent}\" }}"),
        &format!(
            "the proxy http://{silent}: it said nothing within 400ms; is it a proxy, and can it reach the broker?"
        ),
    )
    .await;
}

#[tokio::test]
async fn the_clock_that_counts_is_the_one_that_is_handed_in() {
    // Certificates of this test begin in 2020: by a clock of 2019 they do not count yet, whatever this machine's clock says.
    let made = made();
    let pair = made.authority.signs(made.folder.path(), "broker", NAME);
    let Some(broker) = made.broker("the_clock_that_counts", &pair, "") else { return };
    let to = made.to(broker.at, "ours");
    crate::greets(&to).await;
    let early = Now { wall: Wall(1_550_000_000_000), ..now() };
    assert!(refused_at(&to, early).await.to_string().contains("begins on 2020-01-01 only"));
}

//! `dmgw link raw`, and who may what.

use std::process::Stdio;

use serde_json::{Value, json};

use super::support::modbus::line::{has_mbpoll, mbpoll, over_tcp as at};
use super::support::modbus::{Asked, Fault, On, Server, holding};
use super::support::{Gateway, Plant, TWO_DEVICES, dmgw, eventually, file, text, told};
use super::{audits, json_of, over_rtu, over_tcp};

/// What the server was asked from 600 on: not by the daemon's own plan.
fn by_hand(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| asked.address >= 600).collect()
}

#[test]
fn what_is_read_by_hand_is_what_the_server_holds_and_what_mbpoll_reads() {
    const NAME: &str = "what_is_read_by_hand_is_what_the_server_holds";
    for over in [over_tcp, over_rtu] {
        let Some((server, gateway)) = over(NAME) else { return };
        let (code, words) = json_of(&gateway, &["link", "raw", "bus", "2", "read-holding", "700", "2"]);
        assert_eq!((code, &words["state"], &words["sent"]), (0, &json!("answered"), &json!("03 02 bc 00 02")));
        let (a, b) = (holding(2, 700), holding(2, 701));
        assert_eq!(words["registers"], json!({ "700": a, "701": b }));
        let came = format!("03 04 {:02x} {:02x} {:02x} {:02x}", a >> 8, a & 0xff, b >> 8, b & 0xff);
        assert_eq!(words["came"], came);
        let (_, bytes) = json_of(&gateway, &["link", "raw", "bus", "2", "03", "02", "bc", "00", "02"]);
        assert_eq!(bytes, words);
        let asked = by_hand(&server);
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert!(asked.iter().all(|asked| (asked.unit, asked.function, asked.count) == (2, 3, 2)));
        assert_eq!(asked[0].values, [a, b]);
    }
    let Some((server, gateway)) = over_tcp(NAME) else { return };
    if has_mbpoll(NAME) {
        let how = at(server.port());
        let how: Vec<&str> = how.iter().map(String::as_str).collect();
        let theirs =
            mbpoll(&[&how[..], &["-a", "1", "-t", "3", "-r", "650", "-c", "3", "127.0.0.1"]].concat()).unwrap();
        let (_, ours) = json_of(&gateway, &["link", "raw", "bus", "1", "read-input", "650", "3"]);
        let ours: Vec<u16> =
            ours["registers"].as_object().unwrap().values().map(|value| value.as_u64().unwrap() as u16).collect();
        assert_eq!(ours, theirs);
    }
    let (code, says) = told(&gateway, &["link", "raw", "bus", "1", "read-coils", "640", "3"]);
    assert!(code == 0 && says.contains("sent      unit 1: read coils 640 to 642 [01 02 80 00 03]"), "{says}");
}

#[test]
fn a_write_by_hand_goes_out_once_after_its_record_and_what_came_has_one_too() {
    let Some((server, gateway)) = over_rtu("a_write_by_hand_goes_out_once") else { return };
    let (code, says) = told(&gateway, &["link", "raw", "bus", "1", "write-register", "700", "-2"]);
    assert!(code == 0 && says.contains("write register 700 = 65534, done"), "{says}");
    let asked = by_hand(&server);
    assert_eq!((asked.len(), asked[0].function, &asked[0].values), (1, 6, &vec![65_534]));
    let all = audits(&gateway, "raw-write");
    let came: Vec<&Value> = all.iter().map(|audit| &audit["came"]).collect();
    assert_eq!(came, [&json!("begun"), &json!({ "answered": "write register 700 = 65534, done" })]);
    assert!(all.iter().all(|audit| audit["by"] == "local-root" && audit["on"] == "bus unit 1: 06 02 bc ff fe"));
    let (_, shown) = told(&gateway, &["journal", "show", "vital"]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("raw-write on bus unit 1: 06 02 bc ff fe: answered: write register 700"), "{shown}");
    // To all units: nobody answers, so nobody knows.
    let (code, told_all) = json_of(&gateway, &["link", "raw", "bus", "0", "write-register", "700", "3"]);
    assert_eq!((code, &told_all["state"]), (0, &json!("told")));
    let (code, says) = told(&gateway, &["link", "raw", "bus", "0", "read-holding", "700"]);
    assert!(code == 1 && says.contains("nothing was sent: to unit 0 nobody answers"), "{says}");
}

#[test]
fn a_write_by_hand_is_on_disk_before_it_goes_out() {
    let Some((server, mut gateway)) = over_tcp("a_write_by_hand_is_on_disk_before_it_goes_out") else { return };
    server.fault(On::all().unit(1).at(730, 730), Fault::Delay(std::time::Duration::from_secs(60)));
    let mut command = dmgw();
    command.args(["link", "raw", "bus", "1", "write-register", "730", "1", "--config"]).arg(gateway.config());
    let mut asks = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("it went out", || (!by_hand(&server).is_empty()).then_some(()));
    gateway.kill();
    assert_eq!(asks.wait().unwrap().code(), Some(3), "nobody knows");
    gateway.start();
    let came: Vec<Value> = audits(&gateway, "raw-write").into_iter().map(|audit| audit["came"].clone()).collect();
    assert_eq!(came[0], json!("begun"), "{came:?}");
}

#[test]
fn what_nobody_knows_of_a_write_is_unknown_and_a_read_or_an_exception_has_failed() {
    let Some((server, gateway)) = over_tcp("what_nobody_knows_of_a_write_is_unknown") else { return };
    let (code, no) = json_of(&gateway, &["link", "raw", "bus", "1", "read-holding", "5000"]);
    assert_eq!((code, &no["state"], &no["came"]), (1, &json!("refused"), &json!("83 02")));
    assert!(no["says"].as_str().unwrap().contains("nothing at that address (exception 2)"), "{no}");
    for (fault, exit, state) in
        [(Fault::Mute, 3, "unknown"), (Fault::Exception(11), 3, "unknown"), (Fault::Exception(4), 1, "refused")]
    {
        server.fault(On::all().unit(1).at(720, 720), fault);
        let before = by_hand(&server).len();
        let (code, write) = json_of(&gateway, &["link", "raw", "bus", "1", "write-register", "720", "1"]);
        assert_eq!((code, &write["state"]), (exit, &json!(state)), "{write}");
        assert_eq!(by_hand(&server).len(), before + 1, "it is not repeated");
        server.well();
    }
    server.fault(On::all().unit(1).at(721, 721), Fault::Mute);
    let (code, read) = json_of(&gateway, &["link", "raw", "bus", "1", "read-holding", "721"]);
    assert_eq!((code, &read["state"], &read["says"]), (1, &json!("failed"), &json!("no answer")));
    let came = audits(&gateway, "raw-write").pop().unwrap()["came"].clone();
    assert!(came["failed"].as_str().unwrap().contains("exception 4"), "{came}");
    let unknown = audits(&gateway, "raw-write").into_iter().filter(|audit| !audit["came"]["unknown"].is_null());
    assert_eq!(unknown.count(), 2);
}

#[test]
fn only_who_may_asks_by_hand_and_only_with_the_whole_link_in_scope() {
    let Some((server, gateway)) = over_tcp("only_who_may_asks_by_hand") else { return };
    let token = |name: &str, role: &str, scope: Option<&str>| file(&gateway, name, &gateway.token(name, role, scope));
    let of_link = Some("link == \"bus\"");
    let (eye, hand) = (token("eye", "viewer", of_link), token("hand", "operator", of_link));
    let (root, some) =
        (token("root", "administrator", of_link), token("some", "administrator", Some("name == \"one\"")));
    let elsewhere = token("elsewhere", "administrator", Some("link == \"yard\""));
    let read = ["link", "raw", "bus", "1", "read-holding", "600"];
    let write = ["link", "raw", "bus", "1", "write-register", "601", "5"];
    let strange = ["link", "raw", "bus", "1", "41", "00"];
    let as_whom = |words: &[&str], token: &str| told(&gateway, &[words, &["--token-file", token]].concat());
    for (words, token, code, has) in [
        (&read[..], &eye, 1, "eye may not"),
        (&write, &hand, 1, "hand may not do this (raw-write): it takes a higher role"),
        (&strange, &hand, 1, "hand may not do this (raw-write)"),
        (&read, &some, 1, "it takes all devices of link bus in scope"),
        (&["link", "trace", "bus", "--count", "1"], &some, 1, "it takes all devices of link bus in scope"),
        (&["link", "trace", "bus", "--count", "1"], &eye, 1, "eye may not"),
        (&["link", "release", "bus"], &eye, 1, "eye may not"),
        (&["link", "resume", "bus"], &some, 1, "it takes all devices of link bus in scope"),
        (&read, &elsewhere, 1, "there is no link bus"),
        (&["link", "show", "bus"], &elsewhere, 1, "there is no link bus"),
    ] {
        let (ended, says) = as_whom(words, token);
        assert!(ended == code && says.contains(has), "{words:?}: {ended} {says}");
    }
    assert_eq!(by_hand(&server).len(), 0, "nothing of it went out");
    let refused = audits(&gateway, "raw-write");
    assert!(refused.iter().any(|audit| audit["by"] == "hand" && audit["came"]["refused"].is_string()), "{refused:?}");
    assert_eq!((as_whom(&read, &hand).0, as_whom(&write, &root).0), (0, 0));
    assert_eq!(as_whom(&["link", "trace", "bus", "--count", "1"], &hand).0, 0);
    let asked: Vec<(u8, u16)> = by_hand(&server).iter().map(|asked| (asked.function, asked.address)).collect();
    assert_eq!(asked, [(3, 600), (6, 601)]);
    // Of one device only its unit is shown.
    let shown = |token: &str| json_of(&gateway, &["link", "show", "bus", "--token-file", token]).1;
    let units = |of: &Value| of["bus"]["units"].as_array().unwrap().len();
    assert_eq!((units(&shown(&some)), units(&shown(&eye))), (1, 2));
}

#[test]
fn what_cannot_be_asked_is_told_with_what_would_be_right() {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "[link.far]\nmodbus-tcp = { at = \"127.0.0.1:1\" }\n");
    for (words, code, has) in [
        (&["link", "raw", "plant", "1", "read-holding", "0"][..], 1, "link plant is of driver sim, and has no wire"),
        (&["link", "trace", "plant"], 1, "link plant is of driver sim, and has no wire"),
        (&["link", "release", "plant"], 1, "link plant is of driver sim, and has no wire"),
        (&["link", "raw", "plnt", "1", "read-holding", "0"], 1, "did you mean plant?"),
        (&["link", "show", "plnt"], 1, "did you mean plant?"),
        (&["link", "resume", "far"], 1, "the port of link far is not lent"),
        (&["link", "raw", "far", "1", "read-holding", "0"], 1, "nothing was sent: "),
        (&["link", "raw", "far", "1", "read-holdng", "0"], 2, "did you mean read-holding?"),
        (&["link", "raw", "far", "1", "read-holding", "0", "126"], 2, "from 1 to 125"),
        (&["link", "raw", "far", "256", "read-holding", "0"], 2, "256"),
        (&["link", "release", "far", "--for", "2d"], 1, "1 to 86400 seconds"),
        (&["link", "release", "far", "--for", "10ms"], 2, "--for 10m"),
        (&["link", "trace", "far", "--pcap", "/nowhere/x.pcap"], 1, "cannot write /nowhere/x.pcap"),
    ] {
        let (ended, says) = told(&gateway, words);
        assert!(ended == code && says.contains(has), "{words:?}: {ended} {says}");
    }
    let ended = gateway.cli(&["link", "trace", "far", "--for", "1s"]);
    assert!(ended.status.success() && text(&ended.stderr).contains("nothing goes over its wire until it is up"));
    for (body, has) in [
        (json!({ "unit": 1, "pdu": "3" }), "not in hex"),
        (json!({ "unit": 1, "pdu": "" }), "a function is a number from 1 to 127"),
        (json!({ "unit": 1, "pdu": "83 02" }), "a function is a number from 1 to 127"),
        (json!({ "unit": 1, "pdu": "41".repeat(254) }), "253 bytes of data are more"),
        (json!({ "unit": 300, "pdu": "11" }), "300"),
    ] {
        let answer = gateway.post("/v1/links/far/raw", &body);
        assert!(answer.status == 400 && answer.body.to_string().contains(has), "{answer:?}");
    }
}

//! `dmgw link trace`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::support::modbus::{Asked, installed, skip};
use super::support::{Gateway, dmgw, eventually, text, told};
use super::{audits, over_rtu, over_tcp};

/// The frames of a trace that ends by itself.
fn frames(gateway: &Gateway, words: &[&str]) -> Vec<Value> {
    let ended = gateway.cli(&[&["link", "trace", "bus", "--json"], words].concat());
    assert!(ended.status.success(), "{ended:?}");
    let events = text(&ended.stdout);
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[0]["data"]["state"]), (&"link".into(), &"up".into()));
    events[1..].iter().inspect(|event| assert_eq!(event["event"], "frame")).map(|event| event["data"].clone()).collect()
}

fn bytes(frame: &Value) -> Vec<u8> {
    frame["bytes"].as_str().unwrap().split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// A request as it stands in a frame behind that many bytes, and what its answer holds.
fn asked([request, answer]: &[Value; 2], head: usize) -> (u8, u16, u16, Vec<u16>) {
    assert_eq!((&request["way"], &request["made"]), (&"out".into(), &"asked".into()), "{request}");
    assert_eq!((&answer["way"], &answer["made"]), (&"in".into(), &"answer".into()), "{answer}");
    let (out, back) = (bytes(request), bytes(answer));
    let word = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
    let values = &back[head + 3..head + 3 + usize::from(back[head + 2])];
    (out[head], word(&out[head + 2..]), word(&out[head + 4..]), values.chunks(2).map(word).collect())
}

fn is_of(record: &[Asked], (unit, address, count, values): &(u8, u16, u16, Vec<u16>)) -> bool {
    record.iter().any(|asked| {
        (asked.unit, asked.address, asked.count) == (*unit, *address, *count)
            && asked.function == 3
            && asked.values == *values
    })
}

#[test]
fn a_trace_shows_what_units_are_asked_and_what_they_answer_as_the_server_has_it() {
    let Some((server, gateway)) = over_tcp("a_trace_shows_what_units_are_asked") else { return };
    let seen = frames(&gateway, &["--count", "20"]);
    // It may begin between a request and its answer.
    let first = usize::from(seen[0]["way"] == "in");
    let pairs: Vec<_> = seen[first..].as_chunks::<2>().0.iter().map(|pair| asked(pair, 6)).collect();
    let record = server.asked();
    assert!(pairs.len() >= 9 && pairs.iter().all(|pair| is_of(&record, pair)), "{pairs:?} {record:?}");
    assert!(!is_of(&record, &(1, 10, 3, Vec::new())), "what nobody asked is in no record");
    assert!(seen[first]["says"].as_str().unwrap().contains("read holding registers 10 to 11"), "{}", seen[first]);
    for way in [["out", "in"], ["in", "out"]] {
        let order = seen.windows(2).filter(|two| [two[0]["way"].as_str(), two[1]["way"].as_str()] == way.map(Some));
        assert!(order.count() > 0);
    }
    let times: Vec<u64> = seen.iter().map(|frame| frame["micros"].as_u64().unwrap()).collect();
    assert!(times.is_sorted() && super::support::wall().abs_diff(times[0] / 1_000) < 60_000, "{times:?}");
    let (unit, others) = (frames(&gateway, &["--unit", "2", "--count", "10"]), frames(&gateway, &["--count", "10"]));
    let is_two = |frame: &Value| bytes(frame)[6] == 2;
    assert!(unit.iter().all(is_two) && !others.iter().all(is_two));
    let looked = audits(&gateway, "trace-link");
    assert_eq!((looked.len(), &looked[0]["by"], &looked[0]["on"]), (3, &"local-root".into(), &"bus".into()));
}

#[test]
fn for_people_a_frame_is_a_line_and_what_is_not_taken_says_why() {
    use super::support::modbus::{Fault, On};
    let Some((server, gateway)) = over_rtu("for_people_a_frame_is_a_line") else { return };
    server.fault(On::all().unit(2), Fault::wrong_crc());
    let (code, says) = told(&gateway, &["link", "trace", "bus", "--unit", "2", "--count", "4", "--bytes", "--utc"]);
    assert_eq!(code, 0, "{says}");
    let (refused, lines): (Vec<&str>, Vec<&str>) =
        says.lines().filter(|line| !line.starts_with("dmgw:")).partition(|line| line.contains("refused"));
    assert!(refused.iter().all(|line| line.contains(" < refused, no right answer: the checksum is wrong")), "{says}");
    assert!(!refused.is_empty() && lines.iter().all(|line| line.contains("unit 2: ")), "{says}");
    assert!(lines.iter().any(|line| line.contains(" > unit 2: read holding registers 10 to 11  [02 03 00 0a 00 02")));
    assert!(says.contains("dmgw: link bus is up; Ctrl-C ends this"), "{says}");
    server.fault(On::all().unit(2), Fault::Mute);
    eventually("silence is seen, too", || {
        let (_, says) = told(&gateway, &["link", "trace", "bus", "--unit", "2", "--count", "4"]);
        says.lines().any(|line| line.ends_with(" < no answer")).then_some(())
    });
}

/// None where there is no tshark.
fn tshark(file: &str, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r", file, "-Y", filter, "-T", "fields", "-E", "separator=/t"]);
    let output = fields.iter().fold(&mut command, |command, field| command.args(["-e", field])).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| line.trim().replace('\t', " ")).collect()
}

#[test]
fn a_capture_is_read_by_tshark_whether_it_goes_to_a_file_or_through_a_pipe() {
    const NAME: &str = "a_capture_is_read_by_tshark";
    if !installed("tshark") {
        return skip(NAME, "tshark", "modbus");
    }
    let Some((_server, gateway)) = over_rtu(NAME) else { return };
    let file = gateway.folder.path().join("bus.pcap");
    let file = file.to_str().unwrap();
    let (code, says) = told(&gateway, &["link", "trace", "bus", "--count", "12", "--pcap", file]);
    assert!(code == 0 && says.contains("12 frames written to"), "{says}");
    let piped = gateway.cli(&["link", "trace", "bus", "--count", "12", "--pcap", "-"]);
    let through = gateway.folder.path().join("piped.pcap");
    std::fs::write(&through, &piped.stdout).unwrap();
    for file in [file, through.to_str().unwrap()] {
        let seen = tshark(file, "modbus", &["mbtcp.unit_id", "modbus.func_code"]);
        assert_eq!(seen.len(), 12, "{seen:?}");
        assert!(seen.iter().all(|line| ["1 3", "2 3"].contains(&line.as_str())), "{seen:?}");
        // Register 10 and 11 of unit 2.
        assert!(tshark(file, "modbus", &["modbus.regval_uint16"]).contains(&"522,523".to_owned()));
        let strange = tshark(file, "tcp.analysis.flags || _ws.malformed", &["frame.number"]);
        assert_eq!(strange, Vec::<String>::new());
    }
}

#[test]
fn a_trace_ends_when_its_time_is_over_when_it_is_told_to_and_when_the_link_is_no_more() {
    let Some((_server, gateway)) = over_tcp("a_trace_ends_when_its_time_is_over") else { return };
    let (code, says) = told(&gateway, &["link", "trace", "bus", "--for", "1s"]);
    assert!(code == 0 && says.contains("read holding registers"), "{says}");
    let begin = |gateway: &Gateway| {
        let mut command = dmgw();
        let command = command.args(["link", "trace", "bus", "--for", "60s", "--config"]).arg(gateway.config());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let begun = |child: &mut Child| {
        let mut line = String::new();
        let mut says = BufReader::new(child.stderr.take().unwrap());
        says.read_line(&mut line).unwrap();
        assert!(line.contains("link bus is up"), "{line}");
        says
    };
    let mut told_to = begin(&gateway);
    let _says = begun(&mut told_to);
    let pid = nix::unistd::Pid::from_raw(told_to.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(told_to.wait().unwrap().code(), Some(0));
    let mut other = begin(&gateway);
    let mut says = begun(&mut other);
    let settings = std::fs::read_to_string(gateway.config()).unwrap();
    let other_settings = settings.replace("timeout = \"1s\"", "timeout = \"1001ms\"");
    assert_ne!(settings, other_settings);
    gateway.configure(&other_settings);
    assert_eq!(told(&gateway, &["config", "reload"]).0, 0);
    let mut rest = String::new();
    says.read_to_string(&mut rest).unwrap();
    assert!(other.wait().unwrap().code() == Some(1) && rest.contains("the link has ended, or begins anew"), "{rest}");
}

#[test]
fn so_many_look_at_a_wire_and_no_more_and_whose_token_is_taken_back_sees_nothing_more() {
    use super::support::Listener;
    let Some((_server, gateway)) = over_tcp("so_many_look_at_a_wire") else { return };
    let token = gateway.token("eng", "operator", Some("link == \"bus\""));
    let line = format!("authorization: Bearer {token}\r\n");
    let path = "/v1/links/bus/trace";
    let mut all: Vec<Listener> =
        (0..4).map(|_| Listener::begin(&gateway.socket(), path, &line).expect("a trace")).collect();
    let more = Listener::begin(&gateway.socket(), path, &line).err().expect("no room");
    assert_eq!((more.status, more.fault().0), (503, "busy"));
    let mut first = all.remove(0);
    assert_eq!(first.next().unwrap().event, "link");
    assert_eq!(first.next().unwrap().event, "frame");
    gateway.delete("/v1/tokens/eng");
    while let Some(message) = first.next() {
        assert_eq!(message.event, "frame");
    }
    drop((first, all));
    // All of them have ended, so there is room again.
    let eye = format!("authorization: Bearer {}\r\n", gateway.token("next", "operator", None));
    eventually("there is room", || Listener::begin(&gateway.socket(), path, &eye).ok());
}

//! `dmgw watch` and the like against a listener of the test's own, which breaks off where no daemon would be asked to.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use support::dmgw;

fn event(seq: u64) -> String {
    let record =
        format!("{{\"seq\":{seq},\"time\":0,\"boot\":1,\"record\":{{\"device-up\":{{\"device\":\"urn:{seq}\"}}}}}}");
    format!("event: events\nid: e-{seq}\ndata: {record}\n\n")
}

/// Each connection gets the next answer, which then breaks off; what it asked is told.
fn serve(path: &Path, answers: Vec<String>) -> Receiver<String> {
    let listener = UnixListener::bind(path).unwrap();
    let (asked, told) = sync_channel(answers.len());
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            asked.send(head(&stream)).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    told
}

fn head(stream: &UnixStream) -> String {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").to_ascii_lowercase()
}

fn stream_of(events: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{events}")
}

fn watching(socket: &Path, words: &[&str]) -> Child {
    let mut command = dmgw();
    command.arg("watch").args(words).arg("--socket").arg(socket);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn after_a_lost_connection_it_goes_on_behind_the_last_event() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let fault = r#"{"type":"urn:dmgw:problem:expired","title":"expired","status":410,"detail":"too old","remedy":"x"}"#;
    let refused = format!("HTTP/1.1 410 Gone\r\ncontent-length: {}\r\n\r\n", fault.len());
    let told = serve(
        &socket,
        vec![stream_of(&(event(1) + &event(2) + "event: events\nid: e-3\nda")), stream_of(&event(3)), refused + fault],
    );
    let mut child = watching(&socket, &["--json", "--for", "life == \"managed\"", "--streams", "events,vital"]);
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    let ids: Vec<String> = lines[..3]
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["e-1", "e-2", "e-3"], "half an event is none, and comes again: {lines:?}");
    let first = told.recv().unwrap();
    assert!(first.starts_with("get /v1/stream?for=life%20") && first.contains("&streams=events%2cvital"), "{first}");
    assert!(!first.contains("last-event-id"), "{first}");
    let second = told.recv().unwrap();
    assert!(second.contains("last-event-id: e-2"), "{second}");
    assert!(told.recv().unwrap().contains("last-event-id: e-3"));
    assert_eq!(child.wait().unwrap().code(), Some(1), "what the daemon refuses for good ends it");
}

#[test]
fn who_had_heard_nothing_yet_goes_on_from_where_the_daemon_said_that_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let told = serve(&socket, vec![stream_of("retry: 2000\nid: p-0\n\n"), stream_of(&event(1))]);
    let mut child = watching(&socket, &["--json"]);
    assert!(!told.recv().unwrap().contains("last-event-id"));
    assert!(told.recv_timeout(Duration::from_secs(30)).unwrap().contains("last-event-id: p-0"));
    let first = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(first.contains("\"e-1\""), "a position alone is no line: {first}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_position_is_taken_up_and_nobody_there_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    assert_eq!(watching(&socket, &[]).wait().unwrap().code(), Some(4));
    let told = serve(&socket, vec![stream_of(&event(8))]);
    let mut child = watching(&socket, &["--from", "e-7", "--utc"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "1970-01-01 00:00:00Z  events     urn:8 up");
    assert!(told.recv_timeout(Duration::from_secs(30)).unwrap().contains("last-event-id: e-7"));
    child.kill().unwrap();
    child.wait().unwrap();
}

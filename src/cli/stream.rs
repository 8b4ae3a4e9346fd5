//! `dmgw watch`: what happens, line by line. Each event tells its position; after a lost connection it goes on behind the
//! last one, sooner after a short silence than after a long one.

pub mod events;

use std::io::Write;
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value as Json, json};

use super::args::WatchArgs;
use super::client::{Client, escaped};
use super::device::of_filter;
use super::table::time;
use super::{CliError, Exit, told};
use crate::api::shown::RecordShown;
use events::{Event, Events};

const SOONEST: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(15);
/// Nothing at all for so long, not even a sign of life: the connection is taken for lost.
const SILENT: Duration = Duration::from_secs(60);

/// How it went on until now.
struct Watch<'a> {
    client: &'a Client,
    uri: String,
    position: Option<String>,
    json: bool,
    /// The next pause.
    pause: Duration,
}

/// Why it does not go on.
enum End {
    Lost(String),
    /// Nobody reads any more.
    Left,
}

pub async fn watch(client: &Client, args: WatchArgs, json: bool) -> Result<Exit, CliError> {
    let mut uri = String::from("/v1/stream?");
    if let Some(of) = &args.of {
        uri.push_str(&of_filter(of)?);
    }
    if let Some(streams) = &args.streams {
        uri.push_str(&format!("&streams={}", escaped(streams)));
    }
    let uri = uri.replace("?&", "?").trim_end_matches('?').to_owned();
    let mut watch = Watch { client, uri, position: args.from, json, pause: SOONEST };
    // Who cannot be reached at once is not there.
    let mut body = watch.open().await?;
    loop {
        let why = match watch.until_end(body).await {
            End::Left => return Ok(Exit::Done),
            End::Lost(why) => why,
        };
        eprintln!("dmgw: {why}; going on where it was");
        body = loop {
            tokio::time::sleep(watch.pause).await;
            watch.pause = (watch.pause * 2).min(LATEST);
            match watch.open().await {
                Ok(body) => break body,
                Err(error) if error.may_pass() => {}
                Err(error) => return Err(error),
            }
        };
    }
}

impl Watch<'_> {
    async fn open(&self) -> Result<hyper::body::Incoming, CliError> {
        self.client.open(&self.uri, self.position.as_deref()).await
    }

    async fn until_end(&mut self, mut body: hyper::body::Incoming) -> End {
        let mut events = Events::default();
        loop {
            let frame = match tokio::time::timeout(SILENT, body.frame()).await {
                Err(_) => return End::Lost("the daemon says nothing any more".into()),
                Ok(None) => return End::Lost("the daemon has ended the stream".into()),
                Ok(Some(Err(error))) => return End::Lost(format!("the connection is lost: {error}")),
                Ok(Some(Ok(frame))) => frame,
            };
            let Some(bytes) = frame.data_ref() else { continue };
            let Ok(found) = events.push(bytes) else { return End::Lost("the stream is not understood".into()) };
            for event in found {
                self.pause = SOONEST;
                if !self.take(&event) {
                    return End::Left;
                }
            }
        }
    }

    /// False where nobody reads it.
    fn take(&mut self, event: &Event) -> bool {
        if let Some(id) = &event.id {
            self.position = Some(id.clone());
        }
        if event.data.is_empty() {
            return true;
        }
        let line = if self.json { as_json(event) } else { line(event) };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
    }
}

fn as_json(event: &Event) -> String {
    let data = serde_json::from_slice(event.data.as_bytes()).unwrap_or(Json::String(event.data.clone()));
    json!({ "event": event.kind, "id": event.id, "data": data }).to_string()
}

fn line(event: &Event) -> String {
    let marker: Json = serde_json::from_slice(event.data.as_bytes()).unwrap_or_default();
    match (event.kind.as_str(), &marker["stream"], &marker["first"], &marker["last"]) {
        ("gap", Json::String(stream), first, last) => {
            return format!("gap in {}: {first} to {last} are missing", plain(stream));
        }
        ("reset", ..) => return "the journal is another one: numbers begin anew, what it holds follows".into(),
        _ => {}
    }
    let Ok(shown) = serde_json::from_slice::<RecordShown>(event.data.as_bytes()) else {
        return format!("{}: {}", event.kind, plain(&event.data));
    };
    let says = match (&shown.record, &shown.heard) {
        (Some(record), _) => told::record(record),
        (None, Some(heard)) => told::heard(heard),
        (None, None) => String::new(),
    };
    format!("{}  {:<9}  {}", time(shown.time), event.kind, plain(&says))
}

/// What a device sent must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_for_people_and_for_programs() {
        let data = r#"{"seq":7,"time":0,"boot":1,"record":{"device-up":{"device":"urn:a"}}}"#;
        let event = Event { kind: "events".into(), id: Some("e-7".into()), data: data.into() };
        assert_eq!(line(&event), "1970-01-01 00:00:00Z  events     urn:a up");
        let shown: Json = serde_json::from_str(&as_json(&event)).unwrap();
        assert_eq!((&shown["id"], &shown["data"]["seq"]), (&json!("e-7"), &json!(7)));
        let gap = r#"{"stream":"telemetry","first":3,"last":9}"#;
        let gap = Event { kind: "gap".into(), id: None, data: gap.into() };
        assert_eq!(line(&gap), "gap in telemetry: 3 to 9 are missing");
        let strange = Event { kind: "new".into(), id: None, data: "{\"lost\":\u{1b}3}".into() };
        assert_eq!(line(&strange), "new: {\"lost\":\u{fffd}3}");
    }
}

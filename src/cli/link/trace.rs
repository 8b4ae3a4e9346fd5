//! `dmgw link trace`: the frames of a link's wire as they pass, for people, for programs, and as a file for Wireshark.

use std::fs::File;
use std::io::{IsTerminal, Write, stdout};
use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until, timeout};

use super::of_link;
use crate::api::shown::{FrameShown, LinkShown, Missed, Way, Wrapped};
use crate::cli::args::TraceArgs;
use crate::cli::client::Client;
use crate::cli::stream::events::{Event, Events};
use crate::cli::table::moment;
use crate::cli::watch::called_off;
use crate::cli::{CliError, Exit};
use crate::links::modbus::bus::pcap::{Capture, head};
use crate::links::modbus::bus::trace::{Frame, Made};
use crate::links::modbus::wire::of_hex;
use crate::links::modbus::wire::told::{self, Frames};

/// Nothing at all for so long, not even a sign of life: the connection is taken for lost.
const SILENT: Duration = Duration::from_secs(60);

pub const HELP: &str =
    "A line for each frame: when, > to a unit or < from it, and what it says. With --json an object for
each, with its bytes in hex. What was not taken is there too, with why, and so is silence. Whoever is
too slow is told how many frames it missed.

It shows what all devices of the link are asked and answer. So it takes the role operator with all of
them in scope, and a record in `dmgw journal show vital` says who looked.

Examples:
  dmgw link trace meters --unit 7
  dmgw link trace meters --for 1m --pcap bus.pcap
  dmgw link trace meters --pcap - | wireshark -k -i -";

/// Where frames go.
enum To {
    Lines { bytes: bool },
    Json,
    Pcap { file: Box<dyn Write>, capture: Capture, name: String },
}

struct Trace {
    to: To,
    frames: u64,
    most: Option<u64>,
}

/// How it goes on.
enum Next {
    More,
    /// So many were wanted, or nobody reads any more.
    Enough,
    /// The link is no more.
    Gone,
}

pub async fn trace(client: &Client, args: TraceArgs, json: bool) -> Result<Exit, CliError> {
    let to = match &args.pcap {
        Some(path) => pcap(path)?,
        None if json => To::Json,
        None => To::Lines { bytes: args.bytes },
    };
    let unit = args.unit.map(|unit| format!("?unit={unit}")).unwrap_or_default();
    let body = client.open(&format!("{}{unit}", of_link(&args.link, "/trace")), None).await?;
    let mut trace = Trace { to, frames: 0, most: args.count };
    let end = args.span.map(|span| Instant::now() + span);
    let ended = tokio::select! {
        // First, so that who sees the first line can call it off.
        biased;
        () = called_off(false) => Ok(()),
        () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => Ok(()),
        ended = trace.until_end(body, &args.link) => ended,
    };
    trace.last_words();
    ended.map(|()| Exit::Done)
}

fn pcap(path: &Path) -> Result<To, CliError> {
    let name = path.display().to_string();
    let mut file: Box<dyn Write> = match name.as_str() {
        "-" if stdout().is_terminal() => {
            let says = "a capture is no text for a terminal".into();
            return Err(CliError::Usage { says, hint: "name a file, or pipe it: --pcap - | wireshark -k -i -".into() });
        }
        "-" => Box::new(stdout()),
        _ => Box::new(File::create(path).map_err(|error| CliError::Failed(format!("cannot write {name}: {error}")))?),
    };
    // Whoever reads knows at once what it is.
    file.write_all(&head())
        .and_then(|()| file.flush())
        .map_err(|error| CliError::Failed(format!("{name}: {error}")))?;
    Ok(To::Pcap { file, capture: Capture::new(Duration::ZERO), name })
}

impl Trace {
    async fn until_end(&mut self, mut body: Incoming, link: &str) -> Result<(), CliError> {
        let lost = |why: &str| Err(CliError::Failed(format!("the trace of link {link} has ended: {why}")));
        let mut events = Events::default();
        loop {
            let frame = match timeout(SILENT, body.frame()).await {
                Err(_) => return lost("the daemon says nothing any more"),
                Ok(None) => return lost("the daemon has ended it"),
                Ok(Some(Err(error))) => return lost(&format!("the connection is lost: {error}")),
                Ok(Some(Ok(frame))) => frame,
            };
            let Some(bytes) = frame.data_ref() else { continue };
            let Ok(found) = events.push(bytes) else { return lost("it is not understood") };
            for event in found {
                match self.take(&event)? {
                    Next::More => {}
                    Next::Enough => return Ok(()),
                    Next::Gone => return lost("the link has ended, or begins anew; dmgw link show tells more"),
                }
            }
        }
    }

    fn take(&mut self, event: &Event) -> Result<Next, CliError> {
        let is_json = matches!(self.to, To::Json);
        let goes_on = match event.kind.as_str() {
            "ended" => return Ok(Next::Gone),
            "frame" => {
                self.frames += 1;
                self.put(event)?
            }
            _ if is_json => line(&as_json(event)),
            "link" => {
                self.say(&begun(&read(event)?));
                true
            }
            "missed" => {
                let Missed { frames } = read(event)?;
                self.say(&format!("{frames} frames were missed: this program, or the way to it, is too slow"));
                true
            }
            // Of a later version.
            _ => true,
        };
        let enough = !goes_on || self.most.is_some_and(|most| self.frames >= most);
        Ok(if enough { Next::Enough } else { Next::More })
    }

    /// False where nobody reads it.
    fn put(&mut self, event: &Event) -> Result<bool, CliError> {
        let shown: FrameShown = read(event)?;
        match &mut self.to {
            To::Json => Ok(line(&as_json(event))),
            To::Lines { bytes } => Ok(line(&told_frame(&shown, *bytes))),
            To::Pcap { file, capture, name } => {
                match file.write_all(&capture.record(&frame(&shown)?)).and_then(|()| file.flush()) {
                    Err(gone) if gone.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
                    written => written
                        .map(|()| true)
                        .map_err(|error| CliError::Failed(format!("cannot write {name}: {error}"))),
                }
            }
        }
    }

    /// Beside what goes to the standard output.
    fn say(&self, text: &str) {
        if !matches!(self.to, To::Json) {
            eprintln!("dmgw: {text}");
        }
    }

    fn last_words(&self) {
        if let To::Pcap { name, .. } = &self.to {
            let name = if name == "-" { "the standard output" } else { name };
            eprintln!("dmgw: {} frames written to {name}", self.frames);
        }
    }
}

fn begun(link: &LinkShown) -> String {
    match (link.state.as_str(), &link.reason) {
        ("up", _) => format!("link {} is up; Ctrl-C ends this", link.name),
        (state, why) => {
            let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("link {} is {state}{why}: nothing goes over its wire until it is up; Ctrl-C ends this", link.name)
        }
    }
}

fn told_frame(shown: &FrameShown, bytes: bool) -> String {
    let way = if shown.way == Way::Out { '>' } else { '<' };
    let bytes = if bytes { format!("  [{}]", shown.bytes) } else { String::new() };
    let says: String = shown.says.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    format!("{} {way} {says}{bytes}", moment(shown.micros))
}

/// As the bus had it.
fn frame(shown: &FrameShown) -> Result<Frame, CliError> {
    let strange = || CliError::Failed("the daemon's answer is not understood; is it of another version?".into());
    let made = match shown.made.as_str() {
        "asked" => Made::Asked,
        "answer" => Made::Answer,
        "stray" => Made::Stray,
        _ => Made::Refused(shown.why.clone().unwrap_or_default()),
    };
    Ok(Frame {
        at: shown.micros,
        frames: if shown.wrapped == Wrapped::Rtu { Frames::Rtu } else { Frames::Tcp },
        way: if shown.way == Way::Out { told::Way::Out } else { told::Way::In },
        made,
        bytes: of_hex(&shown.bytes).ok_or_else(strange)?,
    })
}

fn read<T: DeserializeOwned>(event: &Event) -> Result<T, CliError> {
    serde_json::from_slice(event.data.as_bytes()).map_err(|error| {
        CliError::Failed(format!("the daemon's answer is not understood ({error}); is it of another version?"))
    })
}

fn as_json(event: &Event) -> String {
    let data = serde_json::from_slice(event.data.as_bytes()).unwrap_or(serde_json::Value::Null);
    serde_json::json!({ "event": event.kind, "data": data }).to_string()
}

/// False where nobody reads it.
fn line(text: &str) -> bool {
    let mut out = stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

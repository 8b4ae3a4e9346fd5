//! `dmgw bundle`: what somebody needs who shall help from afar, in one file, and no secret in it.
//!
//! Each part is asked for by itself: what cannot be had leaves a line in `missing.txt` and takes nothing else with it, so
//! a bundle is also made where the daemon does not run. Everything passes through [`masked`] before it is written.

mod machine;
mod masked;
mod tar;

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::client::Client;
use super::progress::Progress;
use super::table::print;
use super::{CliError, Exit, print_json};
use crate::config::Inputs;
use crate::config::flat;
use crate::config::starting::{self, Found};
use tar::Tar;

const AT_ONCE: Duration = Duration::ZERO;
const LEVEL: i32 = 3;
/// What the daemon is asked for, and how it is called here.
const ASKED: [(&str, &str); 10] = [
    ("status.json", "/v1/status"),
    ("links.json", "/v1/links"),
    ("devices.json", "/v1/devices?limit=1000"),
    ("attempts.json", "/v1/attempts"),
    ("commands.json", "/v1/commands"),
    ("groups.json", "/v1/groups"),
    ("profiles.json", "/v1/profiles"),
    ("versions.json", "/v1/config/versions"),
    ("running.json", "/v1/config"),
    ("metrics.txt", "/v1/metrics"),
];
/// Of these streams the last records.
const STREAMS: [&str; 2] = ["vital", "events"];
const RECORDS: u64 = 500;
/// As many as a page holds, where the settings do not say less.
const DEVICES: u64 = 1_000;
pub const HELP: &str =
    "Left out is whatever stands under a name that speaks of a secret (key, password, token, psk, …), what is
sealed, and what an address carries before its @. Names, places and labels of devices are in it: a
password that somebody wrote into a label called `note` is not known as one. Look through it first:
  tar --zstd -xf dmgw-bundle.tar.zst";

struct Bundle<W: Write> {
    tar: Tar<W>,
    files: Vec<String>,
    missing: Vec<String>,
}

pub async fn bundle(
    client: Result<Client, CliError>,
    settings: &Path,
    file: Option<&Path>,
    json: bool,
) -> Result<Exit, CliError> {
    let path = file.map_or_else(|| PathBuf::from("dmgw-bundle.tar.zst"), Path::to_owned);
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            CliError::Failed(format!("{} is there already; name another file", path.display()))
        }
        _ => CliError::Failed(format!("cannot write {}: {error}", path.display())),
    };
    let to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    let zstd = zstd::stream::write::Encoder::new(BufWriter::new(to), LEVEL).map_err(failed)?;
    let mut bundle = Bundle { tar: Tar::new(zstd, machine::now()), files: Vec::new(), missing: Vec::new() };
    bundle.fill(client, settings).await.map_err(failed)?;
    let Bundle { tar, files, missing } = bundle;
    let mut file = tar.end().and_then(zstd::stream::write::Encoder::finish).map_err(failed)?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)?;
    if json {
        return print_json(&json!({ "file": path, "holds": files, "missing": missing }));
    }
    print(&format!("{} holds {}", path.display(), files.join(", ")));
    missing.iter().for_each(|missing| print(&format!("without {missing}")));
    print("Secrets are left out. Names, places and labels of devices are in it: look whom you give it to.");
    Ok(Exit::Done)
}

impl<W: Write> Bundle<W> {
    async fn fill(&mut self, client: Result<Client, CliError>, settings: &Path) -> std::io::Result<()> {
        let mut progress = Progress::begin();
        self.put("about.json", &machine::about())?;
        match client {
            Ok(client) => self.ask_all(&client, &mut progress).await?,
            Err(error) => self.missing.push(format!("what the daemon tells: {error}")),
        }
        let found = starting::find(settings);
        self.files_of(settings, found)?;
        progress.say(|| "the log".into());
        match machine::log() {
            Ok(lines) => self.put_text("log.txt", &lines)?,
            Err(why) => self.missing.push(format!("log.txt: {why}")),
        }
        if !self.missing.is_empty() {
            let missing = self.missing.join("\n");
            self.put_text("missing.txt", &missing)?;
        }
        Ok(())
    }

    async fn ask_all(&mut self, client: &Client, progress: &mut Progress) -> std::io::Result<()> {
        for (name, uri) in ASKED {
            progress.say(|| name.to_owned());
            match client.get_text(uri, AT_ONCE).await {
                Ok(text) => self.put_answer(name, &text)?,
                // Nor can anything else be asked for.
                Err(error @ CliError::NotReachable { .. }) => {
                    self.missing.push(format!("what the daemon tells: {error}"));
                    return Ok(());
                }
                Err(error) => self.missing.push(format!("{name}: {error}")),
            }
        }
        let status: Json = client.get("/v1/status", AT_ONCE).await.unwrap_or_default();
        if let Some(all) = status["devices"]["all"].as_u64().filter(|all| *all > DEVICES) {
            self.missing.push(format!("devices.json: it holds the first {DEVICES} of {all}"));
        }
        for stream in STREAMS {
            let streams = status["journal"]["streams"].as_array().into_iter().flatten();
            let next = streams.filter(|of| of["stream"] == stream).find_map(|of| of["next"].as_u64()).unwrap_or(0);
            let from = next.saturating_sub(RECORDS);
            let uri = format!("/v1/journal/{stream}?from={from}&limit={RECORDS}&fresh=true");
            match client.get_text(&uri, AT_ONCE).await {
                Ok(text) => self.put_answer(&format!("{stream}.json"), &text)?,
                Err(error) => self.missing.push(format!("{stream}.json: {error}")),
            }
        }
        Ok(())
    }

    /// What the files say, key by key with its origin, and what lies in the folder of the store.
    fn files_of(&mut self, settings: &Path, found: Result<Found, crate::config::ConfigError>) -> std::io::Result<()> {
        match Inputs::gather(settings, std::env::vars()) {
            Ok(inputs) => self.put("settings.json", &json!(flat::of(&inputs)))?,
            Err(error) => self.missing.push(format!("settings.json: {error}")),
        }
        let store =
            found.map_err(|error| error.to_string()).and_then(|found| machine::sizes(found.config.store.folder()));
        match store {
            Ok(sizes) => self.put("store.json", &sizes)?,
            Err(why) => self.missing.push(format!("store.json: {why}")),
        }
        Ok(())
    }

    /// JSON is looked through value by value; what is none, line by line.
    fn put_answer(&mut self, name: &str, text: &str) -> std::io::Result<()> {
        match serde_json::from_slice(text.as_bytes()) {
            Ok(json) => self.put(name, &json),
            Err(_) => self.put_text(name, text),
        }
    }

    fn put(&mut self, name: &str, of: &Json) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(&masked::json(of.clone()))?;
        self.add(name, text.as_bytes())
    }

    fn put_text(&mut self, name: &str, text: &str) -> std::io::Result<()> {
        self.add(name, masked::text(text).as_bytes())
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.files.push(name.to_owned());
        self.tar.add(&format!("dmgw-bundle/{name}"), bytes)
    }
}

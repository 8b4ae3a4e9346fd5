//! `dmgw device register`: devices that shall be known, one or a list of thousands, with a report line by line.
//!
//! The list is read and checked whole before the first part of it is sent. It goes in parts that the daemon takes whatever
//! its settings say; each is committed as one. Registering the same again changes nothing, so a list that broke off is
//! simply registered again. Keys are sent and never shown.

mod list;
mod one;
mod report;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::args::RegisterArgs;
use super::client::Client;
use super::{CliError, Exit};
use crate::api::ALWAYS_TAKEN;
use crate::api::shown::Answer;
use crate::model::registration::MOST_AT_ONCE;
use crate::model::{Registered, Registration};
use list::Line;
use report::{Became, Report};

pub const HELP: &str = "A list in CSV has a header that names its columns, in any order:
  identity      KIND:VALUE, several with spaces between them: serial:acme:17 eui:0024beff
  link, address where it will be found; needed where there is no identity
  name, groups  groups with spaces between them
  key           nobody without it is this device; 8 to 128 bytes
  profile       which kind of device it is; without: found by its signs
  life          managed (if nothing is said), pending or quarantined
  application, location, hardware, power, security, access
  labels, versions   NAME=TEXT, several with ; between them
A list in TOML says the same, for each device:
  [[device]]
  identities = [{ kind = \"serial\", value = \"acme:17\" }]
  name = \"pump-3\"
  groups = [\"line-a\"]
  about = { application = \"drainage\", labels = { row = \"3\" } }

Examples:
  dmgw device register meters.csv --check
  dmgw device register meters.csv
  dmgw device register serial:acme:17 --name pump-3 --group line-a --key-file pump-3.key
  dmgw device register --link meters --address 7 --name feeder-1";

const AT_ONCE: Duration = Duration::ZERO;
/// Of a part, for what stands around its devices.
const AROUND: usize = 64;
/// How often a daemon that has too much to do is asked again, and after how long.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// What goes to the daemon at once: places in the list, and the devices as JSON.
type Batch = Vec<(usize, Value)>;

pub async fn register(client: &Client, args: RegisterArgs, json: bool) -> Result<Exit, CliError> {
    let lines = if one::is_one(&args) { vec![one::line(&args)?] } else { list::read(&args)? };
    let mut report = Report::new(lines.iter().map(|line| line.no), json);
    let mut good: Batch = Vec::new();
    for (place, checked) in checked(lines).into_iter().enumerate() {
        match checked {
            Ok(_) if args.check => report.put(place, Became::Good(true)),
            Ok(device) => good.push((place, device)),
            Err(why) => report.put(place, Became::Refused(why)),
        }
    }
    let sent = send(client, batches(good), &mut report).await;
    report.end()?;
    sent?;
    Ok(if report.refused() > 0 { Exit::Failed } else { Exit::Done })
}

/// As it is sent, or what is wrong with it. The second of two lines for one device is wrong: it would undo the first.
fn checked(lines: Vec<Line>) -> Vec<Result<Value, String>> {
    let mut before: HashMap<String, Option<u64>> = HashMap::new();
    let one = |line: Line| {
        let registration = line.what?;
        registration.check()?;
        for name in names(&registration) {
            if let Some(first) = before.get(&name) {
                let first = first.map(|no| format!(" in line {no}")).unwrap_or_default();
                return Err(format!("{name} was named{first} before"));
            }
            before.insert(name, line.no);
        }
        sendable(&registration)
    };
    lines.into_iter().map(one).collect()
}

fn names(registration: &Registration) -> Vec<String> {
    if registration.identities.is_empty() {
        let (link, address) = (&registration.link, &registration.address);
        return link.iter().zip(address).map(|(link, address)| format!("{address} on {link}")).collect();
    }
    let mut names: Vec<String> = registration.identities.iter().map(|identity| identity.urn().to_string()).collect();
    names.sort();
    names.dedup();
    names
}

/// What holds a secret does not show it by itself: here it goes to the daemon, which has to know.
fn sendable(registration: &Registration) -> Result<Value, String> {
    let mut shown = serde_json::to_value(registration).map_err(|error| error.to_string())?;
    if let Some(key) = &registration.key {
        shown["key"] = json!(key.reveal());
    }
    if size(&shown) + AROUND > ALWAYS_TAKEN {
        return Err("it is too large for one request; take some labels away".into());
    }
    Ok(shown)
}

fn size(device: &Value) -> usize {
    device.to_string().len() + 1
}

fn batches(devices: Batch) -> Vec<Batch> {
    let (mut all, mut room): (Vec<Batch>, usize) = (Vec::new(), 0);
    for (place, device) in devices {
        let size = size(&device);
        match all.last_mut().filter(|batch| size <= room && batch.len() < MOST_AT_ONCE) {
            Some(batch) => batch.push((place, device)),
            None => {
                room = ALWAYS_TAKEN - AROUND;
                all.push(vec![(place, device)]);
            }
        }
        room -= size;
    }
    all
}

async fn send(client: &Client, batches: Vec<Batch>, report: &mut Report) -> Result<(), CliError> {
    for batch in batches {
        let (places, devices): (Vec<usize>, Vec<Value>) = batch.into_iter().unzip();
        let each = ask(client, &json!({ "register": { "devices": devices } })).await?;
        if each.len() != places.len() {
            return Err(CliError::Failed(
                "the daemon did not answer for each device; is it of another version?".into(),
            ));
        }
        for (place, became) in places.into_iter().zip(each) {
            report.put(place, became.into());
        }
    }
    Ok(())
}

/// Registering twice is as good as once, so a busy daemon may be asked again.
async fn ask(client: &Client, devices: &Value) -> Result<Vec<Registered>, CliError> {
    for _ in 1..TRIES {
        match client.post("/v1/ask", devices, AT_ONCE).await {
            Err(CliError::Told(told)) if told.kind == "busy" => tokio::time::sleep(PAUSE).await,
            answer => return registered(answer),
        }
    }
    registered(client.post("/v1/ask", devices, AT_ONCE).await)
}

fn registered(answer: Result<Answer, CliError>) -> Result<Vec<Registered>, CliError> {
    match answer {
        Ok(Answer::Registered(each)) => Ok(each),
        Ok(_) => Err(CliError::Failed("the daemon answered something else; is it of another version?".into())),
        Err(CliError::Told(mut told)) if ["busy", "not-known"].contains(&told.kind.as_str()) => {
            told.hint = format!("{}; the lines without an answer may be registered again as they are", told.hint);
            Err(CliError::Told(told))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;

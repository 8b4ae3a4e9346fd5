//! Other settings while the daemon runs: read as a whole, checked as a whole, and only what is another is touched. With
//! any mistake nothing changes.
//!
//! A reload takes the files; a change through a door is a version over what runs, so that it takes over nothing that
//! somebody has half written into a file. A version is on disk before it holds; on probation, the file that watches over
//! it is there before that. Runs in the main task, one at a time, and may be dropped at any point where it waits: then
//! the daemon stops.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::event_loop::{Configure, Versioned};
use super::files::Files;
use super::known;
use super::start::Running;
use crate::api::NotApplied;
use crate::api::tag::{Seen, Tag};
use crate::config::flat::{at_next_start, differences, flat};
use crate::config::{Inputs, Reading, layers, probation, read};
use crate::model::layer::{Layer, OnProbation, Wanted};
use crate::model::setting::{Difference, Flat, Reloaded};
use crate::model::{Event, Name, Now};

/// Whoever asked waits so long for the disk.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// Whoever goes back by itself.
const GATEWAY: &str = "gateway";
/// Keys that a record names.
const MOST_NAMED: usize = 8;
/// The shortest and the longest time on probation, in seconds.
const PROBATION: std::ops::RangeInclusive<u64> = 1..=7 * 86_400;

/// What is to hold from now on.
struct Next {
    inputs: Inputs,
    reading: Reading,
    /// What ran before; None where nobody can say.
    before: Option<Flat>,
    versions: Vec<Versioned>,
    /// For the record.
    says: String,
    /// The files are as they should be.
    files_are_right: bool,
}

/// Whether they are those that somebody has seen. Nobody changes them between this and what comes of it: all of it is done
/// by the main task.
pub fn are_still(files: &Files, seen: Option<&Seen>) -> Result<(), NotApplied> {
    let Some(seen) = seen else { return Ok(()) };
    let now = Tag::of(&files.running().map_err(NotApplied::Wrong)?);
    let versions = Tag::of(&files.versions().map_err(NotApplied::Wrong)?);
    match [now, versions].iter().flatten().any(|tag| seen.has(tag)) {
        true => Ok(()),
        false => Err(NotApplied::ChangedMeanwhile),
    }
}

/// The files again, or every mistake in them, where it stands.
pub async fn reload(running: &mut Running) -> Result<Reloaded, String> {
    running.files.is_settled()?;
    let inputs = running.files.gather()?.with_layers(&running.files.layers()?);
    let reading = checked(&inputs)?;
    let before = running.files.running().inspect_err(|why| tracing::warn!("{why}")).ok();
    apply(
        running,
        Next { inputs, reading, before, versions: Vec::new(), says: "read again".into(), files_are_right: true },
    )
    .await
}

/// Another version over what runs.
pub async fn change(running: &mut Running, wanted: Wanted, by: &Name) -> Result<Reloaded, String> {
    running.files.is_settled()?;
    if let Some((of, _)) = &running.files.watched {
        return Err(format!("version {} is on probation: confirm it, or go back, first", of.version));
    }
    if let Some(within) = wanted.confirm_within.filter(|within| !PROBATION.contains(within)) {
        return Err(format!("{within} seconds are no time for a probation: 1 s to 7 days"));
    }
    let there = running.files.layers()?;
    let layer = layers::next(&there, &wanted, by, &Now::default())?;
    if !wanted.hide.is_empty() {
        layers::can_be_hidden(&wanted.hide, &read(&running.files.texts()?.with_layers(&there)).root)?;
    }
    let on = wanted.confirm_within.map(|within| {
        // One that the start left out was not what ran.
        let held = there.iter().rev().find(|layer| !running.files.left_out.contains(&layer.version));
        let back_to = held.map_or(0, |layer| layer.version);
        OnProbation { version: layer.version, back_to, within, starts: 0 }
    });
    put(running, there, layer, on).await
}

/// As it was with that version; 0: as the files say. What is on probation is over with it.
pub async fn back(running: &mut Running, version: u64, by: &Name) -> Result<Reloaded, String> {
    running.files.is_settled()?;
    if running.files.watched.as_ref().is_some_and(|(of, _)| of.version == version) {
        return Err(format!("version {version} is on probation and holds: confirm it, or go back to an earlier one"));
    }
    let there = running.files.layers()?;
    let note = format!("back to version {version}");
    let layer = layers::back_to(&there, version, by, &Now::default(), &note)?;
    put(running, there, layer, None).await
}

/// Nobody has confirmed it in time.
pub async fn go_back(running: &mut Running) {
    let Some((of, _)) = running.files.watched.clone() else { return };
    tracing::warn!(version = of.version, "nobody has confirmed the settings in time; going back");
    let earlier = running.files.layers().unwrap_or_default().into_iter().map(|layer| layer.version);
    let mut earlier: Vec<u64> = [0].into_iter().chain(earlier.filter(|version| *version < of.back_to)).collect();
    earlier.push(of.back_to);
    earlier.dedup();
    // The newest that still holds. What keeps all of them from it is told once.
    let mut told = BTreeSet::new();
    while let Some(version) = earlier.pop() {
        match back(running, version, &gateway()).await {
            Ok(_) => return tracing::info!(version, "the settings are as before"),
            Err(why) if told.contains(&why) => {}
            Err(why) => {
                tracing::error!("cannot go back to version {version}: {why}");
                told.insert(why);
            }
        }
    }
    // It is tried again: the gateway may be out of reach until it works.
    running.files.watched = Some((of, Instant::now() + Duration::from_secs(60)));
}

pub fn confirm(running: &mut Running, version: u64) -> Result<(), String> {
    match &running.files.watched {
        Some((of, _)) if of.version == version && running.files.left_out.contains(&version) => {
            Err(format!("version {version} was left out at the start, for it has mistakes: it does not hold; go back"))
        }
        Some((of, _)) if of.version == version => {
            probation::end(&running.files.probation).map_err(|error| format!("this cannot be kept: {error}"))?;
            running.files.watched = None;
            Ok(())
        }
        Some((of, _)) => Err(format!("version {} is on probation, not {version}", of.version)),
        None => Err("no version is on probation".into()),
    }
}

/// What a reload would change; or what one version has changed against another.
pub fn difference(files: &Files, versions: Option<(u64, u64)>) -> Result<Vec<Difference>, String> {
    let layers = files.layers()?;
    if let Some((from, to)) = versions {
        return Ok(differences(&files.at_version(&layers, from)?, &files.at_version(&layers, to)?));
    }
    let inputs = files.gather()?.with_layers(&layers);
    let Reading { root, .. } = checked(&inputs)?;
    Ok(differences(&files.running()?, &flat(&root, &inputs.sources)))
}

pub fn gateway() -> Name {
    Name::new(GATEWAY).unwrap_or_else(|_| unreachable!("the name is within its bounds"))
}

/// One more version. What was on probation is over with it.
async fn put(
    running: &mut Running,
    mut there: Vec<Layer>,
    layer: Layer,
    on: Option<OnProbation>,
) -> Result<Reloaded, String> {
    let texts = running.files.texts()?;
    let before = running.files.running_of(texts.clone(), there.clone());
    let version = layer.version;
    let says = format!("version {version} by {}{}", layer.by, if on.is_some() { ", on probation" } else { "" });
    there.push(layer.clone());
    let inputs = texts.with_layers(&there);
    let reading = checked(&inputs)?;
    let mut versions = vec![Versioned::Put(layer)];
    if let Some((first, merged)) = layers::folded(&there) {
        versions.extend([Versioned::Forget(first), Versioned::Put(merged)]);
    }
    if let Some(on) = &on {
        probation::write(&running.files.probation, on).map_err(|error| format!("a probation cannot begin: {error}"))?;
    } else {
        probation::clear(&running.files.probation, version)
            .map_err(|error| format!("a probation that never began cannot be taken away: {error}"))?;
    }
    let applied =
        apply(running, Next { inputs, reading, before: Some(before), versions, says, files_are_right: false }).await;
    if applied.is_err() && on.is_none() {
        return applied;
    }
    let on = on.filter(|_| applied.is_ok());
    if on.is_none()
        && let Err(error) = probation::end(&running.files.probation)
    {
        // The next start sees that a later version is there, or none of this number, and takes it away.
        tracing::warn!(%error, "the file of the probation cannot be taken away");
    }
    running.files.watch(on);
    applied.map(|reloaded| Reloaded { version: Some(version), ..reloaded })
}

fn checked(inputs: &Inputs) -> Result<Reading, String> {
    let reading = read(inputs);
    if reading.faults.is_empty() { Ok(reading) } else { Err(reading.faults.show(&inputs.sources)) }
}

async fn apply(running: &mut Running, next: Next) -> Result<Reloaded, String> {
    let Next { inputs, reading: Reading { config, root, covered, .. }, before, versions, says, files_are_right } = next;
    let config = config.ok_or("the settings cannot be read")?;
    let changed = before.map(|before| differences(&before, &flat(&root, &inputs.sources))).unwrap_or_default();
    let is_news = !versions.is_empty() || !changed.is_empty();
    let says = is_news.then(|| format!("{says}: {}", named(&changed)));
    running.links.make_way(&config).await;
    let (done, mut taken) = oneshot::channel();
    let other =
        Configure { settings: config.engine(), links: running.links.known(), versions, says, files_are_right, done };
    let given = running.configure.try_send(other);
    // The loop may wait for an event; this is one.
    let _ = running.events.send(Event::Wake).await;
    let settled = tokio::time::timeout(TAKEN_WITHIN, &mut taken).await;
    // Before new links begin: whoever has a key must show it from the first moment.
    let refused = known::tell(&config, running).await;
    running.links.start();
    if given.is_err() || matches!(settled, Ok(Err(_))) {
        return Err("the daemon is stopping".into());
    }
    running.logs.configure(config.log.level);
    running.door.keys.put(config.keys());
    running.files.left_out.clear();
    running.files.keep(inputs);
    if settled.is_err() {
        tracing::warn!("the disk has not taken the settings in time; they hold, and are kept when it does");
        running.files.unsettled = Some(taken);
    }
    let next_start = changed.iter().map(|one| one.key.clone()).filter(|key| at_next_start(key)).collect();
    Ok(Reloaded { changed, next_start, covered, refused, version: None, unsettled: settled.is_err() })
}

fn named(changed: &[Difference]) -> String {
    let keys: Vec<&str> = changed.iter().take(MOST_NAMED).map(|one| one.key.as_str()).collect();
    format!("{}{}", keys.join(", "), if changed.len() > MOST_NAMED { ", …" } else { "" })
}

pub fn tell(came_to: &Result<Reloaded, String>) {
    match came_to {
        Ok(Reloaded { changed, next_start, .. }) if next_start.is_empty() => {
            tracing::info!(changed = changed.len(), "settings taken over");
        }
        Ok(Reloaded { changed, next_start, .. }) => {
            let keys = next_start.join(", ");
            tracing::warn!(changed = changed.len(), "settings taken over; these wait for the next start: {keys}");
        }
        Err(faults) => tracing::error!("nothing is changed: {faults}"),
    }
}

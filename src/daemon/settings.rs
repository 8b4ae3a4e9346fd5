//! Other settings while the daemon runs: read as a whole, checked as a whole, and only what is another is touched. With
//! any mistake nothing changes.
//!
//! They come from the files (a reload) or through a door (a version over the files). A version is on disk before it
//! holds; on probation, the file that watches over it is there before that. Runs in the main task, one at a time.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::event_loop::{Configure, Versioned};
use super::known;
use super::start::Running;
use crate::config::flat::{at_next_start, differences, flat};
use crate::config::{Inputs, Reading, kept, layers, probation, read};
use crate::model::layer::{Layer, OnProbation, Versions, Wanted};
use crate::model::setting::{Flat, Reloaded};
use crate::model::{Event, Name, Now};
use crate::store::Snapshots;

/// For the loop to take them: it waits for nobody but the disk.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// Whoever goes back by itself.
const GATEWAY: &str = "gateway";
/// Keys that a record names.
const MOST_NAMED: usize = 8;
/// The shortest and the longest time on probation, in seconds.
const PROBATION: std::ops::RangeInclusive<u64> = 1..=7 * 86_400;

/// Where the settings come from, and what watches over them.
pub struct Files {
    pub main: PathBuf,
    pub copy: PathBuf,
    pub probation: PathBuf,
    pub snapshots: Snapshots,
    /// What is on probation, and until when.
    pub watched: Option<(OnProbation, Instant)>,
}

impl Files {
    pub fn watch(&mut self, of: Option<OnProbation>) {
        self.watched = of.map(|of| (of.clone(), Instant::now() + Duration::from_secs(of.within)));
    }

    pub fn layers(&self) -> Result<Vec<Layer>, String> {
        let (layers, damaged) = self.snapshots.layers().map_err(|error| error.to_string())?;
        if !damaged.is_empty() {
            tracing::error!(?damaged, "versions of the settings are damaged and left out");
        }
        Ok(layers)
    }

    pub fn versions(&self) -> Result<Versions, String> {
        Ok(Versions { layers: self.layers()?, probation: self.watched.as_ref().map(|(of, _)| of.clone()) })
    }

    fn gather(&self, layers: &[Layer]) -> Result<Inputs, String> {
        let gathered = Inputs::gather(&self.main, std::env::vars()).map_err(|error| error.to_string())?;
        Ok(gathered.with_layers(layers))
    }

    /// As the copy tells it, for memory does not hold what nobody needs.
    pub fn running(&self) -> Flat {
        let layers = self.layers().unwrap_or_default();
        match kept::read(&self.copy, std::env::vars()) {
            Ok(inputs) => {
                let inputs = inputs.with_layers(&layers);
                flat(&read(&inputs).root, &inputs.sources)
            }
            Err(_) => Flat::new(),
        }
    }
}

/// The files again, or every mistake in them, where it stands.
pub async fn reload(running: &mut Running) -> Result<Reloaded, String> {
    let before = running.files.running();
    let inputs = running.files.gather(&running.files.layers()?)?;
    let reading = checked(&inputs)?;
    apply(running, inputs, reading, before, Vec::new(), "read again").await
}

/// Another version over the files.
pub async fn change(running: &mut Running, wanted: Wanted, by: &Name) -> Result<Reloaded, String> {
    if let Some((of, _)) = &running.files.watched {
        return Err(format!("version {} is on probation: confirm it, or go back, first", of.version));
    }
    if let Some(within) = wanted.confirm_within.filter(|within| !PROBATION.contains(within)) {
        return Err(format!("{within} seconds are no time for a probation: 1 s to 7 days"));
    }
    let there = running.files.layers()?;
    let layer = layers::next(&there, &wanted, by, &Now::default())?;
    let on = wanted.confirm_within.map(|within| {
        let back_to = there.last().map_or(0, |last| last.version);
        OnProbation { version: layer.version, back_to, within, starts: 0 }
    });
    put(running, there, layer, on).await
}

/// As it was with that version; 0: as the files say. What is on probation is over with it.
pub async fn back(running: &mut Running, version: u64, by: &Name) -> Result<Reloaded, String> {
    let there = running.files.layers()?;
    let note = format!("back to version {version}");
    let layer = layers::back_to(&there, version, by, &Now::default(), &note)?;
    let reloaded = put(running, there, layer, None).await?;
    over(running);
    Ok(reloaded)
}

/// Nobody has confirmed it in time.
pub async fn go_back(running: &mut Running) {
    let Some((of, _)) = running.files.watched.take() else { return };
    tracing::warn!(version = of.version, "nobody has confirmed the settings in time; going back");
    match back(running, of.back_to, &gateway()).await {
        Ok(_) => tracing::info!(version = of.back_to, "the settings are as before"),
        Err(why) => {
            // It is tried again: the gateway may be out of reach until it works.
            tracing::error!("cannot go back yet: {why}");
            running.files.watched = Some((of, Instant::now() + Duration::from_secs(60)));
        }
    }
}

pub fn confirm(running: &mut Running, version: u64) -> Result<(), String> {
    match &running.files.watched {
        Some((of, _)) if of.version == version => {
            probation::end(&running.files.probation).map_err(|error| format!("this cannot be kept: {error}"))?;
            running.files.watched = None;
            Ok(())
        }
        Some((of, _)) => Err(format!("version {} is on probation, not {version}", of.version)),
        None => Err("no version is on probation".into()),
    }
}

fn over(running: &mut Running) {
    running.files.watched = None;
    if let Err(error) = probation::end(&running.files.probation) {
        // The next start sees that a later version is there, and takes it away.
        tracing::warn!(%error, "the file of the probation cannot be taken away");
    }
}

pub fn gateway() -> Name {
    Name::new(GATEWAY).unwrap_or_else(|_| unreachable!("the name is within its bounds"))
}

async fn put(
    running: &mut Running,
    mut there: Vec<Layer>,
    layer: Layer,
    on: Option<OnProbation>,
) -> Result<Reloaded, String> {
    let before = running.files.running();
    let says = format!("version {} by {}{}", layer.version, layer.by, if on.is_some() { ", on probation" } else { "" });
    there.push(layer.clone());
    let inputs = running.files.gather(&there)?;
    let mut versions = vec![Versioned::Put(layer)];
    if let Some((first, merged)) = layers::folded(&there) {
        versions.extend([Versioned::Forget(first), Versioned::Put(merged)]);
    }
    let reading = checked(&inputs)?;
    if let Some(on) = &on {
        probation::write(&running.files.probation, on).map_err(|error| format!("a probation cannot begin: {error}"))?;
    }
    let applied = apply(running, inputs, reading, before, versions, &says).await;
    running.files.watch(on);
    applied
}

fn checked(inputs: &Inputs) -> Result<Reading, String> {
    let reading = read(inputs);
    if reading.faults.is_empty() { Ok(reading) } else { Err(reading.faults.show(&inputs.sources)) }
}

async fn apply(
    running: &mut Running,
    inputs: Inputs,
    reading: Reading,
    before: Flat,
    versions: Vec<Versioned>,
    says: &str,
) -> Result<Reloaded, String> {
    let Reading { config, root, covered, .. } = reading;
    let config = config.ok_or("the settings cannot be read")?;
    let changed = differences(&before, &flat(&root, &inputs.sources));
    let keys: Vec<&str> = changed.iter().take(MOST_NAMED).map(|one| one.key.as_str()).collect();
    let more = if changed.len() > MOST_NAMED { ", …" } else { "" };
    let says = format!("{says}: {}{more}", keys.join(", "));
    running.links.make_way(&config).await;
    let (done, taken) = oneshot::channel();
    let links = running.links.known();
    let other = Configure { settings: config.engine(), links, versions, says, trouble: None, done };
    running.configure.try_send(other).map_err(|_| "the daemon is stopping, or still busy with the last change")?;
    // The loop may wait for an event; this is one.
    let _ = running.events.send(Event::Wake).await;
    let taken = tokio::time::timeout(TAKEN_WITHIN, taken).await;
    let refused = known::tell(&config, &running.seal, &running.asks).await;
    running.links.start();
    if taken.is_err() {
        return Err("the disk has not taken the settings in time; they hold, and are kept when it does".into());
    }
    if let Err(error) = kept::write(&running.files.copy, &inputs) {
        let copy = running.files.copy.display();
        tracing::warn!(%error, %copy, "the last good copy of the settings cannot be written");
    }
    let next_start = changed.iter().map(|one| one.key.clone()).filter(|key| at_next_start(key)).collect();
    Ok(Reloaded { changed, next_start, covered, refused })
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

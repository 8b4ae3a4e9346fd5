//! Other settings while the daemon runs: read as a whole, checked as a whole, and only what is another is touched. With
//! any mistake nothing changes.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;

use super::event_loop::Configure;
use super::start::Running;
use crate::config::flat::{at_next_start, differences, flat};
use crate::config::{Inputs, Reading, kept, read};
use crate::model::Event;
use crate::model::setting::{Flat, Reloaded};

/// For the loop to take them: it waits for nobody but the disk.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// Where the settings come from and where their copy goes.
pub struct Files {
    pub main: PathBuf,
    pub copy: PathBuf,
}

/// Or every mistake, where it stands.
pub async fn reload(running: &mut Running) -> Result<Reloaded, String> {
    let inputs = Inputs::gather(&running.files.main, std::env::vars()).map_err(|error| error.to_string())?;
    let Reading { config, root, faults } = read(&inputs);
    let Some(config) = config.filter(|_| faults.is_empty()) else { return Err(faults.show(&inputs.sources)) };
    let changed = differences(&running_flat(running), &flat(&root, &inputs.sources));
    running.links.make_way(&config).await;
    let (done, taken) = oneshot::channel();
    let links = running.links.known();
    let other = Configure { settings: config.engine(), links, trouble: None, done };
    running.configure.try_send(other).map_err(|_| "the daemon is stopping, or still busy with the last reload")?;
    // The loop may wait for an event; this is one.
    let _ = running.events.send(Event::Wake).await;
    if tokio::time::timeout(TAKEN_WITHIN, taken).await.is_err() {
        tracing::error!("the loop has not taken the settings in time; they hold when it goes on");
    }
    running.links.start();
    if let Err(error) = kept::write(&running.files.copy, &inputs) {
        tracing::warn!(%error, copy = %running.files.copy.display(), "the last good copy of the settings cannot be written");
    }
    let next_start = changed.iter().map(|one| one.key.clone()).filter(|key| at_next_start(key)).collect();
    Ok(Reloaded { changed, next_start })
}

/// As the copy tells it, for memory does not hold what nobody needs.
pub fn running_flat(running: &Running) -> Flat {
    match kept::read(&running.files.copy, std::env::vars()) {
        Ok(inputs) => flat(&read(&inputs).root, &inputs.sources),
        Err(_) => Flat::new(),
    }
}

pub fn tell(came_to: &Result<Reloaded, String>) {
    match came_to {
        Ok(Reloaded { changed, next_start }) if next_start.is_empty() => {
            tracing::info!(changed = changed.len(), "settings taken over");
        }
        Ok(Reloaded { changed, next_start }) => {
            let keys = next_start.join(", ");
            tracing::warn!(changed = changed.len(), "settings taken over; these wait for the next start: {keys}");
        }
        Err(faults) => tracing::error!("nothing is changed, for the settings have mistakes:\n{faults}"),
    }
}

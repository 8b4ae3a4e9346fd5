//! The links that run, each with its task, and what other settings change about them: only what is another is stopped,
//! started or told of.
//!
//! A link keeps its number as long as the process lives, as in the engine: known names keep their places, new ones follow
//! in the order of their names. Order of a change: stop the tasks that have to go; tell the loop of their ends; give the
//! engine its settings; start what is new. So the engine never has an order for a task that is not there.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::links::{self, Door, Place};
use crate::config::Config;
use crate::links::{self as drivers, Driver, Readers};
use crate::model::{Event, LinkEvent, LinkNo, Name};

pub struct Attached {
    events: mpsc::Sender<Event>,
    readers: Readers,
    /// By their numbers.
    links: Vec<One>,
}

struct One {
    door: Arc<Door>,
    /// None: it was taken out of the settings.
    driver: Option<Driver>,
    task: Option<Task>,
}

struct Task {
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

/// As the loop has to know it.
pub struct Known {
    pub door: Arc<Door>,
    /// None: it was taken out of the settings.
    pub driver: Option<&'static str>,
}

impl Attached {
    /// None of them runs yet.
    pub fn new(config: &Config, events: mpsc::Sender<Event>, readers: Readers) -> Attached {
        let mut attached = Attached { events, readers, links: Vec::new() };
        attached.know(config);
        attached
    }

    pub fn known(&self) -> Vec<Known> {
        let known = |one: &One| Known { door: one.door.clone(), driver: one.driver.as_ref().map(Driver::name) };
        self.links.iter().map(known).collect()
    }

    /// Starts every link that is there and does not run.
    pub fn start(&mut self) {
        for (one, no) in self.links.iter_mut().zip(0..) {
            let Some(driver) = one.driver.clone().filter(|_| one.task.is_none()) else { continue };
            let (stop, stopped) = watch::channel(false);
            let place = Place {
                link: LinkNo(no),
                door: one.door.clone(),
                events: self.events.clone(),
                stop: stopped,
                readers: self.readers.clone(),
            };
            let orders = one.door.renew();
            let ended = tokio::spawn(links::keep(place, orders, move |seam| drivers::run(driver.clone(), seam)));
            one.task = Some(Task { stop, ended });
        }
    }

    /// All of them, for good.
    pub async fn stop(&mut self) {
        let tasks: Vec<Task> = self.links.iter_mut().filter_map(|one| one.task.take()).collect();
        for task in &tasks {
            task.stop.send_replace(true);
        }
        for task in tasks {
            let _ = task.ended.await;
        }
    }

    /// Ends the tasks of those that these settings do not have, or have otherwise, and tells the loop of it. Gives back
    /// the names of those that are there otherwise.
    pub async fn make_way(&mut self, config: &Config) -> Vec<Name> {
        let mut ending = Vec::new();
        let mut other = Vec::new();
        for (one, no) in self.links.iter_mut().zip(0..) {
            let wanted = config.link.get(&one.door.name).and_then(|link| link.driver());
            if one.driver == wanted {
                continue;
            }
            let why = match wanted {
                Some(_) => "its settings are others now",
                None => "it was taken out of the settings",
            };
            if let Some(task) = one.task.take() {
                task.stop.send_replace(true);
                other.extend(wanted.is_some().then(|| one.door.name.clone()));
                ending.push((LinkNo(no), task, why));
            }
        }
        for (link, task, why) in ending {
            let _ = task.ended.await;
            // A loop that is gone has taken the daemon with it.
            let event = LinkEvent::Ended { why: why.into(), stopped: true };
            let _ = self.events.send(Event::Link { link, event }).await;
        }
        self.know(config);
        other
    }

    /// Which links there are from now on.
    fn know(&mut self, config: &Config) {
        for one in &mut self.links {
            let wanted = config.link.get(&one.door.name).and_then(|link| link.driver());
            if let Some(driver) = wanted.as_ref().filter(|_| one.driver != wanted) {
                one.door = Arc::new(door(&one.door.name, driver));
            }
            one.driver = wanted;
        }
        for (name, _, driver) in config.drivers() {
            if !self.links.iter().any(|one| one.door.name == *name) {
                self.links.push(One { door: Arc::new(door(name, &driver)), driver: Some(driver), task: None });
            }
        }
    }
}

fn door(name: &Name, driver: &Driver) -> Door {
    Door::new(name.clone(), usize::from(driver.credits()))
}

//! Replay: a script of events through the engine in false time.
//!
//! A script is TOML that a person can write; what the engine makes of it comes back as a transcript, one line for each
//! event, change and order. Deadlines between two steps are met at their time. A restart keeps exactly what was in the
//! changes so far, as the store would, so a scenario can have one anywhere. Scenario tests compare transcripts; so will
//! whoever tries a policy before trusting it.

mod script;

pub use script::{Script, ScriptError};

use std::fmt::Write;

use crate::engine::{Engine, LinkCounts, Settings, Step};
use crate::model::*;

use script::{Carried, Happening, Restart};

/// Wakes between two steps; more means that the engine asks to be woken without getting anywhere.
const MOST_WAKES: usize = 10_000;

/// Runs the script to its end and says what happened, line by line.
pub fn run(script: &Script) -> String {
    let mut replay = Replay::new(script);
    for step in &script.steps {
        replay.pass_time(step.at);
        replay.happen(&step.what);
    }
    replay.tell_counts();
    replay.transcript
}

struct Replay<'a> {
    script: &'a Script,
    settings: Settings,
    engine: Engine,
    now: Now,
    disk: State,
    asked: u64,
    transcript: String,
}

impl<'a> Replay<'a> {
    fn new(script: &'a Script) -> Replay<'a> {
        let now = script.start;
        let (engine, step) = Engine::load(script.settings.clone(), State::default(), &now);
        let settings = script.settings.clone();
        let mut replay =
            Replay { script, settings, engine, now, disk: State::default(), asked: 0, transcript: String::new() };
        replay.take(step);
        replay
    }

    fn happen(&mut self, what: &Happening) {
        match what {
            Happening::Restart(restart) => self.restart(*restart),
            Happening::Clock(clock) => {
                (self.now.wall, self.now.quality) = (clock.wall, clock.quality);
                self.say("clock", clock);
            }
            Happening::Link { link, event } => {
                self.say(self.script.settings.links[usize::from(link.0)].name.as_str(), event);
                self.handle(Event::Link { link: *link, event: event.clone() });
            }
            Happening::Ask { by, ask } => {
                self.asked += 1;
                self.say("ask", ask);
                self.handle(Event::Ask { to: self.asked, by: by.clone(), ask: ask.clone() });
            }
            Happening::Begin { by, wanted } => {
                self.asked += 1;
                self.say("begin", wanted);
                self.handle(Event::Begin { to: self.asked, by: by.clone(), wanted: wanted.clone() });
            }
            Happening::Carried(Carried { deed, first }) => {
                self.asked += 1;
                self.say("carried", &(deed, first));
                self.handle(Event::Carried { to: self.asked, deed: *deed, first: first.clone() });
            }
            Happening::VitalFull(full) => {
                self.say("vital-full", full);
                self.handle(Event::VitalFull(*full));
            }
            Happening::Profiles(profiles) => {
                self.settings.profiles = profiles.clone();
                self.say("profiles", &profiles.keys().collect::<Vec<_>>());
                let step = self.engine.configure(&self.now, self.settings.clone());
                self.take(step);
            }
            Happening::Nothing => self.say("nothing", &()),
        }
    }

    fn handle(&mut self, event: Event) {
        let step = self.engine.handle(&self.now, event);
        self.take(step);
    }

    /// Moves on to `at`, meeting every deadline on the way.
    fn pass_time(&mut self, at: Mono) {
        for _ in 0..MOST_WAKES {
            match self.engine.wake_at() {
                Some(wake) if wake <= at => {
                    self.advance(wake.max(self.now.mono));
                    let step = self.engine.handle(&self.now, Event::Wake);
                    if step != Step::default() {
                        self.say("wake", &());
                        self.take(step);
                    }
                }
                _ => return self.advance(at),
            }
        }
        let _ = writeln!(self.transcript, "STUCK: still asking to be woken at {:?}", self.engine.wake_at());
    }

    fn advance(&mut self, to: Mono) {
        self.now.wall = self.now.wall_at(to);
        self.now.mono = to;
    }

    fn restart(&mut self, restart: Restart) {
        self.say("restart", &restart);
        if restart.reboot {
            self.now.boot.0 += 1;
        }
        let (engine, step) = Engine::load(self.settings.clone(), self.disk.clone(), &self.now);
        self.engine = engine;
        self.take(step);
    }

    fn take(&mut self, step: Step) {
        for change in &step.changes {
            self.disk.apply(change);
            self.line("  change", change);
        }
        for heard in &step.heard {
            self.line("  heard ", heard);
        }
        for order in &step.orders {
            self.line("  order ", order);
        }
        if self.disk != self.engine.state() {
            self.transcript.push_str("MISMATCH: a restart would not find this state\n");
        }
    }

    /// At the end: what was said in vain.
    fn tell_counts(&mut self) {
        for (link, counts) in self.script.settings.links.iter().zip(self.engine.link_counts()) {
            let LinkCounts { rejected, dropped, .. } = counts;
            if rejected + dropped > 0 {
                let _ = writeln!(self.transcript, "{}: {rejected} rejected, {dropped} dropped", link.name);
            }
        }
    }

    fn say(&mut self, who: &str, what: &impl serde::Serialize) {
        let Mono(ms) = self.now.mono;
        let label = format!("{}.{:03} {who}", ms / 1000, ms % 1000);
        self.line(&label, what);
    }

    fn line(&mut self, label: &str, what: &impl serde::Serialize) {
        // What cannot be shown as JSON is shown as the reason why not: a scenario then fails and says so.
        let shown = serde_json::to_string(what).unwrap_or_else(|error| error.to_string());
        let _ = match shown.as_str() {
            "null" => writeln!(self.transcript, "{label}"),
            shown => writeln!(self.transcript, "{label} {shown}"),
        };
    }
}

//! The log: to systemd's journal with fields of their own, or to the standard error output as text for people or one JSON
//! object a line. Repeats are [folded](fold); the level changes while the daemon runs.
//!
//! Devices, links and commands are fields, `device`, `link` and `command`, so that a log can be searched by them.

mod fold;
mod journal;
mod line;

use std::io::{Write, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

use crate::config::{Format, Log};
use crate::model::log::{Level, LogNow, SetLevel};
use fold::Fold;
use journal::Journal;
use line::Line;

/// For whoever changes the level, and for the end.
pub struct Logs {
    filter: reload::Handle<LevelFilter, Registry>,
    writer: Arc<Mutex<Writer>>,
    settings: Level,
    /// Another level, and until when.
    meanwhile: Option<(Level, Instant)>,
}

/// Tells the counts that were not told yet when it is dropped.
pub struct LastWords(Arc<Mutex<Writer>>);

struct Writer {
    fold: Fold,
    to: To,
}

enum To {
    Journal(Journal),
    Text,
    Json,
}

/// What tracing calls, in whichever thread says something.
struct Lines(Arc<Mutex<Writer>>);

pub fn start(settings: &Log) -> Logs {
    std::panic::set_hook(Box::new(|panic| tracing::error!("panic: {panic}")));
    let to = match settings.format {
        Format::Json => To::Json,
        Format::Auto => Journal::of_systemd().map_or(To::Text, To::Journal),
        Format::Text => To::Text,
    };
    let writer = Arc::new(Mutex::new(Writer { fold: Fold::default(), to }));
    let (filter, handle) = reload::Layer::new(filter(settings.level));
    // Fails only where a log was set up before; that one is as good.
    let _ = tracing_subscriber::registry().with(filter).with(Lines(writer.clone())).try_init();
    Logs { filter: handle, writer, settings: settings.level, meanwhile: None }
}

impl Logs {
    /// The settings say so from now on; what somebody asked for meanwhile goes on.
    pub fn configure(&mut self, settings: Level) {
        self.settings = settings;
        self.apply();
    }

    pub fn set(&mut self, SetLevel { level, seconds }: SetLevel) -> Result<LogNow, String> {
        let seconds = seconds.unwrap_or(SetLevel::SECONDS);
        if !(1..=SetLevel::MOST_SECONDS).contains(&seconds) {
            return Err(format!("a level may hold for 1 to {} seconds, not {seconds}", SetLevel::MOST_SECONDS));
        }
        self.meanwhile = level.map(|level| (level, Instant::now() + Duration::from_secs(seconds)));
        self.apply();
        let now = self.now();
        tracing::warn!(level = now.level.name(), seconds = now.seconds, "the log says more or less for a while");
        Ok(now)
    }

    pub fn now(&self) -> LogNow {
        let seconds = |until: Instant| until.saturating_duration_since(Instant::now()).as_secs_f64().ceil() as u64;
        let level = self.meanwhile.map_or(self.settings, |(level, _)| level);
        LogNow { level, settings: self.settings, seconds: self.meanwhile.map(|(_, until)| seconds(until)) }
    }

    /// When to call [`Logs::go_back`].
    pub fn goes_back_at(&self) -> Option<Instant> {
        self.meanwhile.map(|(_, until)| until)
    }

    pub fn go_back(&mut self) {
        self.meanwhile = None;
        self.apply();
        tracing::info!(level = self.settings.name(), "the log says what the settings say again");
    }

    /// To be dropped last.
    pub fn last_words(&self) -> LastWords {
        LastWords(self.writer.clone())
    }

    fn apply(&self) {
        // Fails only where the log is gone, and then nobody reads it.
        let _ = self.filter.reload(filter(self.now().level));
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event);
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = writer.fold.take(line, std::time::Instant::now());
        lines.iter().for_each(|line| writer.write(line));
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = writer.fold.flush();
        lines.iter().for_each(|line| writer.write(line));
    }
}

impl Writer {
    fn write(&mut self, line: &Line) {
        let text = match &mut self.to {
            To::Journal(journal) => match journal.write(line) {
                Ok(()) => return,
                // systemd reads this too, and puts its own time before it.
                Err(_) => line.text(None),
            },
            To::Text => line.text(Some(Timestamp::now())),
            To::Json => line.json(Timestamp::now()),
        };
        // There is nobody else to tell.
        let _ = stderr().lock().write_all(text.as_bytes());
    }
}

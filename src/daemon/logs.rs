//! The log: to the standard error output, as text for people or one JSON object a line. Devices and commands are fields,
//! `device` and `command`, so that a log can be searched by them.

use std::io::stderr;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Format, Level, Log};

pub fn start(settings: &Log) {
    std::panic::set_hook(Box::new(|panic| tracing::error!("panic: {panic}")));
    let level = match settings.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::registry().with(level);
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_target(false);
    // Fails only where a log was set up before; that one is as good.
    let _ = match settings.format {
        Format::Json => log.with(lines.json().flatten_event(true)).try_init(),
        // systemd's journal puts its own time before each line.
        Format::Text if std::env::var_os("JOURNAL_STREAM").is_some() => log.with(lines.without_time()).try_init(),
        Format::Text => log.with(lines).try_init(),
    };
}

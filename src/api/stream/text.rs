//! The messages as they go over the wire: `event`, `data`, an empty line. The `id` line before them is each listener's own.

use std::fmt::Write;

use serde::Serialize;

use crate::api::journal::{entry_shown, heard_shown};
use crate::api::shown::RecordShown;
use crate::feed::{Item, What};
use crate::model::record::Entry;
use crate::model::{Boot, Heard, Stream, Wall};
use crate::view::View;

/// Numbers of a stream that nobody can get any more.
#[derive(Serialize)]
struct Gap {
    stream: Stream,
    first: u64,
    last: u64,
}

pub fn item(view: &View, item: &Item) -> String {
    match &item.what {
        What::Heard { heard, boot, time } => self::heard(view, item.first, heard.clone(), *boot, *time),
        What::Record(entry) => record(item.stream, item.first, entry.clone()),
    }
}

/// Of an item only what comes after a number.
pub fn rest(view: &View, item: &Item, last: u64) -> String {
    match &item.what {
        What::Heard { heard, boot, time } if last >= item.first => {
            let skip = (last + 1 - item.first) as usize;
            let readings = heard.readings.iter().skip(skip).cloned().collect();
            self::heard(view, last + 1, Heard { readings, ..*heard }, *boot, *time)
        }
        _ => self::item(view, item),
    }
}

pub fn heard(view: &View, seq: u64, heard: Heard, boot: Boot, time: Wall) -> String {
    let shown = RecordShown { seq, time, boot, record: None, heard: Some(heard_shown(view, heard)) };
    message(Stream::Telemetry.name(), &shown)
}

pub fn record(stream: Stream, seq: u64, entry: Entry) -> String {
    message(stream.name(), &entry_shown((seq, entry)))
}

pub fn gap(stream: Stream, first: u64, last: u64) -> String {
    message("gap", &Gap { stream, first, last })
}

pub fn reset(journal: &str) -> String {
    message("reset", &serde_json::json!({ "journal": journal }))
}

fn message(event: &str, data: &impl Serialize) -> String {
    // What cannot be written as JSON would be a fault of ours; its number still stands in the id.
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    let mut text = String::with_capacity(data.len() + event.len() + 18);
    // Writing to a String cannot fail.
    let _ = write!(text, "event: {event}\ndata: {data}\n\n");
    text
}

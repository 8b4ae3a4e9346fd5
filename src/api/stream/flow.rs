//! One listener: piece after piece, each made when there is room for it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::time::{Instant, sleep_until};

use super::position::Position;
use super::sight::Sight;
use super::{past, text};
use crate::api::Door;
use crate::feed::{Item, Listener, Taken, What};
use crate::model::record::Record;
use crate::model::token::Token;
use crate::model::{DeviceNo, Stream};

/// How soon a listener looks again; what happens after a rest is told at once.
const PACE: Duration = Duration::from_millis(25);
/// Without news there is a comment, so that both ends know that the other is there.
const BEAT: Duration = Duration::from_secs(15);
/// A piece that is so long goes out; one message may go beyond it.
const FULL: usize = 32 << 10;
/// When who was cut off shall come back, in milliseconds.
const RETRY: u32 = 2_000;

pub struct Flow {
    pub door: Arc<Door>,
    listener: Listener,
    pub sight: Sight,
    /// Who was let in by one hears nothing more once it is taken back.
    token: Option<Arc<Token>>,
    wanted: [bool; 3],
    pub position: Position,
    journal: String,
    piece: String,
    looked: Instant,
    beat: Instant,
}

impl Flow {
    pub fn new(
        door: Arc<Door>,
        listener: Listener,
        sight: Sight,
        token: Option<Arc<Token>>,
        wanted: [bool; 3],
        position: Position,
        reset: bool,
    ) -> Flow {
        let (journal, piece, now) = (position.journal.to_string(), format!("retry: {RETRY}\n"), Instant::now());
        let (looked, beat) = (now, now + BEAT);
        let mut flow = Flow { door, listener, sight, token, wanted, position, journal, piece, looked, beat };
        let first = if reset { text::reset(&flow.journal) } else { "\n".into() };
        flow.push(&first);
        flow
    }

    /// None when it is over.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.token.as_ref().is_some_and(|token| !self.door.is_good(token)) {
                return None;
            }
            if !self.piece.is_empty() {
                self.beat = Instant::now() + BEAT;
                return Some(std::mem::take(&mut self.piece).into());
            }
            match self.listener.take(&self.position.last, &self.wanted) {
                Taken::Closed => return None,
                Taken::Items(items) => self.show(&items),
                Taken::Behind(stream, held_from) => past::catch_up(self, Stream::ALL[stream], held_from).await,
                Taken::Nothing => self.wait().await,
            }
            if self.beat <= Instant::now() {
                self.push(":\n\n");
            }
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = self.listener.news() => {}
            () = sleep_until(self.beat) => return,
        }
        sleep_until(self.looked + PACE).await;
        self.looked = Instant::now();
    }

    fn show(&mut self, items: &[Arc<Item>]) {
        for (shown, item) in items.iter().enumerate() {
            if self.is_full() {
                return self.listener.give_back(items.len() - shown);
            }
            let stream = item.stream as usize;
            let last = self.position.last[stream];
            if !self.wanted[stream] || item.last <= last {
                continue;
            }
            self.position.last[stream] = item.last;
            if !self.covers(item.device) || matches!(&item.what, What::Record(entry) if !self.may_hear(&entry.record)) {
                continue;
            }
            let door = self.door.clone();
            match item.first == last + 1 {
                true => self.push(item.text(|item| text::item(&door.view, item))),
                false => self.push(&text::rest(&door.view, item, last)),
            }
        }
    }

    pub fn covers(&self, device: Option<DeviceNo>) -> bool {
        self.sight.covers(&self.door.view, device)
    }

    pub fn may_hear(&self, record: &Record) -> bool {
        self.sight.may_hear(&self.door.view, record)
    }

    pub fn is_full(&self) -> bool {
        self.piece.len() >= FULL
    }

    /// A message, under the position that it leads to.
    pub fn push(&mut self, message: &str) {
        let [vital, events, telemetry] = self.position.last;
        // Writing to a String cannot fail.
        let _ = write!(self.piece, "id: {}.{vital}.{events}.{telemetry}\n{message}", self.journal);
    }
}

//! Frames as they pass, for who listens. Costs nothing while nobody does.

use std::sync::Arc;

use nix::time::{ClockId, clock_gettime};
use tokio::sync::broadcast;

use super::super::wire::told::{self, Frames, Way};

/// Frames that a slow listener may lag behind; then it is told how many it missed.
const FRAMES: usize = 1_024;

/// What was made of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    Asked,
    Answer,
    /// Nobody had asked, or it was said at the wrong time: thrown away.
    Stray,
    /// Why it was not taken; without bytes: none came.
    Refused(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Since the machine has started, in microseconds: the clock of [`crate::links::mono`].
    pub at: u64,
    pub frames: Frames,
    pub way: Way,
    pub made: Made,
    pub bytes: Vec<u8>,
}

impl Frame {
    pub fn told(&self) -> String {
        let told = told::told(self.frames, self.way, &self.bytes);
        match &self.made {
            Made::Asked | Made::Answer => told,
            Made::Stray => format!("thrown away: {told}"),
            Made::Refused(why) if self.bytes.is_empty() => why.clone(),
            Made::Refused(why) => format!("refused, {why}: {told}"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Tracer(broadcast::Sender<Arc<Frame>>);

impl Tracer {
    pub fn new() -> Tracer {
        Tracer(broadcast::Sender::new(FRAMES))
    }

    pub fn listen(&self) -> broadcast::Receiver<Arc<Frame>> {
        self.0.subscribe()
    }

    pub fn listeners(&self) -> usize {
        self.0.receiver_count()
    }

    pub(super) fn tell(&self, frames: Frames, way: Way, bytes: &[u8], made: impl FnOnce() -> Made) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let made = made();
        if !bytes.is_empty() || matches!(made, Made::Refused(_)) {
            // Who went away meanwhile misses nothing.
            let _ = self.0.send(Arc::new(Frame { at: now(), frames, way, made, bytes: bytes.to_vec() }));
        }
    }
}

impl Default for Tracer {
    fn default() -> Tracer {
        Tracer::new()
    }
}

fn now() -> u64 {
    // The clock is there on every Linux that this runs on.
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(0, |t| u64::try_from(t.tv_sec()).unwrap_or(0) * 1_000_000 + t.tv_nsec() as u64 / 1_000)
}

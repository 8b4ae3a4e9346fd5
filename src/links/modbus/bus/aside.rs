//! Requests that must wait: their unit is kept quiet, or said that it is busy.

use tokio::time::Instant;

use super::{Job, Urgency};

/// So many wait; more are refused.
pub const MOST: usize = 256;

#[derive(Debug, Default)]
pub struct Aside(Vec<(Instant, Job)>);

impl Aside {
    /// Back, where there is no room.
    pub fn put(&mut self, until: Instant, job: Job) -> Result<(), Job> {
        if self.0.len() >= MOST {
            return Err(job);
        }
        self.0.push((until, job));
        Ok(())
    }

    /// When the first of them may go.
    pub fn due(&self) -> Option<Instant> {
        self.0.iter().map(|(until, _)| *until).min()
    }

    /// One that may go: commands first, then as they came.
    pub fn take(&mut self, now: Instant) -> Option<Job> {
        let may_go = |wanted: fn(&Job) -> bool| self.0.iter().position(|(until, job)| *until <= now && wanted(job));
        let at = may_go(|job| job.urgency == Urgency::Command).or_else(|| may_go(|_| true))?;
        Some(self.0.remove(at).1)
    }

    pub fn all(&mut self) -> impl Iterator<Item = Job> {
        std::mem::take(&mut self.0).into_iter().map(|(_, job)| job)
    }
}

//! What a start finds on disk: enough to make the engine that wrote it again.

use std::sync::Arc;

use super::about::About;
use super::attempt::Attempt;
use super::change::Change;
use super::command::{Command, Ended};
use super::deed::Deed;
use super::device::{Capabilities, Device};
use super::id::{CommandNo, DeedNo, DeviceNo, ShapeNo};
use super::now::Wall;
use super::token::Token;
use super::totals::Totals;

/// All in ascending order of their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub shapes: Vec<(ShapeNo, Arc<Capabilities>)>,
    pub devices: Vec<Arc<Device>>,
    /// Those that have not ended.
    pub commands: Vec<Arc<Command>>,
    pub ended: Vec<Ended>,
    pub attempts: Vec<Attempt>,
    /// What is known of devices beside, without what only people read.
    pub about: Vec<(DeviceNo, Arc<About>)>,
    /// What is counted for devices.
    pub totals: Vec<(DeviceNo, Arc<Totals>)>,
    /// Who may come in from afar.
    pub tokens: Vec<Arc<Token>>,
    /// Without their answers.
    pub deeds: Vec<Arc<Deed>>,
    /// No forgotten id from outside expired later than this.
    pub forgotten_to: Wall,
    /// The newest device whose row cannot be believed: its number is given all the same.
    pub lost_device: Option<DeviceNo>,
    /// Commands whose rows cannot be believed: nobody knows their ids.
    pub lost_commands: Vec<CommandNo>,
    /// The same of deeds.
    pub lost_deeds: Vec<DeedNo>,
}

impl State {
    /// What a change makes of it: the same that the store does to its tables, in memory.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Shape { no, capabilities } => put(&mut self.shapes, (*no, capabilities.clone()), |(no, _)| *no),
            Change::ForgetShape(no) => self.shapes.retain(|(known, _)| known != no),
            Change::Device(device) => put(&mut self.devices, device.clone(), |device| device.no),
            Change::Command(command) if command.state.is_open() => {
                put(&mut self.commands, command.clone(), |command| command.no);
            }
            Change::Command(command) => {
                self.commands.retain(|open| open.no != command.no);
                put(&mut self.ended, command.brief(), |ended| ended.no);
            }
            Change::Forget { no, forgotten_to } => {
                self.ended.retain(|ended| ended.no != *no);
                self.lost_commands.retain(|lost| lost != no);
                self.forgotten_to = self.forgotten_to.max(*forgotten_to);
            }
            Change::Deed(deed) => put(&mut self.deeds, deed.brief().into(), |deed| deed.no),
            Change::ForgetDeed { no, forgotten_to } => {
                self.deeds.retain(|deed| deed.no != *no);
                self.lost_deeds.retain(|lost| lost != no);
                self.forgotten_to = self.forgotten_to.max(*forgotten_to);
            }
            Change::Was { device, connectivity } => {
                if let Some(row) = self.devices.iter_mut().find(|row| row.no == *device) {
                    Arc::make_mut(row).was = *connectivity;
                }
            }
            Change::ForgetDevice(no) => {
                self.devices.retain(|device| device.no != *no);
                self.about.retain(|(device, _)| device != no);
                self.totals.retain(|(device, _)| device != no);
            }
            Change::Totals { device, totals, .. } => put(&mut self.totals, (*device, totals.clone()), |(no, _)| *no),
            Change::About { device, about } => self.know(*device, about),
            Change::Attempt(attempt) => put(&mut self.attempts, attempt.clone(), |attempt| attempt.stranger.clone()),
            Change::Token(token) => put(&mut self.tokens, token.clone(), |token| token.name.clone()),
            Change::ForgetToken(name) => self.tokens.retain(|token| token.name != *name),
            Change::ForgetAttempt(stranger) => self.attempts.retain(|attempt| attempt.stranger != *stranger),
            Change::Record(_) | Change::Passed { .. } | Change::Key { .. } => {}
            // They are read where they are needed.
            Change::Layer(_) | Change::ForgetLayer(_) => {}
        }
    }
}

impl State {
    fn know(&mut self, device: DeviceNo, more: &About) {
        let before = self.about.iter().find(|(no, _)| *no == device).map(|(_, about)| about.as_ref().clone());
        let mut about = before.unwrap_or_default();
        about.learn(more);
        self.about.retain(|(no, _)| *no != device);
        if !about.is_empty() {
            put(&mut self.about, (device, about.into()), |(no, _)| *no);
        }
    }
}

fn put<T, K: Ord>(rows: &mut Vec<T>, row: T, key: impl Fn(&T) -> K) {
    match rows.binary_search_by_key(&key(&row), &key) {
        Ok(place) => rows[place] = row,
        Err(place) => rows.insert(place, row),
    }
}

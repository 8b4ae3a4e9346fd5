//! Whom the driver shall listen to. One saying is under way at a time, so that what was ordered last is said last; what
//! gathers meanwhile is said together.
//!
//! Invariants: an address waits at most once, with the newest wish; the orders that a saying stands for are counted in
//! `took` when it has ended, or at once while the link is down. Then nobody is listened to, and everybody with a plan is
//! heeded when it comes up.

use std::collections::BTreeMap;

use super::polled::Polled;
use super::request::Answered;
use super::{Begun, Runner};
use crate::model::{Address, DeviceNo};

#[derive(Default)]
pub struct Listening {
    /// To be listened to, or no more.
    waiting: BTreeMap<Address, bool>,
    /// That what waits stands for.
    orders: u16,
    saying: bool,
}

impl<P: Polled> Runner<P> {
    pub(super) fn heed(&mut self, orders: u16, addresses: impl IntoIterator<Item = Address>) {
        self.listening.waiting.extend(addresses.into_iter().map(|address| (address, true)));
        self.listening.orders += orders;
        self.say_whom();
    }

    /// So that what nobody takes is not said either.
    pub(super) fn ignore(&mut self, orders: u16, address: Address) {
        self.listening.waiting.insert(address, false);
        self.listening.orders += orders;
        self.say_whom();
    }

    pub(super) fn said_whom(&mut self, orders: u16) {
        self.took += orders;
        self.listening.saying = false;
        self.say_whom();
    }

    fn say_whom(&mut self) {
        if self.down.is_some() {
            self.listening.waiting.clear();
            self.took += std::mem::take(&mut self.listening.orders);
            return;
        }
        if self.listening.saying || self.listening.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.listening.waiting);
        let orders = std::mem::take(&mut self.listening.orders);
        let (heeded, ignored): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, on)| *on);
        let addresses = |of: Vec<(Address, bool)>| of.into_iter().map(|(address, _)| address).collect::<Vec<Address>>();
        let (heeded, ignored) = (addresses(heeded), addresses(ignored));
        let polled = self.polled.clone();
        let begun = self.work.spawn(async move {
            if !ignored.is_empty() {
                polled.ignore(ignored).await;
            }
            if !heeded.is_empty() {
                polled.heed(heeded).await;
            }
            Answered::Said
        });
        self.begun.insert(begun.id(), (DeviceNo(0), Begun::Listening { orders }));
        self.listening.saying = true;
    }
}

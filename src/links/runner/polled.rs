//! What a driver gives the runner: how to ask its devices, and what it hears without asking.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::order::Verdict;
use crate::model::{
    Address, Capabilities, CommandNo, DeviceNo, Name, Operation, Outcome, PlanPoint, PointPath, Quality, Sighting,
    Value, Wall,
};

/// One value as a device gave it, before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub path: PointPath,
    pub value: Value,
    pub quality: Quality,
    pub source: Option<Wall>,
}

/// A read that gave nothing. The device may or may not have been reached: reads can be asked again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Miss(pub String);

/// A protocol whose devices are asked in turn. The runner sets the deadlines by dropping a future, so every future must
/// bear to be dropped; once the attachment is lost, all of them must end soon.
pub trait Polled: Send + Sync + 'static {
    /// Without points: see whether the device is there.
    fn read(&self, address: &Address, points: &[PointPath]) -> impl Future<Output = Result<Vec<Seen>, Miss>> + Send;

    /// `NotSent` only where no byte can have reached the device. Never tries twice. A driver in which commands wait for
    /// their turn says `NotSent` of what has not gone out by the deadline; it is dropped a moment after that.
    fn perform(
        &self,
        command: CommandNo,
        address: &Address,
        operation: &Operation,
        deadline: Instant,
    ) -> impl Future<Output = Outcome> + Send;

    /// Who is meant by this address, and what kind of device it is, told before anything is asked of it. What that kind has comes as a
    /// [`Notice::Changed`], where the driver learns it from nothing else.
    fn know(&self, device: DeviceNo, address: &Address, profile: Option<&Name>);

    /// What is to be read of it how often from now on, in place of what was before.
    fn planned(&self, _address: &Address, _points: &[PlanPoint]) {}

    /// From now on somebody listens to what these say unasked. Asked anew after each [`Notice::Attached`].
    fn heed(&self, addresses: Vec<Address>) -> impl Future<Output = ()> + Send;

    /// Nobody listens to these any more, until they are heeded again.
    fn ignore(&self, addresses: Vec<Address>) -> impl Future<Output = ()> + Send;

    /// Look who is there; each comes as a [`Notice::Sighted`].
    fn discover(&self) -> impl Future<Output = ()> + Send;

    fn answer(&self, exchange: u64, verdict: Verdict, wait: Option<Duration>) -> impl Future<Output = ()> + Send;

    /// Say good-bye, hear what is still on its way, then close the channel of notices.
    fn leave(&self) -> impl Future<Output = ()> + Send;
}

/// What a driver hears unasked, by address: the runner knows who is admitted.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Attached,
    Lost {
        why: String,
    },
    Spoke {
        address: Address,
        values: Vec<Seen>,
    },
    Sighted(Sighting),
    Asks {
        exchange: u64,
        who: Sighting,
    },
    Changed {
        address: Address,
        capabilities: Arc<Capabilities>,
    },
    Gone {
        address: Address,
    },
    Progress {
        command: CommandNo,
        share: u16,
    },
    /// Why the link cannot read all that it should as often as it should; none: it can.
    Strained {
        why: Option<String>,
    },
}

//! The words as plain data: no I/O, no clock, no randomness.
//!
//! Everything that crosses a seam of dmgw is a type of this folder. Read in this order: [`id`], [`value`], [`point`],
//! [`reading`], [`device`], [`operation`], [`command`], then the three closed enums that drive it all:
//! [`event`] (what happened), [`change`] (what to commit), [`order`] (what to do once it is committed).

pub mod about;
pub mod attempt;
pub mod audit;
pub mod change;
pub mod command;
pub mod deed;
pub mod device;
pub mod event;
pub mod glob;
pub mod id;
pub mod layer;
pub mod log;
pub mod name;
pub mod now;
pub mod operation;
pub mod order;
pub mod pattern;
pub mod point;
pub mod principal;
pub mod reading;
pub mod record;
pub mod registration;
pub mod secret;
pub mod setting;
pub mod state;
pub mod token;
pub mod totals;
pub mod until;
pub mod value;

pub use about::About;
pub use attempt::{Attempt, Denial, Stranger};
pub use audit::{Audit, Came};
pub use change::Change;
pub use command::{Child, ChildPart, Command, CommandState, Ended, Outcome, Whom};
pub use deed::Deed;
pub use device::{Capabilities, Connectivity, Device, LifeCycle, Place};
pub use event::{Ask, Event, LinkEvent, Sighting};
pub use id::{
    Address, CommandId, CommandNo, DeedNo, DeviceId, DeviceNo, Identity, IdentityKind, LinkNo, PointNo, Proof, ShapeNo,
};
pub use layer::Layer;
pub use name::Name;
pub use now::{Boot, ClockQuality, Mono, Now, Wall};
pub use operation::{Operation, OperationKind, OperationSet, Part};
pub use order::{LinkOrder, Order, PlanPoint, Refusal, Reply};
pub use pattern::{Pattern, TextPattern};
pub use point::{Access, Component, Limits, Point, PointPath, ValueKind};
pub use principal::{Principal, Role, Scope};
pub use reading::{BadReason, Heard, Quality, Reading};
pub use record::{Gap, GapReason, Record, Stream};
pub use registration::{Registered, Registration, check_key};
pub use secret::Secret;
pub use state::State;
pub use token::Token;
pub use totals::Totals;
pub use until::Until;
pub use value::Value;

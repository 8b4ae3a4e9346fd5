//! One question to see whether a unit is there, and what its answer shows.

use std::time::Duration;

use super::way::{Stop, standing};
use crate::links::modbus::bus::{Bus, Urgency};
use crate::links::modbus::who::Asking;
use crate::links::modbus::wire::{Odd, Request, Table, Wrong};

/// Numbers that no device on a line may have: who answers to both takes no heed of the number.
const NOBODY: [u8; 2] = [250, 252];
/// A request that has not gone out by then never will.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    Answers,
    /// Somebody else answered, rightly: a late one.
    Other(u8),
    Garbled,
    Silent,
}

pub fn asking(bus: &Bus, thinks: Option<Duration>) -> Asking<'_> {
    Asking { bus, urgency: Urgency::Scan, patience: PATIENCE, thinks }
}

/// It takes no heed of the number.
pub async fn answer_all(asking: &Asking<'_>) -> Result<bool, Stop> {
    for nobody in NOBODY {
        if knock(asking, nobody).await? != Knock::Answers {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whatever is answered, somebody is there; but for a gateway that says that nobody is.
pub async fn knock(asking: &Asking<'_>, unit: u8) -> Result<Knock, Stop> {
    // That number is everybody's, and nobody answers to it.
    if asking.bus.is_to_all(unit) {
        return Ok(Knock::Silent);
    }
    let request = Request::Read { table: Table::Holding, at: 0, count: 1 };
    Ok(match asking.ask(unit, request).await {
        Ok(_) => Knock::Answers,
        Err(Wrong::Exception(exception)) if exception.is_of_gateway() => Knock::Silent,
        Err(Wrong::Exception(_)) => Knock::Answers,
        Err(Wrong::Silent) => Knock::Silent,
        Err(Wrong::NotAnAnswer(Odd::Unit(other))) => Knock::Other(other),
        // Its checksum was right.
        Err(Wrong::NotAnAnswer(Odd::Function(_) | Odd::Quantity { .. } | Odd::Echo)) => Knock::Answers,
        Err(Wrong::NotAnAnswer(_)) => Knock::Garbled,
        Err(Wrong::Lost(why) | Wrong::NotSent(why)) => match standing(asking.bus).await {
            None => Knock::Garbled,
            Some(_) => return Err(Stop::Lost(why)),
        },
    })
}

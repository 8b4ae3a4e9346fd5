//! Who a unit is, by function 43/14: asked on as long as it says that more follows.

use tokio::time::Instant;

use super::super::wire::{Answer, Identity, Odd, Request, Wrong};
use super::{Bus, Urgency};

/// All objects of a level, 1 to 3. Numbers of objects must rise, so it ends.
pub async fn identify(bus: &Bus, unit: u8, level: u8, until: Instant, urgency: Urgency) -> Result<Identity, Wrong> {
    let mut all = Identity::default();
    let mut object = 0;
    loop {
        let answer = bus.ask(unit, Request::Identify { level, object }, until, urgency).await?;
        let Answer::Identity(part) = answer else { return Err(senseless()) };
        all.conformity = part.conformity;
        all.objects.extend(part.objects);
        match part.more {
            None => return Ok(all),
            Some(next) if next > object => object = next,
            Some(_) => return Err(senseless()),
        }
    }
}

fn senseless() -> Wrong {
    Wrong::NotAnAnswer(Odd::Senseless("its identification does not end".into()))
}

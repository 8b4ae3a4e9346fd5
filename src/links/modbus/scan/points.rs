//! What a unit gives: which points of its profile, or, where no profile fits, which functions.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::links::modbus::plan::{Blocks, Bounds, Learnt};
use crate::links::modbus::who::{Asking, Who};
use crate::links::modbus::wire::{Request, Table, Wrong};
use crate::links::mono;
use crate::model::PointPath;
use crate::profile::Shaped;
use crate::profile::modbus::{Spot, capabilities_of};

/// What came of asking for all of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gives {
    /// Points by its profile.
    Points {
        asked: usize,
        missing: Vec<PointPath>,
        /// Nobody knows of these: it did not answer.
        unanswered: usize,
    },
    /// By the number of the function: what the unit made of reading one at 0, or of being asked who it is.
    Functions(BTreeMap<u8, String>),
}

pub async fn points(asking: &Asking<'_>, unit: u8, shaped: &Shaped) -> Gives {
    let profile = &shaped.profile;
    let readable: Vec<PointPath> =
        capabilities_of(profile).points.into_iter().filter(|of| of.access.reads()).map(|of| of.path).collect();
    let spots: Vec<(&PointPath, Spot)> =
        profile.spots().into_iter().filter(|(path, _)| readable.contains(path)).collect();
    let places: Vec<Spot> = spots.iter().map(|(_, spot)| *spot).collect();
    let mut blocks = Blocks::default();
    let plan = blocks.plan(&places, &Bounds::of(profile.speaks()), mono());
    let (mut left, mut missing, mut unanswered) = (VecDeque::from(plan.requests), plan.left_out, 0);
    while let Some(request) = left.pop_front() {
        match asking.ask(unit, request.block.asked()).await {
            Ok(_) => {}
            Err(Wrong::Exception(exception)) if !exception.is_of_gateway() => {
                match blocks.refused(&request, &places, mono()) {
                    Learnt::Halves(halves) => halves.into_iter().rev().for_each(|half| left.push_front(half)),
                    _ => missing.extend(request.points),
                }
            }
            Err(_) => unanswered += request.points.len(),
        }
    }
    missing.sort_unstable();
    let named = missing.iter().filter_map(|place| spots.get(*place)).map(|(path, _)| (*path).clone());
    Gives::Points { asked: spots.len(), missing: named.collect(), unanswered }
}

pub async fn functions(asking: &Asking<'_>, unit: u8, who: &Who) -> Gives {
    let mut all = BTreeMap::new();
    for table in Table::ALL {
        let request = Request::Read { table, at: 0, count: 1 };
        let function = request.function();
        let came = match asking.ask(unit, request).await {
            Ok(_) => "answers".to_owned(),
            Err(wrong) => wrong.to_string(),
        };
        all.insert(function, came);
    }
    all.extend(who.server.is_some().then(|| (17, "answers".to_owned())));
    all.extend((!who.objects.is_empty()).then(|| (43, "answers".to_owned())));
    Gives::Functions(all)
}

//! Points of many devices, with their last values: a page at a time, by the number of the device and of the point.

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Here;
use super::ask::{Asked, query};
use super::caller::Caller;
use super::fault::Fault;
use super::shown::{PointShown, points_of};
use super::tag::{At, Still};
use crate::model::device::DeviceNow;
use crate::model::{DeviceId, DeviceNo, Name, Now, PointPath, TextPattern};
use crate::selector::For;

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Where the last page ended.
    after: Option<String>,
    limit: Option<usize>,
    link: Option<Name>,
    group: Option<Name>,
    #[serde(rename = "for")]
    of: Option<For>,
    /// Only points like this; * stands for any text.
    point: Option<TextPattern>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PointOf {
    pub device: DeviceId,
    /// How people call the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    #[serde(flatten)]
    pub point: PointShown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PointsShown {
    pub points: Vec<PointOf>,
    /// From where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Still for PointsShown {
    fn still(&mut self, now: &Now) {
        self.points.iter_mut().for_each(|of| of.point.still(now));
    }
}

impl Range {
    fn fits(&self, known: &DeviceNow) -> bool {
        let link = known.device.place.as_ref().map(|place| &place.link);
        self.link.as_ref().is_none_or(|wanted| link == Some(wanted))
            && self.group.as_ref().is_none_or(|wanted| known.is_in(wanted))
            && self.of.as_ref().is_none_or(|For(selector)| selector.fits(known))
    }

    fn wants(&self, path: &PointPath) -> bool {
        self.point.as_ref().is_none_or(|wanted| wanted.fits(&path.to_string()))
    }

    /// Device and place of the last point that was seen.
    fn begin(&self) -> Result<Option<(DeviceNo, usize)>, Fault> {
        let Some(after) = &self.after else { return Ok(None) };
        let read =
            after.split_once('.').and_then(|(no, place)| Some((DeviceNo(no.parse().ok()?), place.parse().ok()?)));
        read.map(Some).ok_or_else(|| Fault::bad("after is not where a page ended", "take it from the page before"))
    }
}

pub async fn list(State(door): Here, caller: Caller, range: Asked<Range>) -> Result<At<PointsShown>, Fault> {
    let range = query(range)?;
    let limit = door.limit(range.limit)?;
    let begin = range.begin()?;
    let now = door.now();
    let mut points = Vec::new();
    // The device in which the last page ended may have more.
    let mut last = begin.and_then(|(no, _)| no.0.checked_sub(1)).map(DeviceNo);
    loop {
        let fits = |known: &DeviceNow| caller.reach.sees(known) && range.fits(known);
        // Of those before the first nothing was asked.
        let some = door.view.devices_that(fits, last, limit);
        let Some(end) = some.last().map(|known| known.device.no) else { break };
        for known in &some {
            let (no, id) = (known.device.no, &known.device.id);
            let from = begin.filter(|(of, _)| *of == no).map_or(0, |(_, place)| place + 1);
            for (place, (point, last)) in points_of(known).enumerate().skip(from) {
                if !range.wants(&point.path) {
                    continue;
                }
                let point = PointShown::of(point, last, &now);
                points.push((no, place, PointOf { device: id.clone(), name: known.device.name.clone(), point }));
                if points.len() > limit {
                    return Ok(At(now, page(points, limit)));
                }
            }
        }
        last = Some(end);
    }
    Ok(At(now, page(points, limit)))
}

fn page(mut points: Vec<(DeviceNo, usize, PointOf)>, limit: usize) -> PointsShown {
    let more = points.len() > limit;
    points.truncate(limit);
    let after = points.last().filter(|_| more).map(|(no, place, _)| format!("{no}.{place}"));
    PointsShown { points: points.into_iter().map(|(_, _, point)| point).collect(), after }
}

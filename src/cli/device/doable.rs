//! What can be done with a device: the line to type for each operation that it supports, and for what its state asks for.

use crate::api::shown::{Detail, DeviceShown, PointShown};
use crate::cli::spelling::args_of;
use crate::model::{LifeCycle, OperationKind};

/// What the gateway does by itself could be asked of every device; only what is of use now is shown.
pub fn lines(device: &DeviceShown, detail: &Detail) -> Vec<Vec<String>> {
    let asked = device.name.as_ref().map_or_else(|| device.id.to_string(), ToString::to_string);
    let line = |kind: OperationKind| {
        let typed = match kind {
            OperationKind::Read => format!("dmgw read {asked} {}", first_of(detail, |point| point.access.reads())),
            OperationKind::Write => {
                format!("dmgw write {asked} {} VALUE", first_of(detail, |point| point.access.writes()))
            }
            kind => format!("dmgw command ask {asked} {kind} {}", args_of(kind)),
        };
        vec![kind.to_string(), typed.trim_end().to_owned()]
    };
    now(device).into_iter().chain(detail.operations.kinds()).map(line).collect()
}

/// Of several points the first stands for all.
fn first_of(detail: &Detail, fits: impl Fn(&PointShown) -> bool) -> String {
    detail.points.iter().find(|point| fits(point)).map_or_else(|| "POINT".into(), |point| point.point.to_string())
}

fn now(device: &DeviceShown) -> Vec<OperationKind> {
    use OperationKind as K;
    let life = match device.life {
        LifeCycle::Pending => &[K::Accept, K::Refuse][..],
        LifeCycle::Quarantined => &[K::Release],
        LifeCycle::Refused => &[K::Accept],
        LifeCycle::Managed | LifeCycle::Retired => &[],
    };
    let unblock = device.blocked.map(|_| K::Unblock);
    let maintenance = device.maintenance.as_ref().map(|_| K::Maintenance);
    life.iter().copied().chain(unblock).chain(maintenance).collect()
}

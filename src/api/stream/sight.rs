//! What a listener may see and wants to see.

use std::sync::Arc;

use crate::model::DeviceNo;
use crate::model::device::DeviceNow;
use crate::model::record::Record;
use crate::view::View;

type Sees = Arc<dyn Fn(&DeviceNow) -> bool + Send + Sync>;

pub struct Sight {
    /// Also what is about no device, such as links, settings and gaps.
    everything: bool,
    sees: Sees,
    /// Before it was narrowed; none: all devices.
    reaches: Option<Sees>,
}

impl Sight {
    /// `everything`: all devices, and what is about none; otherwise only what is about a device that `sees` lets through.
    pub fn new(everything: bool, sees: impl Fn(&DeviceNow) -> bool + Send + Sync + 'static) -> Sight {
        let sees: Sees = Arc::new(sees);
        Sight { everything, reaches: (!everything).then(|| sees.clone()), sees }
    }

    /// Of that only what is about devices that fit.
    pub fn only(self, fits: impl Fn(&DeviceNow) -> bool + Send + Sync + 'static) -> Sight {
        let Sight { everything, sees, reaches } = self;
        Sight { everything: false, sees: Arc::new(move |known| (everything || sees(known)) && fits(known)), reaches }
    }

    pub fn covers(&self, view: &View, device: Option<DeviceNo>) -> bool {
        self.everything || device.and_then(|no| view.numbered(no)).is_some_and(|known| (self.sees)(&known))
    }

    /// A record of two devices names both, so both must be within reach.
    pub fn may_hear(&self, view: &View, record: &Record) -> bool {
        let (Some(other), Some(reaches)) = (record.other(), &self.reaches) else { return true };
        view.device(other).is_some_and(|known| reaches(&known))
    }
}

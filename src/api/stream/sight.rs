//! What a listener may see and wants to see.

use crate::model::DeviceNo;
use crate::model::device::DeviceNow;
use crate::view::View;

type Sees = Box<dyn Fn(&DeviceNow) -> bool + Send + Sync>;

pub struct Sight {
    /// Also what is about no device, such as links, settings and gaps.
    everything: bool,
    sees: Sees,
}

impl Sight {
    /// `everything`: all devices, and what is about none; otherwise only what is about a device that `sees` lets through.
    pub fn new(everything: bool, sees: impl Fn(&DeviceNow) -> bool + Send + Sync + 'static) -> Sight {
        Sight { everything, sees: Box::new(sees) }
    }

    /// Of that only what is about devices that fit.
    pub fn only(self, fits: impl Fn(&DeviceNow) -> bool + Send + Sync + 'static) -> Sight {
        let Sight { everything, sees } = self;
        Sight::new(false, move |known| (everything || sees(known)) && fits(known))
    }

    pub fn covers(&self, view: &View, device: Option<DeviceNo>) -> bool {
        self.everything || device.and_then(|no| view.numbered(no)).is_some_and(|known| (self.sees)(&known))
    }
}

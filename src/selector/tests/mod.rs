//! A device of many facts and one of few, and what selectors say of them.

mod answers;
mod hostile;
mod mistakes;
mod random;
mod trees;
mod words;

use crate::model::about::PowerSource;
use crate::model::*;

use super::{BadSelector, Facts, Holds, Selector};

/// The facts of one device, owned.
pub struct Known {
    pub device: Device,
    pub connectivity: Connectivity,
    pub about: Option<About>,
    pub profile: Option<String>,
    pub dynamic: Vec<Name>,
    pub capabilities: Capabilities,
}

impl Known {
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            device: &self.device,
            connectivity: self.connectivity,
            about: self.about.as_ref(),
            profile: self.profile.as_deref(),
            dynamic: &self.dynamic,
            capabilities: &self.capabilities,
        }
    }
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn bare() -> Known {
    Known {
        device: Device::new(
            DeviceNo(1),
            DeviceId::new("urn:dev:mac:0024be01").unwrap(),
            LifeCycle::Pending,
            &Now::default(),
        ),
        connectivity: Connectivity::Unknown,
        about: None,
        profile: None,
        dynamic: Vec::new(),
        capabilities: Capabilities::default(),
    }
}

pub fn feeder() -> Known {
    let mut known = bare();
    let device = &mut known.device;
    device.name = Some(name("feeder-1"));
    device.life = LifeCycle::Managed;
    device.place = Some(Place { link: name("meters"), address: Address::new("7").unwrap() });
    device.groups = vec![name("line-a"), name("hall-2")];
    device.identities = vec![
        Identity::new(IdentityKind::Serial, "acme:17", Proof::Claimed).unwrap(),
        Identity::new(IdentityKind::Eui, "00:24:be:01", Proof::Seen).unwrap(),
    ];
    device.keyed = true;
    known.connectivity = Connectivity::Up;
    known.about = Some(About {
        labels: [(name("row"), "3".to_owned()), (name("old-row"), "7".to_owned())].into(),
        versions: [(name("firmware"), "1.4.2".to_owned())].into(),
        hardware: Some("Acme M3".into()),
        power: Some(PowerSource::Line),
        security: Some(5),
        ..About::default()
    });
    known.profile = Some("sdm630".into());
    known.dynamic = vec![name("day-shift")];
    known.capabilities.operations = OperationSet::of(&[OperationKind::Read, OperationKind::Restart]);
    let component = |of: &str, instance| Component { name: name(of), instance };
    known.capabilities.components = vec![component("modem", 0), component("relay", 0), component("relay", 1)];
    known
}

pub fn says(text: &str, of: &Known) -> Holds {
    let selector = Selector::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
    selector.holds(&of.facts())
}

/// The message, the piece of text it points at, and what was meant.
pub fn bad(text: &str) -> (String, String, Option<String>) {
    let BadSelector { says, at, meant } = Selector::parse(text).expect_err(text);
    (says, text[at].to_owned(), meant)
}

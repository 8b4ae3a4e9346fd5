//! Profiles from one text, for scripts and tests. The settings read theirs with everything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sections::Profile;
use super::{Shaped, checks, inherit};
use crate::document::{Faults, Origin, Sources, parse, section};
use crate::model::Name;

/// What was read, `[profile.NAME]` each; or all that is wrong.
pub fn read(text: &str) -> Result<BTreeMap<Name, Profile>, String> {
    let (mut sources, mut faults) = (Sources::default(), Faults::default());
    sources.add(Origin::File("p".into()), text.to_owned());
    let mut root = parse::parse(&sources, 0, &mut faults);
    inherit::inherit(&mut root, &mut faults);
    let Some(node) = root.get("profile") else {
        return if faults.is_empty() { Ok(BTreeMap::new()) } else { Err(faults.show(&sources)) };
    };
    let read: BTreeMap<Name, Profile> = section::named(node, &mut faults).unwrap_or_default();
    if let Some(written) = node.table() {
        checks::check(&read, written, &mut faults);
    }
    if faults.is_empty() { Ok(read) } else { Err(faults.show(&sources)) }
}

/// The same, made ready.
pub fn ready(text: &str) -> Result<BTreeMap<Name, Arc<Shaped>>, String> {
    let shaped = |(name, profile): (Name, Profile)| (name.clone(), Arc::new(Shaped::new(name, Arc::new(profile))));
    Ok(read(text)?.into_iter().map(shaped).collect())
}

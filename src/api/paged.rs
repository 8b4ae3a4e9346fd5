//! Lists by name, a page at a time: what comes after a key, and where to go on.

use serde::Deserialize;

use super::Door;
use super::fault::Fault;
use crate::model::Name;

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The last one that was seen.
    pub after: Option<Name>,
    pub limit: Option<usize>,
}

/// Of a sorted list those after the key; and the last of them, where there are more.
pub fn paged<T>(
    door: &Door,
    mut all: Vec<T>,
    range: &Names,
    key: impl Fn(&T) -> Name,
) -> Result<(Vec<T>, Option<Name>), Fault> {
    let limit = door.limit(range.limit)?;
    all.retain(|one| range.after.as_ref().is_none_or(|after| key(one) > *after));
    let more = all.len() > limit;
    all.truncate(limit);
    let after = all.last().filter(|_| more).map(&key);
    Ok((all, after))
}

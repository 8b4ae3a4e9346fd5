//! Lists, page after page, until there is no more.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::CliError;
use super::client::{Client, escaped};
use super::progress::Progress;

const AT_ONCE: Duration = Duration::ZERO;
/// The daemon gives fewer at once where its settings say so.
const PAGE: usize = 1_000;

/// `of` takes a page apart: what it holds, and from where to go on.
pub async fn all<P: DeserializeOwned, T>(
    client: &Client,
    what: &str,
    uri: &str,
    of: impl Fn(P) -> (Vec<T>, Option<String>),
) -> Result<Vec<T>, CliError> {
    let sign = if uri.contains('?') { '&' } else { '?' };
    let (mut all, mut after, mut progress) = (Vec::new(), String::new(), Progress::begin());
    loop {
        let page: P = client.get(&format!("{uri}{sign}limit={PAGE}{after}"), AT_ONCE).await?;
        let (some, last) = of(page);
        all.extend(some);
        match last {
            Some(last) => after = format!("&after={}", escaped(&last)),
            None => return Ok(all),
        }
        progress.say(|| format!("{} {what} so far", all.len()));
    }
}

/// Where the next page begins, as it is asked for.
pub fn after<T: ToString>(last: Option<T>) -> Option<String> {
    last.map(|last| last.to_string())
}

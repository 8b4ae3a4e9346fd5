//! `dmgw link release` and `dmgw link resume`: the port of a link is lent to another program, and taken back.

use std::time::Duration;

use super::of_link;
use crate::api::link::release::Wanted;
use crate::api::shown::LentShown;
use crate::cli::args::ReleaseArgs;
use crate::cli::client::Client;
use crate::cli::status::seconds;
use crate::cli::table::print;
use crate::cli::{CliError, Exit, print_json};
use crate::units::show_span;

/// A request that is under way ends first.
const A_REQUEST: Duration = Duration::from_secs(60);

pub const HELP: &str =
    "The link is down meanwhile and says so: nothing is read, and what is asked of its devices waits.
It comes back by itself when the time is over, when it is resumed, and when the daemon starts anew. A
port that the other program still holds then is left to it, and opened as soon as it is free.

Example:
  dmgw link release meters --for 10m
  mbpoll -m rtu -b 19200 -P none -a 7 -t 4 -r 1 -c 2 -1 /dev/ttyUSB0
  dmgw link resume meters";

pub async fn release(client: &Client, args: &ReleaseArgs, json: bool) -> Result<Exit, CliError> {
    let ReleaseArgs { link, span } = args;
    let wanted = Wanted { seconds: whole_seconds(*span)? };
    let lent: LentShown = client.post(&of_link(link, "/release"), &wanted, A_REQUEST).await?;
    if json {
        return print_json(&lent);
    }
    let left = seconds(lent.seconds);
    print(&format!("the port of link {link} is closed and free for {left}; sooner back with: dmgw link resume {link}"));
    Ok(Exit::Done)
}

fn whole_seconds(span: Duration) -> Result<u64, CliError> {
    match span.as_secs() {
        0 => Err(CliError::Usage {
            says: format!("a port cannot be lent for {}", show_span(span)),
            hint: "lend it for a second at least, such as --for 10m".into(),
        }),
        seconds => Ok(seconds),
    }
}

pub async fn resume(client: &Client, link: &str, json: bool) -> Result<Exit, CliError> {
    let lent: LentShown = client.post(&of_link(link, "/resume"), &(), Duration::ZERO).await?;
    if json {
        return print_json(&lent);
    }
    let (by, left) = (&lent.by, seconds(lent.left));
    print(&format!("link {link} takes its port back; it was lent to {by} for another {left}"));
    Ok(Exit::Done)
}

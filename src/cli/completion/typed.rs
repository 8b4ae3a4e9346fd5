//! What was typed so far, as the shell hands it over: the settings and the socket that are meant, the device before a point.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, CommandFactory};

use crate::cli::args::{Args, Place};
use crate::cli::spelling;
use crate::config::DEFAULT_PATH;
use crate::model::OperationKind;

pub struct Typed(ArgMatches);

impl Typed {
    pub fn now() -> Typed {
        Typed::of(std::env::args_os().skip_while(|word| word != "--").skip(1).collect())
    }

    /// The last word is the one that is still being typed. Half a line is no fault here.
    fn of(mut words: Vec<OsString>) -> Typed {
        words.pop();
        Typed(Args::command().ignore_errors(true).try_get_matches_from(words).unwrap_or_default())
    }

    pub fn settings(&self) -> PathBuf {
        self.named("config").unwrap_or_else(|| DEFAULT_PATH.into())
    }

    pub fn place(&self) -> Place {
        Place {
            socket: self.named("socket"),
            url: self.named("url"),
            ca: self.named("ca"),
            fingerprint: self.named("fingerprint"),
            token_file: self.named("token_file"),
            client_certificate: self.named("client_certificate"),
            client_key: self.named("client_key"),
        }
    }

    pub fn device(&self) -> Option<String> {
        self.named("device")
    }

    pub fn operation(&self) -> Option<OperationKind> {
        let word: String = self.named("operation")?;
        spelling::word(&word)
    }

    /// Of the innermost verb that knows it.
    fn named<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<T> {
        let (mut matches, mut found) = (&self.0, None);
        loop {
            found = matches.try_get_one::<T>(name).ok().flatten().cloned().or(found);
            match matches.subcommand() {
                Some((_, inner)) => matches = inner,
                None => return found,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        Typed::of(line.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn half_a_line_tells_the_device_and_the_daemon_that_are_meant() {
        let half = typed("dmgw --config /a/b.toml read --wait 5s meter-1 power.0.active vol");
        assert_eq!(half.device().as_deref(), Some("meter-1"));
        assert_eq!((half.settings(), half.place().socket), ("/a/b.toml".into(), None));
        let half = typed("dmgw command ask relay-1 desire --socket /run/x ");
        assert_eq!((half.device().as_deref(), half.operation()), (Some("relay-1"), Some(OperationKind::Desire)));
        assert_eq!(half.place().socket, Some("/run/x".into()));
        assert_eq!(typed("dmgw read --url https://a:1 m ").place().url.as_deref(), Some("https://a:1"));
        let half = typed("dmgw re");
        assert_eq!((half.device(), half.settings()), (None, DEFAULT_PATH.into()));
    }
}

//! Completion: the shell calls this program with what was typed so far, and it answers with what could stand there.
//!
//! What only the daemon knows (devices, points, links, commands …) it is asked for, and it has [`PATIENCE`] to answer.
//! Where it is not there, or too slow, or somebody may not ask it, there is nothing to offer and nothing is said.

mod asked;
mod bash;
mod typed;

use std::ffi::OsStr;
use std::time::Duration;

use clap::{CommandFactory, ValueEnum};
use clap_complete::env::{CompleteEnv, EnvCompleter, Fish, Shells, Zsh};
use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::args::Args;
use super::table::print;
use super::{CliError, Exit};
use crate::config::teach;
use crate::links::serial::Roots;
use crate::links::serial::found::{Found, ports};
use crate::model::{OperationKind, Stream};

/// The shell sets it to its name.
const VARIABLE: &str = "_DMGW_COMPLETE";
pub const PATIENCE: Duration = Duration::from_millis(300);

pub const HELP: &str = "For the shell that runs:
  bash   source <(dmgw completion bash)
  zsh    source <(dmgw completion zsh)
  fish   dmgw completion fish | source

For every shell from now on:
  bash   dmgw completion bash > /usr/share/bash-completion/completions/dmgw
  zsh    dmgw completion zsh > /usr/local/share/zsh/site-functions/_dmgw
  fish   dmgw completion fish > ~/.config/fish/completions/dmgw.fish";

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Answers the shell and ends the process, where it was the shell that called.
pub fn if_asked() {
    CompleteEnv::with_factory(Args::command).var(VARIABLE).shells(Shells(&[&bash::Bash, &Zsh, &Fish])).complete();
}

/// What the shell has to run once.
pub fn script(shell: Shell) -> Result<Exit, CliError> {
    let shell: &dyn EnvCompleter = match shell {
        Shell::Bash => &bash::Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut text = Vec::new();
    let written = shell.write_registration(VARIABLE, "dmgw", "dmgw", "dmgw", &mut text);
    written.map_err(|error| CliError::Failed(error.to_string()))?;
    print(String::from_utf8_lossy(&text).trim_end());
    Ok(Exit::Done)
}

fn completer(of: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| {
        let Some(current) = current.to_str() else { return Vec::new() };
        let found = of(current).into_iter().filter(|found| found.starts_with(current));
        found.map(CompletionCandidate::new).collect::<Vec<_>>()
    })
}

/// One device.
pub fn device() -> ArgValueCompleter {
    completer(asked::devices)
}

/// Several devices with commas between them, or a group.
pub fn devices() -> ArgValueCompleter {
    completer(|current| match (current.rsplit_once(','), current.strip_prefix("group:")) {
        (Some((before, last)), _) => {
            asked::devices(last).into_iter().map(|found| format!("{before},{found}")).collect()
        }
        (None, Some(_)) => asked::groups().into_iter().map(|group| format!("group:{group}")).collect(),
        (None, None) => [asked::devices(current), vec!["group:".into()]].concat(),
    })
}

/// Of the device that was named before.
pub fn point() -> ArgValueCompleter {
    completer(|_| asked::points(|_| true))
}

pub fn written_point() -> ArgValueCompleter {
    completer(|_| asked::points(|point| point.access.writes()))
}

pub fn operation() -> ArgValueCompleter {
    completer(|_| OperationKind::ALL.iter().map(|kind| kind.name()).collect())
}

/// Points, where the operation that was named before wants them.
pub fn argument() -> ArgValueCompleter {
    completer(|_| match typed::Typed::now().operation() {
        Some(kind) => asked::points_for(kind),
        None => Vec::new(),
    })
}

pub fn link() -> ArgValueCompleter {
    completer(|_| asked::links())
}

/// What can be asked by hand.
pub fn by_hand() -> ArgValueCompleter {
    completer(|_| super::link::raw::WORDS.iter().map(|(word, _)| (*word).to_owned()).collect())
}

/// Of this machine.
pub fn port() -> ArgValueCompleter {
    completer(|_| ports(&Roots::default()).unwrap_or_default().iter().map(Found::best_name).collect())
}

pub fn group() -> ArgValueCompleter {
    completer(|_| asked::groups())
}

pub fn profile() -> ArgValueCompleter {
    completer(|_| asked::profiles())
}

pub fn token() -> ArgValueCompleter {
    completer(|_| asked::tokens())
}

pub fn command() -> ArgValueCompleter {
    completer(|_| asked::commands())
}

pub fn stream() -> ArgValueCompleter {
    completer(|_| Stream::ALL.iter().map(|stream| stream.name().to_owned()).collect())
}

/// What the settings may hold.
pub fn key() -> ArgValueCompleter {
    completer(|_| teach::paths())
}

/// What they do hold, as far as the daemon is asked.
pub fn set_key() -> ArgValueCompleter {
    completer(|_| asked::keys())
}

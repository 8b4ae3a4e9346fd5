//! What a person types. All but `run` and `sim` are clients of the daemon's socket: they see what any other client sees.
//!
//! One current-thread runtime, one request at a time, each with a deadline.

mod again;
mod args;
mod bundle;
mod client;
mod colour;
mod command;
mod completion;
mod config;
mod device;
mod export;
mod facts;
mod far;
mod group;
mod key;
mod link;
mod log;
mod look;
mod pages;
mod place;
mod point;
mod ports;
mod profile;
mod progress;
mod register;
mod scan;
mod secret;
mod spelling;
mod standing;
mod status;
mod stream;
mod table;
mod terminal;
mod token;
mod told;
mod waiting;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::api::fault::Told;
use crate::seal::guard_memory;
pub use args::Args;
use args::{CommandVerb, ConfigVerb, DeviceVerb, GroupVerb, JournalVerb, LinkVerb, PointVerb, SecretVerb, Verb};
use client::Client;
use watch::How;

/// How it went, as scripts see it. `--help` documents these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Failed = 1,
    /// It was sent, or may have been, and nobody can say whether it was carried out.
    Unknown = 3,
}

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("cannot reach the daemon at {at}: {why}")]
    NotReachable { at: String, why: String, hint: String },
    #[error("{}", .0.message)]
    Told(Told),
    #[error("{says}")]
    Usage { says: String, hint: String },
    #[error("{says}")]
    NotFound { says: String, hint: String },
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    fn exit(&self) -> u8 {
        match self {
            CliError::NotReachable { .. } => 4,
            CliError::Told(told) if told.kind == "not-known" => 3,
            CliError::Told(_) | CliError::NotFound { .. } | CliError::Failed(_) => 1,
            CliError::Usage { .. } => 2,
        }
    }

    /// What was lost may come back.
    fn may_pass(&self) -> bool {
        match self {
            CliError::NotReachable { .. } | CliError::Failed(_) => true,
            CliError::Told(told) => ["busy", "too-often"].contains(&told.kind.as_str()),
            CliError::Usage { .. } | CliError::NotFound { .. } => false,
        }
    }

    /// For programs, as the daemon calls its own.
    fn kind(&self) -> &str {
        match self {
            CliError::NotReachable { .. } => "not-reachable",
            CliError::Told(told) => &told.kind,
            CliError::Usage { .. } => "not-understood",
            CliError::NotFound { .. } => "not-found",
            CliError::Failed(_) => "failed",
        }
    }

    fn hint(&self) -> &str {
        match self {
            CliError::NotReachable { hint, .. } => hint,
            CliError::Told(told) => &told.hint,
            CliError::Usage { hint, .. } | CliError::NotFound { hint, .. } => hint,
            CliError::Failed(_) => "",
        }
    }
}

/// What the arguments ask for. The daemon is started by whoever may use it.
pub enum Chosen {
    Daemon { config: PathBuf },
    Client(Box<Args>),
}

/// Ends the process with a message where the arguments say nothing, and with an answer where a shell asks what they could say.
pub fn chosen() -> Chosen {
    completion::if_asked();
    let args = Args::parse();
    match args.verb {
        Verb::Run => Chosen::Daemon { config: args.config },
        _ => Chosen::Client(Box::new(args)),
    }
}

/// One line: what went wrong, and the chain of why.
pub fn ended(program: &str, how: anyhow::Result<()>) -> ExitCode {
    match how {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All but the daemon.
pub fn client(args: Box<Args>) -> ExitCode {
    // Keys pass through here too. Where it is forbidden there is no more to be done.
    let _ = guard_memory();
    let json = args.json;
    terminal::look(args.utc);
    if let Verb::Check { file } = &args.verb {
        return exit(config::check(&args.config, file, json), json);
    }
    if let Verb::Completion { shell } = &args.verb {
        return exit(completion::script(*shell), json);
    }
    if let Verb::Link(LinkVerb::Ports { root }) = &args.verb {
        return exit(ports::ports(&args.place, root, json), json);
    }
    if let Verb::Key(verb) = &args.verb {
        return exit(key::key(verb, json), json);
    }
    if let Some(what) = args.verb.profile_of_files() {
        return exit(profile::profile(what, &args.config, json), json);
    }
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start: {error}")))
        .and_then(|runtime| runtime.block_on(answered(*args)));
    exit(ended, json)
}

fn exit(ended: Result<Exit, CliError>, json: bool) -> ExitCode {
    match ended {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            tell(&error, json);
            ExitCode::from(error.exit())
        }
    }
}

fn tell(error: &CliError, json: bool) {
    if json {
        table::print(&error_json(error).to_string());
    }
    eprintln!("dmgw: {error}");
    if !error.hint().is_empty() {
        eprintln!("      {}", error.hint());
    }
}

/// As the daemon tells its own.
fn error_json(error: &CliError) -> serde_json::Value {
    let told = match error {
        CliError::Told(told) => told.clone(),
        // As the daemon tells its own.
        other => Told {
            kind: other.kind().into(),
            status: 0,
            message: other.to_string(),
            hint: other.hint().into(),
            guard: None,
        },
    };
    serde_json::json!(told)
}

async fn answered(mut args: Args) -> Result<Exit, CliError> {
    args.place = args.place.whole()?;
    near_enough(&args)?;
    if let Verb::Secret(SecretVerb::Seal { key }) = &args.verb {
        return secret::seal(&args, key.as_deref());
    }
    let Args { config: settings, place, json, verb, .. } = args;
    let connect = || place.client(&settings);
    if let Verb::Config(verb) = verb {
        return config::config(connect, &settings, verb, json).await;
    }
    if let Verb::Scan(args) = verb {
        return scan::scan(&settings, args, json).await;
    }
    if let Verb::Bundle { file } = verb {
        return bundle::bundle(connect(), &settings, file.as_deref(), json).await;
    }
    let client = connect()?;
    match verb {
        Verb::Status { watch } => status::status(&client, How { json, watch }).await,
        Verb::Link(LinkVerb::List) => link::list(&client, json).await,
        Verb::Link(LinkVerb::Show { link }) => link::show(&client, &link, json).await,
        Verb::Link(LinkVerb::Trace(args)) => link::trace::trace(&client, args, json).await,
        Verb::Link(LinkVerb::Raw(args)) => link::raw::raw(&client, &args, json).await,
        Verb::Link(LinkVerb::Release(args)) => link::lend::release(&client, &args, json).await,
        Verb::Link(LinkVerb::Resume { link }) => link::lend::resume(&client, &link, json).await,
        Verb::Link(LinkVerb::Discover { link }) => command::discover(&client, &link, json).await,
        Verb::Device(verb) => of_devices(&client, &settings, verb, json).await,
        Verb::Export => export::export(&client, json).await,
        Verb::Point(PointVerb::List(only)) => point::list(&client, &only, json).await,
        Verb::Point(PointVerb::Show { device, point, watch }) => {
            point::show(&client, &device, &point, How { json, watch }).await
        }
        Verb::Group(GroupVerb::List) => group::list(&client, json).await,
        Verb::Group(GroupVerb::Show { group }) => group::show(&client, &group, json).await,
        Verb::Token(verb) => token::token(&client, verb, json).await,
        Verb::Watch(args) => stream::watch(&client, args, json).await,
        Verb::Profile(_) => profile::running(&client, json).await,
        Verb::Read(read) => command::ask(&client, read.into(), json).await,
        Verb::Write(write) => command::ask(&client, write.into(), json).await,
        Verb::Command(verb) => of_commands(&client, verb, json).await,
        Verb::Journal(JournalVerb::Show { stream, from, limit }) => {
            look::journal(&client, &stream, from, limit, json).await
        }
        Verb::Journal(JournalVerb::Ack { stream, reader, seq }) => {
            command::ack(&client, &stream, &reader, seq, json).await
        }
        Verb::Secret(_) => secret::public(&client, json).await,
        Verb::Version => look::version(&client, json).await,
        Verb::Run
        | Verb::Check { .. }
        | Verb::Config(_)
        | Verb::Completion { .. }
        | Verb::Bundle { .. }
        | Verb::Scan(_)
        | Verb::Key(_)
        | Verb::Link(LinkVerb::Ports { .. }) => Ok(Exit::Done),
    }
}

/// What needs the gateway's own files is not asked of one far away.
fn near_enough(args: &Args) -> Result<(), CliError> {
    let running = "what a gateway far away runs with: dmgw config show --running";
    match &args.verb {
        Verb::Secret(SecretVerb::Seal { .. }) => {
            args.place.must_be_near("dmgw secret seal", "only the gateway's own key opens it: seal it there")
        }
        Verb::Scan(_) => args.place.must_be_near("dmgw scan", "it uses the ports of the machine it runs on"),
        Verb::Bundle { .. } => args.place.must_be_near("dmgw bundle", "it holds files and logs of that machine too"),
        Verb::Device(DeviceVerb::Adopt { .. }) => {
            args.place.must_be_near("dmgw device adopt", "it is for the settings there; dmgw export shows all devices")
        }
        Verb::Config(ConfigVerb::Show { running: false, .. }) => args.place.must_be_near("dmgw config show", running),
        _ => Ok(()),
    }
}

async fn of_devices(client: &Client, settings: &Path, verb: DeviceVerb, json: bool) -> Result<Exit, CliError> {
    match verb {
        DeviceVerb::List(only) => device::devices(client, &only, json).await,
        DeviceVerb::Show { device, watch } => device::device(client, &device, How { json, watch }).await,
        DeviceVerb::Log { device } => device::log(client, &device, json).await,
        DeviceVerb::Register(register) => register::register(client, register, json).await,
        DeviceVerb::Adopt { device, name, write } => {
            device::adopt::adopt(client, settings, &device, name.as_deref(), write, json).await
        }
        DeviceVerb::Attempts => look::attempts(client, json).await,
    }
}

async fn of_commands(client: &Client, verb: CommandVerb, json: bool) -> Result<Exit, CliError> {
    match verb {
        CommandVerb::Ask(ask) => command::ask(client, ask, json).await,
        CommandVerb::List => look::commands(client, json).await,
        CommandVerb::Show { id, wait } => command::command(client, &id, wait, json).await,
        CommandVerb::Cancel { id } => command::cancel(client, &id, json).await,
    }
}

fn print_json<T: serde::Serialize>(shown: &T) -> Result<Exit, CliError> {
    let text = serde_json::to_string_pretty(shown).map_err(|error| CliError::Failed(error.to_string()))?;
    table::print(&text);
    Ok(Exit::Done)
}

//! `dmgw read`, `dmgw write` and `dmgw command …`: what is asked of devices.

use std::time::Duration;

use clap::Subcommand;

use crate::cli::completion;
use crate::units;

#[derive(Debug, Subcommand)]
pub enum CommandVerb {
    /// Ask a device, or several, for an operation
    #[command(after_help = crate::cli::spelling::HELP)]
    Ask(AskArgs),
    /// Commands that have not ended
    List,
    /// What became of a command
    Show {
        #[arg(add = completion::command())]
        id: String,
        /// Wait so long for its end
        #[arg(long, value_name = "SPAN", value_parser = units::span)]
        wait: Option<Duration>,
    },
    /// Call a command back, if nothing has reached the device yet
    Cancel {
        #[arg(add = completion::command())]
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// Its id, number, name, address, or a part of the id that only one has; several with commas between them; group:NAME;
    /// or for:EXPRESSION, such as 'for:link == "meters" && label.floor == "2"'
    #[arg(value_name = "DEVICE[,DEVICE…]", add = completion::devices())]
    pub device: String,
    /// What to do: read, write, restart, …
    #[arg(add = completion::operation())]
    pub operation: String,
    /// As the operation wants them
    #[arg(allow_negative_numbers = true, add = completion::argument())]
    pub args: Vec<String>,
    #[command(flatten)]
    pub options: AskOptions,
}

#[derive(Debug, clap::Args)]
pub struct ReadArgs {
    /// Its id, number, name, address, or a part of the id that only one has; several with commas between them; group:NAME;
    /// or for:EXPRESSION, such as 'for:link == "meters" && label.floor == "2"'
    #[arg(value_name = "DEVICE[,DEVICE…]", add = completion::devices())]
    pub device: String,
    /// Which points: COMPONENT.INSTANCE.POINT; instance 0 may be left out
    #[arg(required = true, value_name = "POINT", add = completion::point())]
    pub points: Vec<String>,
    #[command(flatten)]
    pub options: AskOptions,
}

#[derive(Debug, clap::Args)]
pub struct WriteArgs {
    /// Its id, number, name, address, or a part of the id that only one has; several with commas between them; group:NAME;
    /// or for:EXPRESSION, such as 'for:link == "meters" && label.floor == "2"'
    #[arg(value_name = "DEVICE[,DEVICE…]", add = completion::devices())]
    pub device: String,
    /// Which point: COMPONENT.INSTANCE.POINT; instance 0 may be left out
    #[arg(add = completion::written_point())]
    pub point: String,
    /// As in JSON; what is no JSON is taken as text
    #[arg(allow_negative_numbers = true)]
    pub value: String,
    #[command(flatten)]
    pub options: AskOptions,
}

impl From<ReadArgs> for AskArgs {
    fn from(ReadArgs { device, points, options }: ReadArgs) -> AskArgs {
        AskArgs { device, operation: "read".into(), args: points, options }
    }
}

impl From<WriteArgs> for AskArgs {
    fn from(WriteArgs { device, point, value, options }: WriteArgs) -> AskArgs {
        AskArgs { device, operation: "write".into(), args: vec![point, value], options }
    }
}

/// How and when.
#[derive(Debug, clap::Args)]
pub struct AskOptions {
    /// An id of your own: asked again with the same id, it is carried out once
    #[arg(long)]
    pub id: Option<String>,
    /// Not to be sent later than so long from now [default: 1h with --id; else as the gateway's settings say]
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub expires: Option<Duration>,
    /// How long the device may take
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub timeout: Option<Duration>,
    /// low, normal or high
    #[arg(long, default_value = "normal")]
    pub priority: String,
    /// Not to be sent sooner than so long from now
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub starts: Option<Duration>,
    /// The second step of what cannot be undone: the token that the first one gave
    #[arg(long)]
    pub token: Option<String>,
    /// Take both steps of what cannot be undone at once
    #[arg(long)]
    pub yes: bool,
    /// Wait so long for the end; 0s: do not wait [default: 30s; with --starts 0s]
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub wait: Option<Duration>,
}

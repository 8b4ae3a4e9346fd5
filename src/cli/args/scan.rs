//! `dmgw scan`.

use std::time::Duration;

use crate::cli::completion;
use crate::links::modbus::units::Units;
use crate::links::serial::{Baud, Parity};
use crate::units;

#[derive(Debug, clap::Args)]
pub struct ScanArgs {
    /// A serial port, by any name that `dmgw link ports` shows, or a host on the network, with the port if it is not 502
    #[arg(value_name = "PORT | HOST", add = completion::port())]
    pub what: String,
    /// Only at these rates, such as 9600,19200 [default: all usual ones]
    #[arg(long, value_name = "RATE", value_delimiter = ',', value_parser = Baud::said)]
    pub baud: Vec<Baud>,
    /// Only with these: none, even, odd [default: each of them]
    #[arg(long, value_delimiter = ',', value_parser = parity)]
    pub parity: Vec<Parity>,
    /// Only these units, such as 1-32; they are asked in every way. Without: likely ones in every way, and then all
    #[arg(long)]
    pub units: Option<Units>,
    /// How long a unit may think before it is taken for absent
    #[arg(long, value_name = "SPAN", value_parser = units::span, default_value = "150ms")]
    pub timeout: Duration,
    /// The port is one whose driver in the kernel switches between sending and receiving
    #[arg(long)]
    pub rs485: bool,
    /// How the link shall be called in the settings
    #[arg(long = "as", value_name = "NAME", default_value = "bus")]
    pub name: String,
}

fn parity(text: &str) -> Result<Parity, String> {
    match text {
        "none" => Ok(Parity::None),
        "even" => Ok(Parity::Even),
        "odd" => Ok(Parity::Odd),
        _ => Err("write none, even or odd".into()),
    }
}

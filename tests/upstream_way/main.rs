//! Ways to a broker: each there is leads to a real one, and each thing that can be in the way is told in words that a person
//! reads here. Everything is on loopback, or in a network of the test's own.

mod authority;
mod broker;
mod leading;
mod network;
mod secret;
mod stranger;
#[path = "../support/mod.rs"]
mod support;
mod troubled;

use std::sync::Arc;

use dmgw::document::{At, Faults, Origin, Section, Sources, parse};
use dmgw::model::{ClockQuality, Now, Wall};
use dmgw::seal::{Seal, SecretSource};
use dmgw::upstream::way::{Leads, Opened, Route, Secrets, Settings, WayError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// CONNECT of MQTT 3.1.1: a clean session without a name; and what a broker answers.
const CONNECT: [u8; 14] = *b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// As settings have it.
fn route(text: &str) -> Route {
    let (mut sources, mut faults) = (Sources::default(), Faults::default());
    sources.add(Origin::File("dmgw.toml".into()), text.into());
    let table = parse::parse(&sources, 0, &mut faults);
    let settings = Settings::read(&table, At::default(), &mut faults);
    assert!(faults.is_empty(), "{text}: {}", faults.show(&sources));
    let settings = settings.unwrap();
    assert_eq!(settings.contradiction(), None, "{text}");
    let seal = Seal::new(&[7; 32]);
    let secrets: Secrets =
        Arc::new(move |source: &SecretSource| source.resolve(&seal, None).map_err(|error| error.to_string()));
    Route::new(settings, secrets)
}

fn now() -> Now {
    Now { wall: Wall(support::wall()), quality: ClockQuality::Set, ..Now::default() }
}

async fn open(text: &str) -> Result<Opened, WayError> {
    open_at(text, now()).await
}

async fn open_at(text: &str, now: Now) -> Result<Opened, WayError> {
    let route = route(text);
    route.open(&route.addresses()[0], now).await
}

/// A broker greets us there.
async fn greets(text: &str) -> Leads {
    let opened = open(text).await.unwrap_or_else(|why| panic!("{text}: {why}"));
    greeted(opened).await.unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// The broker's word is a greeting; else what is told of what came instead.
async fn greeted(opened: Opened) -> Result<Leads, WayError> {
    let Opened { mut bytes, leads } = opened;
    let mut said = Vec::with_capacity(1 << 10);
    let exchange = async {
        bytes.write_all(&CONNECT).await?;
        bytes.flush().await?;
        bytes.read_buf(&mut said).await
    };
    match exchange.await {
        Ok(_) if said == CONNACK => Ok(leads),
        Ok(_) => Err(leads.told(None)),
        Err(error) => Err(leads.told(Some(&error))),
    }
}

/// Why nobody greets us there, at once or only then.
async fn refused(text: &str) -> WayError {
    refused_at(text, now()).await
}

async fn refused_at(text: &str, now: Now) -> WayError {
    match open_at(text, now).await {
        Err(why) => why,
        Ok(opened) => greeted(opened).await.err().unwrap_or_else(|| panic!("{text}: somebody greets us")),
    }
}

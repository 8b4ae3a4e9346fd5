//! The simulated plant: `dmgw-plant PLANT.toml`, a process of its own that plays scripted devices over a Unix socket.
//!
//! Read in this order: [`settings`] and [`misdeed`] (the file), [`value`], [`fault`], [`parts`], [`shape`] and [`device`]
//! (what one device does, pure), [`works`] (all of them, pure), [`witness`] (the record), then the one task that serves. It outlives its gateways: it
//! takes one connection after the other and goes on with its numbers. [`modbus`] is buses of Modbus beside it.

pub mod device;
mod error;
pub mod fault;
pub mod misdeed;
pub mod modbus;
mod outbox;
pub mod parts;
mod serve;
pub mod settings;
pub mod shape;
pub mod value;
mod witness;
pub mod works;

use std::future::Future;
use std::io;
use std::path::Path;

use tokio::net::UnixListener;
use tokio::time::{Instant, sleep_until};

pub use self::error::PlantError;
use self::serve::Server;
pub use self::settings::Plant;
use self::witness::Witness;
use self::works::Works;
use crate::model::Name;
use crate::profile::Profile;

/// Until `stop`; then the record is complete. `kind`: a profile by its name, or why there is none. `tell`: where a bus of
/// Modbus is.
pub async fn run(
    plant: Plant,
    kind: impl Fn(&Name) -> Result<Profile, String>,
    tell: impl Fn(&str),
    stop: impl Future<Output = ()>,
) -> Result<(), PlantError> {
    let works = Works::new(&plant)?;
    let witness = Witness::open(&plant.record, plant.append, works.serials())
        .map_err(|source| PlantError::Record { path: plant.record.clone(), source })?;
    let buses = modbus::open(&plant, kind, tell).await?;
    let listener = listen(&plant.socket).map_err(|source| PlantError::Socket { path: plant.socket.clone(), source })?;
    let mut server = Server::new(works, witness);
    let served = tokio::select! {
        served = serve(&mut server, &listener) => served,
        () = stop => Ok(()),
    };
    // The socket's file goes with its plant; a gateway that comes meanwhile is told that nobody is there.
    let _ = std::fs::remove_file(&plant.socket);
    drop(buses);
    served.and_then(|()| server.close()).map_err(|source| PlantError::Record { path: plant.record.clone(), source })
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => UnixListener::bind(path),
    }
}

async fn serve(server: &mut Server, listener: &UnixListener) -> io::Result<()> {
    loop {
        let wake = server.wake();
        tokio::select! {
            gateway = listener.accept() => server.serve(gateway?.0).await?,
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => server.tick()?,
        }
    }
}

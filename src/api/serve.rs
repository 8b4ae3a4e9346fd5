//! Connections: each a task, at most so many at a time, and each step of it within a deadline.
//!
//! Tasks: one that accepts at the socket, one that accepts from afar, one for each connection. The two have places of
//! their own, so nobody from afar keeps root from the socket. Whoever finds no place is told so, where that costs little.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::caller::Origin;
use super::far::Far;
use super::fault::Fault;
use super::metrics::Connected;
use super::taking::Taking;
use super::{Door, routes, socket};
use crate::metrics::{self, Metrics};

const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are told why they may not stay, at once.
const DOORSTEP: usize = 8;
const LARGEST_HEAD: usize = 16 << 10;
/// Out of file descriptors, most likely: the next try comes when some may be free.
pub const BREATH: Duration = Duration::from_millis(100);

/// Where it is listened.
pub struct Doors {
    pub socket: UnixListener,
    pub group: Option<socket::Group>,
    pub far: Option<Far>,
}

/// What connections share.
#[derive(Clone)]
pub struct Hall {
    router: TowerToHyperService<Router>,
    metrics: Arc<Metrics>,
    stalled: Duration,
    stop: watch::Receiver<bool>,
}

/// Until `stop`; then lets the connections end what they are at.
pub async fn serve(doors: Doors, door: Arc<Door>, stop: watch::Receiver<bool>) {
    let Doors { socket, group, far } = doors;
    let most = door.limits.connections;
    let (metrics, stalled) = (door.metrics.clone(), door.limits.stalled);
    let hall = Hall { router: TowerToHyperService::new(routes::router(door)), metrics, stalled, stop };
    let here = at_the_socket(socket, group.as_ref(), most, &hall);
    match far {
        Some(far) => drop(tokio::join!(here, far.serve(&hall))),
        None => here.await,
    }
}

async fn at_the_socket(listener: UnixListener, group: Option<&socket::Group>, most: usize, hall: &Hall) {
    let places = Arc::new(Semaphore::new(most));
    let doorstep = Arc::new(Semaphore::new(DOORSTEP));
    while let Some(accepted) = hall.unless_stopped(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        match (place(&places), socket::known(&stream)) {
            (Err(fault), _) => turn_away(stream, fault, &doorstep),
            (Ok(place), Some(caller)) => hall.take_once_it_speaks(stream, Origin::Here(caller), place),
            (Ok(place), None) => {
                let (hall, doorstep, group) = (hall.clone(), doorstep.clone(), group.cloned());
                tokio::spawn(async move { look_up(stream, group, &hall, &doorstep, place).await });
            }
        }
    }
    all_gone(&places, most).await;
}

/// The user database may be far away: nobody else waits for it.
async fn look_up(
    stream: UnixStream,
    group: Option<socket::Group>,
    hall: &Hall,
    doorstep: &Arc<Semaphore>,
    place: OwnedSemaphorePermit,
) {
    let looked = tokio::task::spawn_blocking(move || (socket::member(&stream, group.as_ref()), stream)).await;
    match looked {
        Ok((Ok(caller), stream)) => hall.take_once_it_speaks(stream, Origin::Here(caller), place),
        Ok((Err(fault), stream)) => {
            hall.metrics.door(metrics::Door::Socket).refused.add(1);
            turn_away(stream, fault, doorstep);
        }
        Err(error) => tracing::error!(%error, "who is at the socket could not be looked up"),
    }
}

pub async fn all_gone(places: &Semaphore, most: usize) {
    let _ = places.acquire_many(u32::try_from(most).unwrap_or(u32::MAX)).await;
}

fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
    places.clone().try_acquire_owned().map_err(|_| {
        Fault::busy("all connections are in use (limits.connections)", "come back when one of them has ended")
    })
}

/// So many are told why they may not stay; more of them at once are closed without a word.
fn turn_away(stream: UnixStream, fault: Fault, doorstep: &Arc<Semaphore>) {
    if let Ok(place) = doorstep.clone().try_acquire_owned() {
        tokio::spawn(async move {
            socket::turn_away(stream, fault).await;
            drop(place);
        });
    }
}

impl Hall {
    /// None: it is time to stop.
    pub async fn unless_stopped<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.clone();
        tokio::select! {
            came = what => Some(came),
            () = stopped(&mut stop) => None,
        }
    }

    /// Who says nothing takes no memory for what it might say.
    fn take_once_it_speaks(&self, stream: UnixStream, origin: Origin, place: OwnedSemaphorePermit) {
        let place = (place, Connected::new(&self.metrics, origin.door()));
        let hall = self.clone();
        tokio::spawn(async move {
            let spoke = hall.unless_stopped(timeout(HEADERS_WITHIN, socket::speaks(&stream))).await;
            if matches!(spoke, Some(Ok(true))) {
                hall.begin(stream, origin, place);
            }
        });
    }

    /// A connection, which keeps its place until it has ended.
    pub fn take<S>(&self, stream: S, origin: Origin, place: impl Send + 'static)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let place = (place, Connected::new(&self.metrics, origin.door()));
        self.begin(stream, origin, place);
    }

    fn begin<S>(&self, stream: S, origin: Origin, place: impl Send + 'static)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Taking::new(stream, self.stalled);
        let (guest, stop) = (Guest { router: self.router.clone(), origin }, self.stop.clone());
        tokio::spawn(async move {
            talk(stream, guest, stop).await;
            drop(place);
        });
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could say so is gone: stopped all the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn talk<S>(stream: S, guest: Guest, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(LARGEST_HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), guest);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// The router, for requests from one place.
struct Guest {
    router: TowerToHyperService<Router>,
    origin: Origin,
}

impl Service<Request<Incoming>> for Guest {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.origin.clone());
        self.router.call(request)
    }
}

//! What addresses a name has, as this machine looks names up.
//!
//! The library's call may hang for minutes and cannot be stopped, so a thread makes it that nobody waits for longer than
//! he wants. Invariant: there is one such thread at most; who comes while it hangs waits in line, and no longer either.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::address::Host;
use super::trouble::{Trouble, WayError, shown};

/// The resolver keeps its buffers there, and so do the modules that a machine may add to it.
const STACK: usize = 512 << 10;

static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

pub async fn looked_up(host: &Host, within: Duration) -> Result<Vec<SocketAddr>, WayError> {
    if let Some(ip) = host.ip() {
        return Ok(vec![SocketAddr::new(ip, host.port)]);
    }
    let of = host.clone();
    let ask = move || (of.name.as_str(), of.port).to_socket_addrs().map(Iterator::collect);
    let found: Vec<SocketAddr> = asked(&ONE_AT_A_TIME, within, ask).await.map_err(|why| told(host, why, within))?;
    match found.is_empty() {
        true => Err(unknown(host)),
        false => Ok(found),
    }
}

enum NoAnswer {
    Late,
    /// Somebody else's name takes so long.
    InLine,
    Failed(io::Error),
}

async fn asked<T: Send + 'static>(
    line: &'static Semaphore,
    within: Duration,
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, NoAnswer> {
    let end = Instant::now() + within;
    let Ok(Ok(place)) = timeout_at(end, line.acquire()).await else { return Err(NoAnswer::InLine) };
    let (tell, answer) = oneshot::channel();
    let asking = move || {
        let answer = ask();
        drop(place);
        // Nobody may wait any more.
        drop(tell.send(answer));
    };
    let thread = thread::Builder::new().name("lookup".into()).stack_size(STACK).spawn(asking);
    drop(thread.map_err(NoAnswer::Failed)?);
    match timeout_at(end, answer).await {
        Ok(Ok(answer)) => answer.map_err(NoAnswer::Failed),
        Ok(Err(_)) => Err(NoAnswer::Failed(io::Error::other("the thread that asked has ended"))),
        Err(_) => Err(NoAnswer::Late),
    }
}

const NETWORK: &str = "is there a network, and does it have a name server? (/etc/resolv.conf)";

fn unknown(host: &Host) -> WayError {
    let why = format!("nobody knows the name {}", host.name);
    WayError::Elsewhere(Trouble::new(host, why, "is it spelled right, and is it known in the network of this gateway?"))
}

fn told(host: &Host, why: NoAnswer, within: Duration) -> WayError {
    let why = match why {
        NoAnswer::Failed(error) => {
            let says = error.to_string();
            // The library tells them apart by this text only.
            match says.contains("Temporary failure") || says.contains("System error") {
                true => format!("no name server answers what {} is", host.name),
                false if error.raw_os_error().is_some() => format!("a name cannot be looked up: {}", shown(&says)),
                false => return unknown(host),
            }
        }
        NoAnswer::Late => format!("no name server said within {within:?} what {} is", host.name),
        NoAnswer::InLine => {
            format!("{} could not be looked up: another name has been waited for all the time", host.name)
        }
    };
    WayError::Elsewhere(Trouble::new(host, why, NETWORK))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    fn host() -> Host {
        Host { name: "broker.example".into(), port: 8883 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_hangs_ends_in_time_and_none_is_begun_beside_it() {
        static LINE: Semaphore = Semaphore::const_new(1);
        let (let_go, hangs) = sync_channel::<()>(0);
        let began = Instant::now();
        let hung = asked(&LINE, WITHIN, move || hangs.recv().map_err(io::Error::other)).await;
        let late = told(&host(), hung.unwrap_err(), WITHIN).to_string();
        assert!(late.contains("no name server said within 30s what broker.example is"), "{late}");
        assert_eq!(began.elapsed(), WITHIN);
        let second = asked(&LINE, WITHIN, || -> io::Result<()> { panic!("begun beside one that hangs") }).await;
        assert!(matches!(second, Err(NoAnswer::InLine)));
        assert_eq!(began.elapsed(), 2 * WITHIN);
        tokio::time::resume();
        let_go.send(()).unwrap();
        assert!(matches!(asked(&LINE, WITHIN, || Ok(7)).await, Ok(7)), "the line goes on");
    }

    #[tokio::test]
    async fn a_number_is_looked_up_by_nobody_and_a_name_that_nobody_knows_is_told() {
        let number = Host { name: "fd00::7".into(), port: 8883 };
        assert_eq!(looked_up(&number, Duration::ZERO).await, Ok(vec!["[fd00::7]:8883".parse().unwrap()]));
        let of = |says: &str| told(&host(), NoAnswer::Failed(io::Error::other(says)), WITHIN).to_string();
        let unknown = of("failed to lookup address information: Name or service not known");
        assert!(unknown.contains("nobody knows the name broker.example; is it spelled right"), "{unknown}");
        let silent = of("failed to lookup address information: Temporary failure in name resolution");
        assert!(silent.contains("no name server answers") && silent.contains("resolv.conf"), "{silent}");
    }
}

//! How a bus comes to its port or connection.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a bus speaks over. A read of no bytes is its end.
pub trait Port: AsyncRead + AsyncWrite + Debug + Send + Unpin {
    /// Throws away what came and was not read, and what was written and did not go out.
    fn discard(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Port for TcpStream {}
impl Port for tokio::io::DuplexStream {}

#[derive(Debug)]
pub struct Opened {
    pub port: Box<dyn Port>,
    /// For people.
    pub place: String,
}

pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, String>> + Send + 'a>>;
pub type Waiting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The way to a port. Its futures must bear to be dropped.
pub trait Opens: Send {
    /// Why not, if not.
    fn open(&mut self) -> Opening<'_>;

    /// Comes back when it may be worth trying at once what has just failed.
    fn worth_trying(&mut self) -> Waiting<'_> {
        Box::pin(std::future::pending())
    }

    /// An answer came over what was opened last.
    fn proven(&mut self) {}

    /// The port is lent: nothing of it is kept until it is opened again.
    fn release(&mut self) {}
}

/// Openings in a row that brought no answer, until another address is tried.
const BARREN: u8 = 3;

/// Dials one of some addresses (`HOST:PORT`). It stays with one as long as that brings answers, and goes on to the next
/// where a connection does not come about, or several in a row brought none.
#[derive(Debug)]
pub struct Dial {
    addresses: Vec<String>,
    within: Duration,
    at: usize,
    barren: u8,
}

impl Dial {
    pub fn new(addresses: Vec<String>, within: Duration) -> Dial {
        Dial { addresses, within, at: 0, barren: 0 }
    }

    fn next(&mut self) {
        self.at = (self.at + 1) % self.addresses.len().max(1);
        self.barren = 0;
    }

    async fn dial(&mut self) -> Result<Opened, String> {
        if self.barren >= BARREN {
            self.next();
        }
        let mut failed = String::from("no address is given");
        for _ in 0..self.addresses.len() {
            let Some(address) = self.addresses.get(self.at).cloned() else { break };
            match connected(&address, self.within).await {
                Ok(stream) => {
                    self.barren += 1;
                    return Ok(Opened { port: Box::new(stream), place: address });
                }
                Err(why) => failed = format!("{address}: {why}"),
            }
            self.next();
        }
        Err(failed)
    }
}

async fn connected(address: &str, within: Duration) -> Result<TcpStream, String> {
    let stream = match timeout(within, TcpStream::connect(address)).await {
        Ok(stream) => stream.map_err(|e| e.to_string())?,
        Err(_) => return Err("no connection came about in time".into()),
    };
    // Frames are small, and the answer is waited for.
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    Ok(stream)
}

impl Opens for Dial {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(self.dial())
    }

    fn proven(&mut self) {
        self.barren = 0;
    }
}

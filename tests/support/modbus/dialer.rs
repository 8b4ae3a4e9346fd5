//! A gateway that calls in: it connects to us, says its hello, and passes on what is said between us and a server.
//!
//! Two threads pass on, one each way; they end with the connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::PATIENCE;

pub struct Dialer {
    ours: TcpStream,
    servers: TcpStream,
    deaf: Arc<AtomicBool>,
}

impl Dialer {
    /// At this port of ours, on behalf of the server at that one.
    pub fn calls(port: u16, hello: &[u8], server: u16) -> Dialer {
        let servers = TcpStream::connect(("127.0.0.1", server)).unwrap();
        let ours = stranger(port, hello);
        let deaf = Arc::new(AtomicBool::new(false));
        for (from, to) in [(&ours, &servers), (&servers, &ours)] {
            let (from, to, deaf) = (from.try_clone().unwrap(), to.try_clone().unwrap(), deaf.clone());
            from.set_read_timeout(None).unwrap();
            std::thread::spawn(move || pass_on(from, to, &deaf));
        }
        Dialer { ours, servers, deaf }
    }

    /// Unasked.
    pub fn says(&self, bytes: &[u8]) {
        (&self.ours).write_all(bytes).unwrap();
    }

    /// As if the network forgot the connection: it stays open, and nothing comes through.
    pub fn goes_deaf(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }
}

impl Drop for Dialer {
    fn drop(&mut self) {
        [&self.ours, &self.servers].into_iter().for_each(|stream| _ = stream.shutdown(Shutdown::Both));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, deaf: &AtomicBool) {
    let mut part = [0; 512];
    while let Ok(length @ 1..) = from.read(&mut part) {
        if !deaf.load(Ordering::SeqCst) && to.write_all(&part[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Who connects and says that, and then nothing.
pub fn stranger(port: u16, says: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(says).unwrap();
    stream
}

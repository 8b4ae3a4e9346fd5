//! A real broker: Debian's mosquitto, as a process of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::authority::Pair;
use crate::support::eventually;
use crate::support::process::Process;

/// A line of its settings: no TLS newer than 1.2 (itself it knows only what is too old).
pub const OLD_TLS: &str = "tls_version tlsv1.2\n";
const NO_NEWER: &str = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n";

pub struct Broker {
    pub at: SocketAddr,
    process: Process,
}

const PLACES: [&str; 2] = ["mosquitto", "/usr/sbin/mosquitto"];
/// Somebody else may have the port between our look and its start.
const TRIES: usize = 5;

fn program() -> Option<&'static str> {
    PLACES.into_iter().find(|place| Command::new(place).arg("-h").output().is_ok())
}

impl Broker {
    /// None, and said loudly: there is none on this machine. `how` are lines of its settings for the one listener.
    pub fn start(test: &str, folder: &Path, how: &str) -> Option<Broker> {
        Broker::start_at(test, folder, "127.0.0.1:0", how)
    }

    pub fn start_at(test: &str, folder: &Path, free: &str, how: &str) -> Option<Broker> {
        let Some(program) = program() else {
            println!("SKIP {test}: there is no mosquitto on this machine");
            return None;
        };
        (0..TRIES).find_map(|_| Broker::tried(program, folder, free.parse().unwrap(), how))
    }

    fn tried(program: &str, folder: &Path, free: SocketAddr, how: &str) -> Option<Broker> {
        let at = TcpListener::bind(free).unwrap().local_addr().unwrap();
        let (config, log) = (folder.join(format!("{}.conf", at.port())), folder.join(format!("{}.log", at.port())));
        // One that listens for WebSocket only does not start.
        let beside = config.with_extension("sock");
        let general = format!("user root\npersistence false\nallow_anonymous true\nlistener 0 {}\n", beside.display());
        std::fs::write(&config, format!("{general}listener {} {}\n{how}\n", at.port(), at.ip())).unwrap();
        let mut command = Command::new(program);
        if how.contains(OLD_TLS) {
            let openssl = config.with_extension("cnf");
            std::fs::write(&openssl, NO_NEWER).unwrap();
            command.env("OPENSSL_CONF", openssl);
        }
        command.arg("-v").arg("-c").arg(config);
        let mut broker = Broker { at, process: Process::start(command, &log) };
        let began = eventually("the broker listens or has ended", || {
            let listens = broker.log().contains(" running") && TcpStream::connect(at).is_ok();
            (listens || broker.process.ended().is_some()).then_some(listens)
        });
        assert!(began || broker.log().contains("Address already in use"), "mosquitto: {}", broker.log());
        began.then_some(broker)
    }

    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// It shows this one.
pub fn shows(pair: &Pair) -> String {
    format!("certfile {}\nkeyfile {}\n", pair.certificate.display(), pair.key.display())
}

/// It lets nobody in whose certificate this authority did not make.
pub fn wants(folder: &Path, authority: &str) -> String {
    format!("cafile {}\nrequire_certificate true\n", folder.join(format!("{authority}.pem")).display())
}

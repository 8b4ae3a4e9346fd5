//! What no single key of a link over Modbus can show: how it is attached, and who may connect to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::sections::{Config, Link};
use crate::document::{At, Fault, Faults, Section, Table, section};
use crate::links::modbus::networks::Network;
use crate::links::modbus::serve::Serve;
use crate::links::modbus::settings::{Rtu, Tcp};
use crate::model::Name;

pub fn check(config: &Config, root: &Table, faults: &mut Faults, all_right: bool) {
    let mut look = Look { root, faults, all_right };
    for (name, link) in &config.link {
        look.link(name, link);
    }
    look.one_port_for_several(config);
}

/// A link that waits for calls, and the hello of its gateway.
type Waits<'a> = (&'a Name, Option<&'a [u8]>);

struct Look<'a> {
    root: &'a Table,
    faults: &'a mut Faults,
    /// Every key could be read.
    all_right: bool,
}

impl Look<'_> {
    fn link(&mut self, name: &Name, link: &Link) {
        if let Some(tcp) = link.modbus_tcp.as_ref().filter(|_| self.is_right::<Tcp>(name, "modbus-tcp")) {
            self.way(name, tcp);
            self.masters(name, "modbus-tcp", tcp.serve.as_ref());
        }
        if let Some(rtu) = link.modbus_rtu.as_ref().filter(|_| self.is_right::<Rtu>(name, "modbus-rtu")) {
            self.masters(name, "modbus-rtu", rtu.serve.as_ref());
        }
    }

    fn is_right<T: Section>(&self, name: &Name, driver: &str) -> bool {
        let driver = self.root.follow(&["link", name.as_str(), driver]);
        self.all_right || driver.is_none_or(|(_, node)| section::is_right::<T>(node))
    }

    fn say(&mut self, name: &Name, below: &[&str], says: &str) {
        let path = [&["link", name.as_str()], below].concat();
        let at = self.root.follow(&path).map_or(At::NOWHERE, |(_, node)| node.at);
        self.faults.add(Fault::new(at, says.to_owned()));
    }

    /// It is called, or it calls.
    fn way(&mut self, name: &Name, tcp: &Tcp) {
        let mut say = |key: &str, says: &str| self.say(name, &["modbus-tcp", key], says);
        let Tcp { at, backup, listen, from, hello, heartbeat, .. } = tcp;
        match listen {
            Some(_) if at.is_some() => say("listen", "who has at is called, and does not call; take one of them away"),
            Some(_) if !backup.is_empty() => say("backup", "backup is for who is called (at); who calls needs none"),
            Some(listen) if shuts_all_out(listen, from) => {
                say("listen", "nobody may call in there; say who may, such as from = [\"192.0.2.0/24\"]");
            }
            Some(_) => {}
            None => {
                let of_callers =
                    [("from", !from.is_empty()), ("hello", hello.is_some()), ("heartbeat", heartbeat.is_some())];
                for (key, _) in of_callers.into_iter().filter(|(_, given)| *given) {
                    say(key, "it is for who calls in (listen); who is called (at) needs none");
                }
                if at.is_none() {
                    let says = "at is missing, such as at = \"192.0.2.7:502\"; or listen, where the device calls in";
                    self.say(name, &["modbus-tcp"], says);
                }
            }
        }
    }

    fn masters(&mut self, name: &Name, driver: &str, serve: Option<&Serve>) {
        if serve.is_some_and(|Serve { at, from, .. }| shuts_all_out(at, from)) {
            let says = "no master may connect there; say who may, such as from = [\"192.0.2.0/24\"]";
            self.say(name, &[driver, "serve", "at"], says);
        }
    }

    /// Gateways that call in there are told apart by their hellos; masters are not.
    fn one_port_for_several(&mut self, config: &Config) {
        let mut taken: BTreeMap<SocketAddr, Vec<Waits<'_>>> = BTreeMap::new();
        for (name, tcp) in config.link.iter().filter_map(|(name, link)| Some((name, link.modbus_tcp.as_ref()?))) {
            let Some(listen) = tcp.listen.filter(|at| at.port() != 0) else { continue };
            let own = tcp.hello.as_ref().map(|hello| hello.bytes());
            let others = taken.entry(listen).or_default();
            if let Some((other, _)) = others.iter().find(|(_, other)| !differ(own, *other)) {
                let says = format!("link {other} listens there too; give both a hello, of which none begins the other");
                let key = if own.is_some() { "hello" } else { "listen" };
                self.say(name, &["modbus-tcp", key], &says);
            }
            others.push((name, own));
        }
        let mut taken: BTreeMap<SocketAddr, &Name> = taken.into_iter().map(|(at, all)| (at, all[0].0)).collect();
        for (name, driver, at) in config.link.iter().filter_map(|(name, link)| serves(name, link)) {
            if let Some(other) = taken.insert(at, name) {
                let says = format!("link {other} listens there already; take another port");
                self.say(name, &[driver, "serve", "at"], &says);
            }
        }
    }
}

fn serves<'a>(name: &'a Name, link: &Link) -> Option<(&'a Name, &'static str, SocketAddr)> {
    let tcp = link.modbus_tcp.as_ref().and_then(|tcp| Some(("modbus-tcp", tcp.serve.as_ref()?.at)));
    let rtu = || link.modbus_rtu.as_ref().and_then(|rtu| Some(("modbus-rtu", rtu.serve.as_ref()?.at)));
    let (driver, at) = tcp.or_else(rtu).filter(|(_, at)| at.port() != 0)?;
    Some((name, driver, at))
}

fn shuts_all_out(at: &SocketAddr, from: &[Network]) -> bool {
    from.is_empty() && !at.ip().to_canonical().is_loopback()
}

fn differ(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    one.zip(other).is_some_and(|(one, other)| !one.starts_with(other) && !other.starts_with(one))
}

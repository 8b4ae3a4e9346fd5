//! What TLS says when it does not come about, in words of people: who is not believed and why, and what to do.

use std::io;
use std::time::Duration;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use super::super::http::Head;
use super::super::trouble::{Trouble, WayError, day, is_gone, shown};
use crate::model::{ClockQuality, Now, Wall};

/// What is known of the one who was dialled, and of us.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: String,
    /// The name that must stand in its certificate.
    pub name: String,
    /// The file of whoever must vouch for it.
    pub authority: Option<String>,
    /// We show a certificate, which ends then.
    pub own: bool,
    pub own_until: Option<Wall>,
    /// It wanted to see one.
    pub asked: bool,
    pub now: Now,
}

const BETWEEN: &str = "or a network in between answers in its place, such as a portal where somebody must log in";
/// Names of a certificate that are shown.
const MOST_NAMES: usize = 4;

impl Seen {
    /// `unasked`: an answer in HTTP, where one came.
    pub fn told(&self, error: &io::Error, unasked: Option<&Head>) -> WayError {
        if let Some(head) = unasked {
            return portal(&self.at, "TLS", head);
        }
        match of_tls(error) {
            Some(Error::InvalidCertificate(wrong)) => self.disbelieved(wrong),
            Some(Error::AlertReceived(alert)) => self.alerted(*alert),
            Some(Error::InvalidMessage(_)) => self
                .person("it does not speak TLS", "is it the right port? one without TLS is written mqtt:// or ws://"),
            Some(Error::PeerIncompatible(what)) => self.person(
                format!("it and this gateway have no kind of TLS in common ({what:?})"),
                "the gateway speaks TLS 1.2 and 1.3; something newer must be allowed there",
            ),
            Some(Error::NoApplicationProtocol) => self.no_protocol(),
            Some(other) => self.later(format!("TLS did not come about: {}", shown(&other.to_string()))),
            None => self.ended(error),
        }
    }

    /// Trouble after the handshake, before the broker's first word, as far as TLS explains it: in 1.3 it looks at our
    /// certificate only when the handshake is over for us. None: it ended without a word.
    pub fn explains(&self, error: Option<&io::Error>) -> Option<WayError> {
        match error {
            Some(error) if of_tls(error).is_some() => Some(self.told(error, None)),
            _ if !error.is_none_or(is_gone) || !self.asked => None,
            _ if self.own => Some(self.ours("it ended the connection when it had seen our certificate")),
            _ => Some(self.unshown()),
        }
    }

    pub fn silent(&self, within: Duration, unasked: Option<&Head>) -> WayError {
        match unasked {
            Some(head) => portal(&self.at, "TLS", head),
            None => WayError::Elsewhere(Trouble::new(
                &self.at,
                format!("it said nothing of TLS within {within:?}"),
                "is it the port for TLS, and is the link very slow? (step)",
            )),
        }
    }

    fn person(&self, why: impl Into<String>, hint: impl Into<String>) -> WayError {
        WayError::Person(Trouble::new(&self.at, why, hint))
    }

    fn later(&self, why: String) -> WayError {
        WayError::Later(Trouble::new(&self.at, why, "it is tried again"))
    }

    fn disbelieved(&self, wrong: &CertificateError) -> WayError {
        match wrong {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => self.unvouched(),
            CertificateError::NotValidForNameContext { presented, .. } => self.other_name(presented),
            CertificateError::NotValidForName => self.other_name(&[]),
            CertificateError::ExpiredContext { not_after, .. } => self.over(Some(Wall(not_after.as_secs() * 1000))),
            CertificateError::Expired => self.over(None),
            CertificateError::NotValidYetContext { not_before, .. } => {
                self.not_begun(Some(Wall(not_before.as_secs() * 1000)))
            }
            CertificateError::NotValidYet => self.not_begun(None),
            CertificateError::ApplicationVerificationFailure => self.person(
                "it shows another certificate than the one of tls.fingerprint",
                "was it renewed? if not, somebody stands in between",
            ),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                self.person("its certificate is not for a server", "it needs one that its authority made for servers")
            }
            // The library has no name of its own for what is most often met: a certificate that vouches for itself.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => self.person(
                "its certificate is that of an authority, and vouches for no server",
                "let that authority make one for it; or name the SHA-256 of this one as tls.fingerprint",
            ),
            other => self.person(
                format!("its certificate is not good: {}", shown(&format!("{other:?}"))),
                "let its authority make another one",
            ),
        }
    }

    fn unvouched(&self) -> WayError {
        let hint = match &self.authority {
            Some(file) => format!("is {file} of the authority that made it? {BETWEEN}"),
            None => format!("name the file of whoever made it as tls.ca; {BETWEEN}"),
        };
        self.person("nobody who is trusted here vouches for its certificate", hint)
    }

    fn other_name(&self, presented: &[String]) -> WayError {
        let names: Vec<String> = presented.iter().take(MOST_NAMES).map(|name| shown(name)).collect();
        let more = if presented.len() > MOST_NAMES { " and others" } else { "" };
        let whose = match names.is_empty() {
            true => "has no name in it".into(),
            false => format!("is for {}{more}", names.join(", ")),
        };
        let hint = format!("write a name that stands in it into the address, or as tls.name; {BETWEEN}");
        self.person(format!("its certificate {whose}, not for {}", self.name), hint)
    }

    fn over(&self, at: Option<Wall>) -> WayError {
        let when = at.map(|at| format!(" on {}", day(at))).unwrap_or_default();
        let why = format!("its certificate ended{when}");
        match self.now.quality {
            ClockQuality::Unset => self.clock(&why),
            _ => self.person(why, format!("it must be renewed there; {}", self.our_clock())),
        }
    }

    fn not_begun(&self, at: Option<Wall>) -> WayError {
        let when = at.map_or_else(|| "later".into(), |at| format!("on {} only", day(at)));
        let why = format!("its certificate begins {when}");
        match self.now.quality {
            ClockQuality::Set => {
                self.person(why, format!("was it made on a machine whose clock is wrong? {}", self.our_clock()))
            }
            // What is not set may be late, and rarely early.
            _ => self.clock(&why),
        }
    }

    fn clock(&self, why: &str) -> WayError {
        let quality = match self.now.quality {
            ClockQuality::Unset => "is not set",
            ClockQuality::Held => "goes on from what it was before a restart",
            ClockQuality::Set => "is set",
        };
        let why = format!("{why}, and the clock of this gateway {quality}: it shows {}", day(self.now.wall));
        let hint = "set it (timedatectl, NTP); it is tried again then";
        WayError::Clock(Trouble::new(&self.at, why, hint))
    }

    fn our_clock(&self) -> String {
        format!("the clock of this gateway shows {}", day(self.now.wall))
    }

    fn alerted(&self, alert: AlertDescription) -> WayError {
        use AlertDescription as A;
        match alert {
            A::CertificateRequired | A::NoCertificate => self.wants_one(),
            A::BadCertificate | A::HandshakeFailure | A::AccessDenied | A::CertificateUnknown
                if self.asked && !self.own =>
            {
                self.wants_one()
            }
            A::CertificateExpired => self.ours("it says that our certificate is over"),
            A::CertificateRevoked => self.ours("it says that our certificate was taken back"),
            A::UnknownCA => self.ours("it does not trust whoever vouches for our certificate"),
            A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateUnknown
            | A::AccessDenied
            | A::DecryptError
                if self.own =>
            {
                self.ours(&format!("it does not accept our certificate ({alert:?})"))
            }
            A::ProtocolVersion | A::HandshakeFailure | A::InsufficientSecurity => self.person(
                format!("it and this gateway have no kind of TLS in common ({alert:?})"),
                "the gateway speaks TLS 1.2 and 1.3; something newer must be allowed there",
            ),
            A::UnrecognisedName => self.person(
                format!("it does not know the name {}", self.name),
                "write the name that it has into the address, or as tls.name",
            ),
            A::NoApplicationProtocol => self.no_protocol(),
            A::InternalError | A::UserCanceled => self.later(format!("it broke TLS off ({alert:?})")),
            _ => self.person(format!("it refused TLS ({alert:?})"), "its log tells why"),
        }
    }

    fn unshown(&self) -> WayError {
        self.person(
            "it wants to see a certificate of this gateway, and the settings name none",
            "set tls.certificate and tls.key",
        )
    }

    fn no_protocol(&self) -> WayError {
        self.person("it knows none of the protocols of tls.alpn", "whoever looks after the broker knows which it wants")
    }

    fn wants_one(&self) -> WayError {
        match self.own {
            true => self.ours("it does not accept our certificate"),
            false => self.unshown(),
        }
    }

    fn ours(&self, why: &str) -> WayError {
        let over = self.own_until.filter(|until| *until < self.now.wall);
        let hint = match over {
            Some(until) => format!("tls.certificate ended on {}: renew it", day(until)),
            None => "did its authority make tls.certificate, and is the clock there right? its log tells more".into(),
        };
        self.person(why, hint)
    }

    /// It ended the connection, or that broke.
    fn ended(&self, error: &io::Error) -> WayError {
        match (is_gone(error), self.asked && !self.own) {
            (true, true) => self.unshown(),
            (true, false) => WayError::Elsewhere(Trouble::new(
                &self.at,
                "it ended the connection instead of agreeing on TLS",
                "is it the port for TLS? one without is written mqtt:// or ws://",
            )),
            (false, _) => WayError::Elsewhere(Trouble::new(
                &self.at,
                shown(&error.to_string()),
                "look at the network of this gateway",
            )),
        }
    }
}

fn of_tls(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Somebody answers in HTTP where something else was wanted.
pub fn portal(at: &str, wanted: &str, head: &Head) -> WayError {
    let why = format!("HTTP answers there, not {wanted}: {}", head.told());
    let hint = match head.leads_to() {
        Some(_) => "a network in between wants somebody to log in at its portal first",
        None => "is it the right port? or a network in between answers in its place",
    };
    WayError::Person(Trouble::new(at, why, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(quality: ClockQuality) -> Seen {
        let now = Now { wall: Wall(1_795_219_199_999), quality, ..Now::default() };
        let name = "broker.example".to_owned();
        Seen { at: "mqtts://b:8883".into(), name, authority: None, own: false, own_until: None, asked: false, now }
    }

    #[test]
    fn what_a_clock_is_worth_decides_whether_to_wait_for_it_or_for_a_person() {
        for (quality, over_waits, begins_waits) in
            [(ClockQuality::Unset, true, true), (ClockQuality::Held, false, true), (ClockQuality::Set, false, false)]
        {
            let seen = seen(quality);
            let (over, begins) = (seen.over(Some(Wall(0))), seen.not_begun(Some(Wall(1_900_000_000_000))));
            assert_eq!(matches!(over, WayError::Clock(_)), over_waits, "{over}");
            assert_eq!(matches!(begins, WayError::Clock(_)), begins_waits, "{begins}");
            assert!(
                over.to_string().contains("ended on 1970-01-01") && over.to_string().contains("2026-11-20"),
                "{over}"
            );
            assert!(begins.to_string().contains("begins on 2030-03-17 only"), "{begins}");
        }
        let unset = seen(ClockQuality::Unset).over(None).to_string();
        assert!(unset.contains("the clock of this gateway is not set: it shows 2026-11-20; set it"), "{unset}");
    }

    #[test]
    fn an_alert_says_whose_certificate_it_is_about() {
        let alerted = |seen: &Seen, alert| seen.alerted(alert).to_string();
        let none = Seen { asked: true, ..seen(ClockQuality::Set) };
        for alert in [AlertDescription::CertificateRequired, AlertDescription::HandshakeFailure] {
            assert!(alerted(&none, alert).contains("wants to see a certificate of this gateway"), "{alert:?}");
        }
        let unasked = seen(ClockQuality::Set);
        assert!(alerted(&unasked, AlertDescription::HandshakeFailure).contains("no kind of TLS in common"));
        let over = Seen { own: true, own_until: Some(Wall(0)), ..none };
        let told = alerted(&over, AlertDescription::CertificateExpired);
        assert!(told.contains("our certificate is over; tls.certificate ended on 1970-01-01: renew it"), "{told}");
        let good = Seen { own_until: None, ..over };
        assert!(
            alerted(&good, AlertDescription::UnknownCA).contains("does not trust whoever vouches for our certificate")
        );
    }
}

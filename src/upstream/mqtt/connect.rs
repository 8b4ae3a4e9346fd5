//! How to connect: what CONNECT tells the broker of us.

use std::time::Duration;

use super::message::{Message, Unfit, fits_text};
use crate::model::Secret;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1
    Old,
    /// 5
    Five,
}

#[derive(Clone, Debug)]
pub struct Connect {
    pub version: Version,
    pub client_id: String,
    /// Forget what the broker holds of an earlier session.
    pub clean: bool,
    /// How long the broker holds the session without us; 3.1.1 has no such span: there it is held unless `clean`.
    pub session_expiry: Duration,
    /// At least a second. Two of them without a sign of the broker end the connection.
    pub keep_alive: Duration,
    pub will: Option<Message>,
    /// The broker waits so long for us before it tells the will; 3.1.1 does not wait.
    pub will_delay: Duration,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// How long CONNACK and SUBACK may take.
    pub patience: Duration,
}

impl Connect {
    pub fn new(client_id: impl Into<String>) -> Connect {
        Connect {
            version: Version::Five,
            client_id: client_id.into(),
            clean: false,
            session_expiry: Duration::from_secs(24 * 3600),
            keep_alive: Duration::from_secs(60),
            will: None,
            will_delay: Duration::ZERO,
            user: None,
            password: None,
            patience: Duration::from_secs(30),
        }
    }

    pub(super) fn check(&self) -> Result<(), Unfit> {
        fits_text("a client id", &self.client_id)?;
        fits_text("a user name", self.user.as_deref().unwrap_or_default())?;
        fits_text("a password", self.password.as_ref().map_or("", Secret::reveal))?;
        if let Some(will) = &self.will {
            will.check()?;
            // In CONNECT its payload has a length of 16 bits, as texts have.
            super::message::fits("the payload of a will", will.payload.len(), u16::MAX.into())?;
        }
        if self.client_id.is_empty() && !self.clean {
            return Err(Unfit::NoClientId);
        }
        let nobody = self.user.as_ref().is_none_or(String::is_empty);
        if self.version == Version::Old && self.password.is_some() && nobody {
            return Err(Unfit::NoUser);
        }
        Ok(())
    }

    /// As the packet has it: whole seconds.
    pub(super) fn keep_alive_seconds(&self) -> u16 {
        u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_broker_could_take_is_not_sent() {
        assert_eq!(Connect::new("a").check(), Ok(()));
        assert_eq!(Connect::new("").check(), Err(Unfit::NoClientId));
        assert_eq!(Connect { clean: true, ..Connect::new("") }.check(), Ok(()));
        let secret = Some(Secret::new("s".into()));
        let old = Connect { version: Version::Old, password: secret.clone(), ..Connect::new("a") };
        assert_eq!(old.check(), Err(Unfit::NoUser));
        assert_eq!(Connect { user: Some("u".into()), ..old }.check(), Ok(()));
        let long = Connect { will: Some(Message::new("a", vec![0; 70_000])), ..Connect::new("a") };
        assert!(matches!(long.check(), Err(Unfit::TooLong { what: "the payload of a will", .. })));
    }

    #[test]
    fn the_keep_alive_is_whole_seconds_and_at_least_one() {
        let seconds = |span| Connect { keep_alive: span, ..Connect::new("a") }.keep_alive_seconds();
        assert_eq!(seconds(Duration::from_millis(10)), 1);
        assert_eq!(seconds(Duration::from_secs(90)), 90);
        assert_eq!(seconds(Duration::from_secs(1 << 20)), u16::MAX);
    }
}

//! Why a broker refused or ended something: the reason codes of MQTT 5, each with what it means to a person.
//!
//! The few codes of 3.1.1 are brought to these. A code that nobody has defined is kept and shown as its number, so that a
//! newer broker never looks like a broken one.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reason(u8);

impl Reason {
    pub const SUCCESS: Reason = Reason(0x00);
    pub const NOBODY_LISTENS: Reason = Reason(0x10);
    pub const UNSPECIFIED: Reason = Reason(0x80);
    pub const MALFORMED: Reason = Reason(0x81);
    pub const PROTOCOL: Reason = Reason(0x82);
    pub const IMPLEMENTATION: Reason = Reason(0x83);
    pub const VERSION: Reason = Reason(0x84);
    pub const CLIENT_ID: Reason = Reason(0x85);
    pub const BAD_PASSWORD: Reason = Reason(0x86);
    pub const NOT_AUTHORISED: Reason = Reason(0x87);
    pub const UNAVAILABLE: Reason = Reason(0x88);
    pub const BUSY: Reason = Reason(0x89);
    pub const BANNED: Reason = Reason(0x8a);
    pub const SHUTTING_DOWN: Reason = Reason(0x8b);
    pub const KEEP_ALIVE: Reason = Reason(0x8d);
    pub const TAKEN_OVER: Reason = Reason(0x8e);
    pub const TOO_LARGE: Reason = Reason(0x95);
    pub const QUOTA: Reason = Reason(0x97);
    pub const QOS: Reason = Reason(0x9b);
    pub const USE_ANOTHER: Reason = Reason(0x9c);
    pub const MOVED: Reason = Reason(0x9d);

    pub fn of(code: u8) -> Reason {
        Reason(code)
    }

    /// What a broker of 3.1.1 answers a connection with.
    pub(super) fn of_old(code: u8) -> Reason {
        match code {
            0 => Reason::SUCCESS,
            1 => Reason::VERSION,
            2 => Reason::CLIENT_ID,
            3 => Reason::UNAVAILABLE,
            4 => Reason::BAD_PASSWORD,
            5 => Reason::NOT_AUTHORISED,
            _ => Reason::UNSPECIFIED,
        }
    }

    pub fn code(self) -> u8 {
        self.0
    }

    pub fn is_refusal(self) -> bool {
        self.0 >= 0x80
    }

    /// Somebody must change something, here or at the broker, before it goes better: to try again at once is of no use.
    pub fn needs_a_person(self) -> bool {
        let lasting = [Self::CLIENT_ID, Self::BAD_PASSWORD, Self::NOT_AUTHORISED, Self::BANNED, Self::MOVED];
        lasting.contains(&self) || matches!(self.0, 0x8c | 0x9a | 0x9b)
    }
}

const TEXTS: &[(u8, &str)] = &[
    (0x00, "success"),
    (0x04, "disconnected, and its will is told"),
    (0x10, "nobody listens to that topic"),
    (0x80, "refused, for a reason that it does not tell"),
    (0x81, "it takes what we sent for malformed"),
    (0x82, "it takes what we sent for a breach of the protocol"),
    (0x83, "it does not take this"),
    (0x84, "it does not speak this version of MQTT"),
    (0x85, "it does not take this client id"),
    (0x86, "the user name or the password is wrong"),
    (0x87, "not authorised"),
    (0x88, "it is not available"),
    (0x89, "it is busy"),
    (0x8a, "this client is banned"),
    (0x8b, "it is shutting down"),
    (0x8c, "it does not take this way of proving who one is"),
    (0x8d, "it heard nothing of us for longer than the keep-alive"),
    (0x8e, "another connection with the same client id has taken the session over"),
    (0x8f, "it does not take this topic filter"),
    (0x90, "it does not take this topic"),
    (0x91, "the packet id is in use"),
    (0x92, "it does not know the packet id"),
    (0x93, "more was sent at once than it takes"),
    (0x94, "it does not know the topic's alias"),
    (0x95, "the packet is larger than it takes"),
    (0x96, "more is sent than it takes in this time"),
    (0x97, "a quota is used up"),
    (0x98, "an administrator ended the connection"),
    (0x99, "the payload is not what its format says"),
    (0x9a, "it keeps no retained messages"),
    (0x9b, "it does not have this quality of service"),
    (0x9c, "another server is to be used for now"),
    (0x9d, "the server has moved"),
    (0x9e, "it has no shared subscriptions"),
    (0x9f, "connections come faster than it takes them"),
    (0xa0, "the connection has lasted as long as it may"),
    (0xa1, "it has no subscription identifiers"),
    (0xa2, "it has no wildcards in subscriptions"),
];

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TEXTS.iter().find(|(code, _)| *code == self.0) {
            Some((_, text)) => f.write_str(text),
            None => write!(f, "a reason that MQTT 5 does not define"),
        }?;
        write!(f, " (0x{:02x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_says_something_of_its_own_and_an_unknown_one_its_number() {
        let mut texts: Vec<&str> = TEXTS.iter().map(|(_, text)| *text).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), TEXTS.len());
        assert_eq!(Reason::of(0xfe).to_string(), "a reason that MQTT 5 does not define (0xfe)");
        assert_eq!(Reason::NOT_AUTHORISED.to_string(), "not authorised (0x87)");
    }

    #[test]
    fn codes_of_the_old_version_are_brought_to_the_new_ones() {
        assert_eq!(
            (0..7).map(|code| Reason::of_old(code).code()).collect::<Vec<_>>(),
            [0, 0x84, 0x85, 0x88, 0x86, 0x87, 0x80]
        );
    }

    #[test]
    fn who_is_refused_for_good_needs_a_person_and_who_is_busy_does_not() {
        assert!(Reason::BAD_PASSWORD.needs_a_person() && Reason::NOT_AUTHORISED.needs_a_person());
        assert!(!Reason::BUSY.needs_a_person() && !Reason::QUOTA.needs_a_person());
    }
}

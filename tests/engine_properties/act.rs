//! What may happen to the engine, by chance.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub enum Act {
    Sight {
        who: u8,
        place: u8,
    },
    Hear {
        device: u8,
    },
    Change {
        device: u8,
        points: u8,
    },
    Ask {
        who: u8,
        write: bool,
        own_id: Option<u8>,
        expires_s: u8,
        starts_s: u8,
    },
    /// One ask for several devices; each bit of `who` is one.
    AskMany {
        who: u8,
        what: u8,
        expires_s: u8,
    },
    /// What is dangerous: with the token that was given last, or without one.
    Reset {
        who: u8,
        with_token: bool,
    },
    Cancel {
        command: u8,
    },
    /// The link takes its next order, and executes it if it is a command.
    Take,
    /// The link takes its next order; if it is a command, nothing reaches the device.
    TakeInVain,
    Answer {
        outcome: u8,
        late: bool,
    },
    Up,
    Down,
    Ended,
    Pass {
        ms: u32,
    },
    /// Somebody sets the clock: by so many hours, either way.
    Step {
        hours: i8,
    },
    Restart {
        reboot: bool,
    },
    /// The next event is handled, and the machine dies before the commit.
    CrashAtNext,
    VitalFull(bool),
    /// The clock is set, or nobody knows the time.
    Known(bool),
    /// The device was asked and did not answer.
    Missed {
        device: u8,
    },
    Block {
        who: u8,
        seconds: u16,
    },
    Unblock {
        who: u8,
    },
    Maintenance {
        who: u8,
        seconds: Option<u16>,
        off: bool,
    },
    /// Switch it on or off, as a whole or in part.
    Switch {
        who: u8,
        part: bool,
        on: bool,
    },
    Desire {
        who: u8,
        value: Option<bool>,
    },
    Refuse {
        who: u8,
        back: bool,
    },
}

pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..4u8, 0..4u8).prop_map(|(who, place)| Act::Sight { who, place }),
        2 => (0..5u8).prop_map(|device| Act::Hear { device }),
        1 => (0..5u8, 1..4u8).prop_map(|(device, points)| Act::Change { device, points }),
        6 => (0..4u8, any::<bool>(), proptest::option::of(0..3u8), 1..20u8, 0..8u8)
            .prop_map(|(who, write, own_id, expires_s, starts_s)| Act::Ask { who, write, own_id, expires_s, starts_s }),
        3 => (1..64u8, 0..3u8, 1..20u8)
            .prop_map(|(who, what, expires_s)| Act::AskMany { who, what, expires_s }),
        2 => (0..4u8, any::<bool>()).prop_map(|(who, with_token)| Act::Reset { who, with_token }),
        3 => (0..20u8).prop_map(|command| Act::Cancel { command }),
        8 => Just(Act::Take),
        1 => Just(Act::TakeInVain),
        5 => (0..4u8, any::<bool>()).prop_map(|(outcome, late)| Act::Answer { outcome, late }),
        2 => Just(Act::Up),
        1 => Just(Act::Down),
        1 => Just(Act::Ended),
        3 => (1..30_000u32).prop_map(|ms| Act::Pass { ms }),
        1 => Just(Act::Pass { ms: 2 * 3_600_000 }),
        1 => (-4..5i8).prop_map(|hours| Act::Step { hours }),
        1 => any::<bool>().prop_map(|reboot| Act::Restart { reboot }),
        1 => Just(Act::CrashAtNext),
        1 => any::<bool>().prop_map(Act::VitalFull),
        1 => proptest::bool::weighted(0.8).prop_map(Act::Known),
        3 => (0..5u8).prop_map(|device| Act::Missed { device }),
        2 => (0..4u8, 0..600u16).prop_map(|(who, seconds)| Act::Block { who, seconds }),
        1 => (0..4u8).prop_map(|who| Act::Unblock { who }),
        1 => (0..4u8, proptest::option::of(0..600u16), any::<bool>())
            .prop_map(|(who, seconds, off)| Act::Maintenance { who, seconds, off }),
        1 => (0..4u8, any::<bool>(), any::<bool>()).prop_map(|(who, part, on)| Act::Switch { who, part, on }),
        2 => (0..4u8, proptest::option::of(any::<bool>())).prop_map(|(who, value)| Act::Desire { who, value }),
        1 => (0..4u8, any::<bool>()).prop_map(|(who, back)| Act::Refuse { who, back }),
    ]
}

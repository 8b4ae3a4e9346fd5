//! Packs of records, *vital* and *events*: what happened, under the numbers of the journal. Those of *vital* are signed.

use serde::{Deserialize, Serialize};

use super::cut::{Bound, NotMade, fitting};
use super::envelope::{Envelope, PUBLIC, seal};
use super::form::Form;
use super::packed::unpack;
use super::telemetry::Packed;
use super::tree::{from_cbor, from_json, to_cbor};
use super::{BadMessage, spelled};
use crate::model::record::Entry;
use crate::model::{Boot, ClockQuality, Mono, Record, Stream, Wall};
use crate::seal::OwnKey;
use crate::store::JournalId;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pack {
    #[serde(with = "spelled::journal")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub journal: JournalId,
    pub stream: Stream,
    /// This pack tells of all numbers from here to `last`: each is a record, or damaged.
    pub first: u64,
    pub last: u64,
    pub records: Vec<Told>,
    /// First and last number of what stands on the gateway's disk and cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Told {
    pub seq: u64,
    /// When it happened. Believe it as far as `clock` says.
    pub time: Wall,
    /// What the clock was worth then; absent: it was set.
    #[serde(default = "set", skip_serializing_if = "is_set")]
    pub clock: ClockQuality,
    pub boot: Boot,
    /// Milliseconds since that boot.
    pub mono: Mono,
    pub record: Record,
}

fn set() -> ClockQuality {
    ClockQuality::Set
}

fn is_set(clock: &ClockQuality) -> bool {
    *clock == ClockQuality::Set
}

/// A part of a stream, as the store gave it: everything from `first` up to, and without, `next`.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub journal: JournalId,
    pub stream: Stream,
    pub first: u64,
    pub next: u64,
    pub entries: &'a [(u64, Entry)],
    pub damaged: &'a [(u64, u64)],
}

/// The next pack: as much of the part as fits. With a key it is signed.
pub fn pack(part: &Part, form: Form, most: usize, key: Option<&OwnKey>) -> Result<Packed, NotMade> {
    if part.entries.is_empty() && part.damaged.is_empty() {
        return Err(NotMade::Empty);
    }
    let bound = Bound { most, is_packed: form.is_packed() };
    let number = part.entries.first().map_or(part.first, |(seq, _)| *seq);
    // A pack that tells only of damage is one thing too.
    let all = part.entries.len().max(1);
    let (count, bytes) = fitting(all, bound, number, |count| spelled_as(&part.pack(count), form, key))?;
    Ok(Packed { first: part.first, next: part.end(count), bytes })
}

impl Part<'_> {
    /// The number after a pack of so many entries.
    fn end(&self, count: usize) -> u64 {
        self.entries.get(count).map_or(self.next, |(seq, _)| *seq)
    }

    fn pack(&self, count: usize) -> Pack {
        let told = |(seq, entry): &(u64, Entry)| Told {
            seq: *seq,
            time: entry.at.wall,
            clock: entry.at.quality,
            boot: entry.at.boot,
            mono: entry.at.mono,
            record: entry.record.clone(),
        };
        let next = self.end(count);
        Pack {
            journal: self.journal,
            stream: self.stream,
            first: self.first,
            last: next.saturating_sub(1),
            records: self.entries.iter().take(count).map(told).collect(),
            damaged: self
                .damaged
                .iter()
                .copied()
                .filter(|(first, last)| *last >= self.first && *first < next)
                .collect(),
        }
    }
}

fn spelled_as(pack: &Pack, form: Form, key: Option<&OwnKey>) -> Result<Vec<u8>, BadMessage> {
    match key {
        None => spelled_in(pack, form),
        Some(key) => spelled_in(&seal(serde_json::to_string(pack)?, key.public(), |bytes| key.sign(bytes)), form),
    }
}

/// Before it is packed.
pub(super) fn spelled_in(message: &impl Serialize, form: Form) -> Result<Vec<u8>, BadMessage> {
    match form.is_cbor() {
        true => Ok(to_cbor(&serde_json::to_value(message)?)),
        false => Ok(serde_json::to_vec(message)?),
    }
}

/// Of any message: its tree.
pub(super) fn tree_of(bytes: &[u8], form: Form) -> Result<serde_json::Value, BadMessage> {
    let bytes = unpack(bytes, form.is_packed())?;
    if form.is_cbor() { from_cbor(&bytes) } else { from_json(&bytes) }
}

impl Pack {
    /// One that nobody signed.
    pub fn read(bytes: &[u8], form: Form) -> Result<Pack, BadMessage> {
        Pack::of(tree_of(bytes, form)?)
    }

    /// One that the gateway with this key signed. Without a key what stands there is believed as it is.
    pub fn read_signed(bytes: &[u8], form: Form, key: Option<[u8; PUBLIC]>) -> Result<Pack, BadMessage> {
        let tree = tree_of(bytes, form)?;
        if key.is_none() && tree.get("says").is_none() {
            return Pack::of(tree);
        }
        let envelope = Envelope::deserialize(&tree)?;
        let says = match key {
            Some(key) => envelope.open(|_| Some(key))?,
            None => &envelope.says,
        };
        Pack::of(from_json(says.as_bytes())?)
    }

    fn of(tree: serde_json::Value) -> Result<Pack, BadMessage> {
        let pack: Pack = serde_json::from_value(tree)?;
        let inside = |seq: u64| (pack.first..=pack.last).contains(&seq);
        let rising = pack.records.windows(2).all(|pair| pair[0].seq < pair[1].seq);
        if !rising || !pack.records.iter().all(|told| inside(told.seq)) {
            return Err(BadMessage::wrong("the numbers of a pack rise from its first to its last"));
        }
        Ok(pack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Now;
    use crate::seal::Seal;

    fn entries(count: u64) -> Vec<(u64, Entry)> {
        let entry = |seq| {
            let at =
                Now { mono: Mono(seq), boot: Boot(2), wall: Wall(1_700_000_000_000 + seq), quality: ClockQuality::Set };
            (seq, Entry { at, of: None, record: Record::Settings { says: format!("version {seq}") } })
        };
        (1..=count).map(entry).collect()
    }

    fn part<'a>(entries: &'a [(u64, Entry)], damaged: &'a [(u64, u64)], next: u64) -> Part<'a> {
        Part { journal: JournalId([5; 16]), stream: Stream::Events, first: 1, next, entries, damaged }
    }

    #[test]
    fn a_pack_comes_back_in_every_form() {
        let mut entries = entries(40);
        entries[3].1.at.quality = ClockQuality::Unset;
        let part = part(&entries, &[(41, 43)], 44);
        for form in Form::ALL {
            let packed = pack(&part, form, 100_000, None).unwrap();
            assert_eq!((packed.first, packed.next), (1, 44));
            assert_eq!(Pack::read(&packed.bytes, form).unwrap(), part.pack(40), "{form}");
        }
    }

    #[test]
    fn packs_keep_their_bound_and_leave_nothing_out() {
        let entries = entries(300);
        let damaged = [(301, 302)];
        for form in Form::ALL {
            let (mut from, mut seen) = (1, Vec::new());
            while from < 303 {
                let rest = &entries[(from as usize - 1).min(300)..];
                let part = Part { first: from, ..part(rest, &damaged, 303) };
                let packed = pack(&part, form, 2_000, None).unwrap();
                assert!(packed.bytes.len() <= 2_000 && packed.next > from);
                let read = Pack::read(&packed.bytes, form).unwrap();
                assert_eq!((read.first, read.last), (from, packed.next - 1));
                assert_eq!(read.damaged.is_empty(), packed.next < 303);
                seen.extend(read.records.into_iter().map(|told| told.seq));
                from = packed.next;
            }
            assert_eq!(seen, (1..=300).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_record_that_alone_is_too_large_is_named() {
        let mut entries = entries(3);
        entries[0].1.record = Record::Settings { says: "x".repeat(5_000) };
        let error = pack(&part(&entries, &[], 4), Form::Json, 2_000, None).unwrap_err();
        assert!(matches!(error, NotMade::TooLarge(large) if large.number == 1 && large.bytes > 5_000));
        assert!(matches!(pack(&part(&[], &[], 1), Form::Json, 2_000, None), Err(NotMade::Empty)));
        let damage = pack(&part(&[], &[(1, 3)], 4), Form::Json, 2_000, None).unwrap();
        assert_eq!(Pack::read(&damage.bytes, Form::Json).unwrap().damaged, [(1, 3)]);
    }

    #[test]
    fn what_is_signed_is_believed_of_its_gateway_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = OwnKey::of_gateway(folder.path(), &Seal::new(&[1; 32])).unwrap();
        let public: [u8; PUBLIC] = key.public().try_into().unwrap();
        let entries = entries(2);
        for form in Form::ALL {
            let packed = pack(&part(&entries, &[], 3), form, 10_000, Some(&key)).unwrap();
            assert_eq!(Pack::read_signed(&packed.bytes, form, Some(public)).unwrap().records.len(), 2);
            assert_eq!(Pack::read_signed(&packed.bytes, form, None).unwrap().records.len(), 2);
            assert!(Pack::read_signed(&packed.bytes, form, Some([1; PUBLIC])).is_err());
            assert!(Pack::read(&packed.bytes, form).is_err());
            let unsigned = pack(&part(&entries, &[], 3), form, 10_000, None).unwrap();
            assert!(Pack::read_signed(&unsigned.bytes, form, Some(public)).is_err());
        }
    }

    #[test]
    fn numbers_that_fall_or_lie_outside_are_refused() {
        let entries = entries(2);
        let good = part(&entries, &[], 3).pack(2);
        let read = |pack: &Pack| Pack::read(&serde_json::to_vec(pack).unwrap(), Form::Json);
        assert!(read(&good).is_ok());
        let mut falling = good.clone();
        falling.records.reverse();
        let outside = Pack { last: 1, ..good };
        assert!(read(&falling).is_err() && read(&outside).is_err());
    }
}

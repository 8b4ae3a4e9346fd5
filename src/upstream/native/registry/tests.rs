//! The registry from gateway to manager: everything, only what changed, and only what was missed.

use super::*;
use crate::model::device::DeviceNow;
use crate::model::{Device, IdentityKind, Now, Point, Proof};
use crate::store::JournalId;
use crate::upstream::native::cut::NotMade;
use crate::upstream::native::form::Form;

const JOURNAL: JournalId = JournalId([9; 16]);

fn capabilities(points: usize) -> Arc<Capabilities> {
    let point = |no: usize| Point {
        no: PointNo(no as u16),
        path: format!("part.{no}.level").parse().unwrap(),
        kind: ValueKind::Float,
        unit: Some(Name::new("W").unwrap()),
        access: Access::Read,
        limits: None,
    };
    Arc::new(Capabilities { points: (0..points).map(point).collect(), ..Capabilities::default() })
}

fn device(no: u32, capabilities: &Arc<Capabilities>) -> DeviceNow {
    let identity = crate::model::Identity::new(IdentityKind::Serial, &format!("acme:{no}"), Proof::Seen).unwrap();
    let known = Device {
        identities: vec![identity.clone()],
        ..Device::new(DeviceNo(no), identity.urn(), LifeCycle::Managed, &Now::default())
    };
    DeviceNow::new(Arc::new(known), capabilities.clone())
}

/// The gateway's side: devices with the hash of each, and the digest kept along.
#[derive(Default)]
struct Gateway {
    devices: Vec<DeviceNow>,
    shapes: Shapes,
}

impl Gateway {
    fn of(count: u32) -> Gateway {
        let kinds = [capabilities(3), capabilities(7)];
        let devices = (0..count).map(|no| device(no, &kinds[no as usize % 2])).collect();
        Gateway { devices, shapes: Shapes::default() }
    }

    fn told(&mut self) -> Vec<(DeviceTold, Arc<Capabilities>)> {
        let told = |now: &DeviceNow| (DeviceTold::of(now, &mut self.shapes), now.capabilities.clone());
        self.devices.iter().map(told).collect()
    }

    fn digest(&mut self) -> Digest {
        Digest::of(self.told().iter().map(|(device, _)| device))
    }

    fn answer(&mut self, wanted: &Wanted, form: Form, most: usize) -> Vec<Vec<u8>> {
        let told = self.told();
        Pieces::of_buckets(JOURNAL, wanted, told.into_iter(), form, most).map(|piece| piece.unwrap()).collect()
    }
}

fn take(mirror: &mut Mirror, pieces: &[Vec<u8>], form: Form) {
    pieces.iter().for_each(|piece| mirror.take(Piece::read(piece, form).unwrap()));
}

fn held(mirror: &Mirror) -> Vec<DeviceTold> {
    let mut devices: Vec<DeviceTold> = mirror.devices().cloned().collect();
    devices.sort_by_key(|device| device.no);
    devices
}

#[test]
fn whoever_holds_nothing_asks_for_everything_and_has_it_in_every_form_and_size() {
    let mut gateway = Gateway::of(700);
    let digest = gateway.digest();
    for (form, most, at_least) in
        [(Form::Json, 100_000, 2), (Form::Json, 3_000, 60), (Form::Cbor, 2_000, 60), (Form::CborZstd, 100_000, 1)]
    {
        let mut mirror = Mirror::default();
        let wanted = mirror.misses(&digest);
        assert_eq!(wanted, Wanted::all());
        let pieces = gateway.answer(&wanted, form, most);
        assert!(pieces.len() >= at_least && pieces.iter().all(|piece| piece.len() <= most), "{}", pieces.len());
        take(&mut mirror, &pieces, form);
        assert_eq!(mirror.misses(&digest).0, Vec::<u8>::new());
        assert_eq!(held(&mirror), gateway.told().into_iter().map(|(device, _)| device).collect::<Vec<_>>());
        let (known, shape) = mirror.device(DeviceNo(5)).unwrap();
        assert_eq!((known.identities[0].as_str(), shape.unwrap().points.len()), ("serial:acme:5", 7));
    }
}

#[test]
fn whoever_missed_something_asks_for_just_those_buckets() {
    let mut gateway = Gateway::of(200);
    let mut mirror = Mirror::default();
    take(&mut mirror, &gateway.answer(&Wanted::all(), Form::Json, 100_000), Form::Json);
    // One goes, one comes, one is called otherwise; nobody tells.
    gateway.devices.remove(17);
    gateway.devices.push(device(200, &capabilities(3)));
    let mut named = Device::clone(&gateway.devices[50].device);
    named.name = Some(Name::new("pump").unwrap());
    gateway.devices[50].device = Arc::new(named);
    let digest = gateway.digest();
    let wanted = mirror.misses(&digest);
    assert!((1..=3).contains(&wanted.0.len()), "{wanted}");
    take(&mut mirror, &gateway.answer(&wanted, Form::Json, 1_500), Form::Json);
    assert!(mirror.misses(&digest).0.is_empty());
    assert!(mirror.device(DeviceNo(17)).is_none() && mirror.device(DeviceNo(200)).is_some());
}

#[test]
fn a_digest_is_kept_along_by_what_changes() {
    let mut gateway = Gateway::of(50);
    let told = gateway.told();
    let mut digest = Digest::default();
    told.iter().for_each(|(device, _)| digest.change(&device.id, None, Some(device.hash)));
    assert_eq!(digest, gateway.digest());
    digest.change(&told[0].0.id, Some(told[0].0.hash), None);
    gateway.devices.remove(0);
    assert_eq!((digest.devices, &digest), (49, &gateway.digest()));
    digest.change(&told[1].0.id, Some(told[1].0.hash), Some(Hash(1)));
    assert_ne!(digest, gateway.digest());
}

#[test]
fn what_changed_is_told_by_itself() {
    let mut gateway = Gateway::of(90);
    let mut mirror = Mirror::default();
    take(&mut mirror, &gateway.answer(&Wanted::all(), Form::Cbor, 100_000), Form::Cbor);
    let gone: Vec<DeviceId> = gateway.devices.drain(..40).map(|now| now.device.id.clone()).collect();
    gateway.devices.extend((90..150).map(|no| device(no, &capabilities(5))));
    let new = gateway.told().split_off(50);
    let pieces: Vec<Vec<u8>> =
        Pieces::of_changes(JOURNAL, new, gone, Form::Cbor, 3_000).map(|piece| piece.unwrap()).collect();
    assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= 3_000));
    take(&mut mirror, &pieces, Form::Cbor);
    assert!(mirror.misses(&gateway.digest()).0.is_empty());
}

#[test]
fn a_device_that_alone_is_too_large_is_named_and_the_rest_goes_on() {
    let mut gateway = Gateway::of(130);
    gateway.devices[60] = device(60, &capabilities(500));
    let told = gateway.told();
    let bucket = bucket_of(&told[60].0.id);
    for all in [true, false] {
        let pieces = match all {
            true => Pieces::of_buckets(JOURNAL, &Wanted::all(), told.clone().into_iter(), Form::Json, 3_000),
            false => Pieces::of_changes(JOURNAL, told.clone(), Vec::new(), Form::Json, 3_000),
        };
        let (mut mirror, mut large) = (Mirror::default(), Vec::new());
        for piece in pieces {
            match piece {
                Ok(bytes) => take(&mut mirror, &[bytes], Form::Json),
                Err(NotMade::TooLarge(one)) => large.push(one.number),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((large, held(&mirror).len()), (vec![60], 129));
        assert_eq!(mirror.misses(&gateway.digest()).0, [bucket]);
    }
}

#[test]
fn a_part_that_did_not_come_makes_nobody_go() {
    let mut gateway = Gateway::of(900);
    let mut mirror = Mirror::default();
    take(&mut mirror, &gateway.answer(&Wanted::all(), Form::Json, 1_500), Form::Json);
    let pieces = gateway.answer(&Wanted(vec![3]), Form::Json, 1_500);
    assert!(pieces.len() >= 3, "{}", pieces.len());
    take(&mut mirror, &[pieces[0].clone(), pieces[pieces.len() - 1].clone()], Form::Json);
    assert_eq!(mirror.devices().count(), 900);
    // The same, whole: one that the gateway does not know any more goes.
    gateway.devices.retain(|now| bucket_of(&now.device.id) != 3 || now.device.no.0 > 100);
    take(&mut mirror, &gateway.answer(&Wanted(vec![3]), Form::Json, 1_500), Form::Json);
    assert_eq!(mirror.devices().count(), gateway.devices.len());
}

#[test]
fn another_journal_begins_anew() {
    let mut gateway = Gateway::of(5);
    let mut mirror = Mirror::default();
    take(&mut mirror, &gateway.answer(&Wanted::all(), Form::Json, 100_000), Form::Json);
    let empty =
        Piece { journal: JournalId([1; 16]), devices: vec![], shapes: vec![], gone: vec![], whole: vec![], part: None };
    mirror.take(empty);
    assert_eq!(mirror.devices().count(), 0);
}

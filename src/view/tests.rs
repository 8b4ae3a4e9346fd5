//! What readers of the view see, and when.

use super::*;
use crate::model::*;

fn all() -> Reach {
    Reach::of(&Principal::local_root())
}

fn device(no: u32, id: &str) -> Arc<DeviceNow> {
    let place = Place { link: Name::new("plant").unwrap(), address: Address::new(&format!("place-{no}")).unwrap() };
    let device = Device {
        name: Name::new(&format!("name-{no}")).ok(),
        place: Some(place),
        ..Device::new(DeviceNo(no), DeviceId::new(id).unwrap(), LifeCycle::Managed, &Now::default())
    };
    Arc::new(DeviceNow::new(Arc::new(device), Arc::default()))
}

fn command(id: &str, state: CommandState) -> Arc<Command> {
    let (whom, id) = (Whom::Many(Arc::from([])), CommandId::new(id).unwrap());
    let command = Command::new(CommandNo(1), id, Name::new("p").unwrap(), whom, Operation::Probe, Now::default());
    Arc::new(Command { state, ..command })
}

fn plant() -> View {
    let view = View::default();
    let ids = ["urn:dev:dmgw:serial:acme:meter-1", "urn:dev:dmgw:serial:acme:meter-10", "urn:dev:dmgw:place:a/7"];
    view.publish_devices(ids.iter().enumerate().map(|(no, id)| device(no as u32 * 10, id)));
    view
}

#[test]
fn a_device_is_found_as_people_name_it() {
    let view = plant();
    let found = |word| view.find(word, &all()).map(|device| device.device.no.0);
    assert_eq!(found("urn:dev:dmgw:serial:acme:meter-1"), Ok(0));
    assert_eq!(found("10"), Ok(10));
    assert_eq!(found("name-20"), Ok(20));
    assert_eq!(found("place-10"), Ok(10));
    assert_eq!(found("meter-10"), Ok(10));
    assert_eq!(found("a/7"), Ok(20));
    assert_eq!(found("meter-1"), Ok(0), "the one that ends in it");
}

#[test]
fn a_word_for_no_device_or_for_several_says_which_it_could_be() {
    let view = plant();
    let near = DeviceId::new("urn:dev:dmgw:serial:acme:meter-1").unwrap();
    assert_eq!(view.find("metre-1", &all()), Err(NoDevice::Unknown(Some(near))));
    assert_eq!(view.find("pump", &all()), Err(NoDevice::Unknown(None)));
    let Err(NoDevice::Several(some)) = view.find("acme", &all()) else { panic!() };
    assert_eq!(some.len(), 2);
}

#[test]
fn a_page_of_devices_goes_on_where_the_last_one_ended() {
    let view = plant();
    let numbers =
        |after, limit| -> Vec<u32> { view.devices(after, limit).iter().map(|device| device.device.no.0).collect() };
    assert_eq!(numbers(None, 2), [0, 10]);
    assert_eq!(numbers(Some(DeviceNo(10)), 2), [20]);
    assert_eq!(numbers(Some(DeviceNo(11)), 2), [20]);
    assert_eq!(numbers(Some(DeviceNo(20)), 2), [0; 0]);
}

#[test]
fn a_changed_device_is_seen_by_number_and_by_id_and_the_others_are_not_stored_again() {
    let view = plant();
    let other = view.numbered(DeviceNo(10)).unwrap();
    let mut changed = DeviceNow::clone(&view.numbered(DeviceNo(0)).unwrap());
    changed.live.heard = Some(Mono(7));
    let id = changed.device.id.clone();
    view.publish_devices([Arc::new(changed)]);
    assert_eq!(view.numbered(DeviceNo(0)).unwrap().live.heard, Some(Mono(7)));
    assert_eq!(view.device(&id).unwrap().live.heard, Some(Mono(7)));
    assert!(Arc::ptr_eq(&other, &view.numbered(DeviceNo(10)).unwrap()));
}

#[test]
fn a_device_that_comes_and_changes_in_one_batch_is_there_once() {
    let view = View::default();
    view.publish_devices([device(1, "urn:a"), device(1, "urn:a"), device(0, "urn:b")]);
    assert_eq!(view.devices(None, 9).iter().map(|d| d.device.no.0).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_forgotten_device_is_gone_by_number_and_by_id_and_may_come_again() {
    let view = plant();
    let id = view.numbered(DeviceNo(10)).unwrap().device.id.clone();
    view.forget_devices(&[DeviceNo(10), DeviceNo(99)]);
    assert!(view.numbered(DeviceNo(10)).is_none() && view.device(&id).is_none());
    assert_eq!(view.devices(None, 9).iter().map(|d| d.device.no.0).collect::<Vec<_>>(), [0, 20]);
    view.publish_devices([device(30, id.as_str())]);
    assert_eq!(view.device(&id).unwrap().device.no, DeviceNo(30));
}

#[test]
fn a_page_of_those_that_fit_is_as_long_as_asked() {
    let view = plant();
    let late = |device: &DeviceNow| device.device.no.0 > 0;
    let numbers = |after, limit| -> Vec<u32> {
        view.devices_that(late, after, limit).iter().map(|device| device.device.no.0).collect()
    };
    assert_eq!((numbers(None, 1), numbers(Some(DeviceNo(10)), 9)), (vec![10], vec![20]));
}

#[test]
fn open_commands_are_listed_in_their_order_and_ended_ones_are_not() {
    let view = View::default();
    let numbered = |no: u64, state| {
        let command = Command::clone(&command(&format!("c-{no}"), state));
        Arc::new(Command { no: CommandNo(no), ..command })
    };
    let all = [(9, CommandState::Queued), (2, CommandState::Sent), (3, CommandState::Done)];
    view.publish_commands(all.into_iter().map(|(no, state)| numbered(no, state)).collect(), Vec::new());
    assert_eq!(view.open_commands().iter().map(|command| command.no.0).collect::<Vec<_>>(), [2, 9]);
}

#[test]
fn a_forgotten_command_is_gone() {
    let view = View::default();
    let id = CommandId::new("c-1").unwrap();
    view.publish_commands(vec![command("c-1", CommandState::Done)], Vec::new());
    assert_eq!((view.count_commands(), view.command(&id).is_some()), (1, true));
    view.publish_commands(Vec::new(), vec![id.clone()]);
    assert_eq!((view.count_commands(), view.command(&id).is_some()), (0, false));
}

#[tokio::test]
async fn whoever_waits_for_a_command_is_woken_by_its_end() {
    let view = Arc::new(View::default());
    view.publish_commands(vec![command("c-1", CommandState::Sent)], Vec::new());
    let id = CommandId::new("c-1").unwrap();
    let waiting = tokio::spawn({
        let (view, id) = (view.clone(), id.clone());
        async move { view.ended(&id, Duration::from_secs(60)).await.unwrap() }
    });
    tokio::task::yield_now().await;
    view.publish_commands(vec![command("c-2", CommandState::Done)], Vec::new());
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    view.publish_commands(vec![command("c-1", CommandState::Failed)], Vec::new());
    assert_eq!(waiting.await.unwrap(), Known::Ended(CommandNo(1)));
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_for_an_unknown_command_at_once() {
    let view = View::default();
    view.publish_commands(vec![command("c-1", CommandState::Sent)], Vec::new());
    let known = view.ended(&CommandId::new("c-1").unwrap(), Duration::from_millis(5)).await.unwrap();
    assert!(matches!(known, Known::Open(_)));
    assert!(view.ended(&CommandId::new("c-9").unwrap(), Duration::MAX).await.is_none());
}

#[tokio::test]
async fn nobody_waits_while_the_daemon_stops() {
    let view = View::default();
    view.publish_commands(vec![command("c-1", CommandState::Sent)], Vec::new());
    view.release_waiters();
    let known = view.ended(&CommandId::new("c-1").unwrap(), Duration::MAX).await.unwrap();
    assert!(matches!(known, Known::Open(_)));
}

#[test]
fn a_device_is_found_by_each_of_its_identities_unless_two_have_it() {
    let view = View::default();
    let with = |no: u32, values: &[&str]| {
        let identity = |value: &&str| Identity::new(IdentityKind::Endpoint, value, Proof::Claimed).unwrap();
        let mut device = device(no, &format!("urn:x:{no}")).as_ref().clone();
        Arc::make_mut(&mut device.device).identities = values.iter().map(identity).collect();
        Arc::new(device)
    };
    view.publish_devices([with(0, &["node-7", "shared"]), with(1, &["node-8", "shared"])]);
    let found = |word| view.find(word, &all()).map(|device| device.device.no.0);
    assert_eq!((found("node-7"), found("node-8")), (Ok(0), Ok(1)));
    assert!(found("shared").is_err());
}

#[test]
fn a_name_that_two_have_is_not_taken_for_the_first() {
    use crate::model::*;
    let view = View::default();
    let named = |no: u32| {
        let mut device = device(no, &format!("urn:x:{no}")).as_ref().clone();
        let inner = std::sync::Arc::make_mut(&mut device.device);
        inner.name = Some(Name::new("pump").unwrap());
        std::sync::Arc::new(device)
    };
    view.publish_devices([named(0), named(1)]);
    assert!(
        matches!(view.find("pump", &all()), Err(NoDevice::Several(_))),
        "{:?}",
        view.find("pump", &all()).map(|it| it.device.no)
    );
}

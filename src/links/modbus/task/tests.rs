//! Operations as writes and reads.

use super::*;
use crate::model::Component;
use crate::profile::modbus::capabilities_of;
use crate::profile::text::ready;

const BOARD: &str = "[profile.board]\n[profile.board.modbus]\nbase = 1\n[profile.board.point]\n\
    \"relay.1.on\" = { modbus = { coil = 1, read_back = true }, access = \"read-write\" }\n\
    \"line.baud\" = { modbus = { holding = 21 }, access = \"read-write\", enum = { 2 = \"9600\", 3 = \"19200\" } }\n\
    \"line.unit\" = { modbus = { holding = 22, bits = \"0-7\" }, access = \"read-write\", min = 1, max = 247 }\n\
    \"test.state\" = { modbus = { input = 5 } }\n\"test.double\" = { sum = [\"test.state\", \"test.state\"] }\n\
    [profile.board.operation]\n\
    restart.modbus = [{ for = \"relay/1\", coil = 9, value = true }, { for = \"relay\", holding = 40, value = 2 }, \
    { holding = 40, value = 1, pause = \"2s\" }, { holding = 41, type = \"u32\", value = 70000 }]\n\
    factory-reset.modbus = { holding = 50, value = [1, 2, 0xffff] }\n\
    self-test.modbus = [{ point = \"relay.1.on\", value = true }, { read = [\"test.state\", \"test.double\"] }]\n\
    connectivity-set.modbus = [{ for = \"baud\", point = \"line.baud\" }, { for = \"unit\", holding = 22 }]\n\
    connectivity-get.modbus = { read = [\"line.baud\"] }\n\
    power-mode.modbus = { for = \"eco\", coil = 3, value = false }\n\
    set-clock.modbus = [{ holding = 60, type = \"cp56\" }, \
    { holding = 70, value = [1003, \"year\", \"month\", \"day\", \"hour\", \"minute\", \"second\", \"weekday\"] }]\n";

fn asked(operation: &str, now: Option<Wall>) -> Result<Vec<Task>, Refused> {
    let shaped = ready(BOARD).unwrap_or_else(|wrong| panic!("{wrong}")).pop_first().unwrap().1;
    let operation: Operation = serde_json::from_str(operation).unwrap();
    tasks(&shaped, &capabilities_of(&shaped.profile), &operation, now)
}

fn written(operation: &str) -> Vec<Writing> {
    let writing = |task| match task {
        Task::Write { writing, .. } => Some(writing),
        _ => None,
    };
    asked(operation, None).unwrap().into_iter().filter_map(writing).collect()
}

fn refusal(operation: &str) -> String {
    asked(operation, None).unwrap_err().to_string()
}

#[test]
fn steps_follow_each_other_with_their_pauses() {
    let tasks = asked(r#"{"restart":{}}"#, None).unwrap();
    let write = |writing| Task::Write { writing, read_back: None };
    let wide = Writing::Registers { at: 40, values: vec![1, 4_464] };
    let one = Writing::Register { at: 39, value: 1 };
    assert_eq!(tasks, [write(one), Task::Wait(Duration::from_secs(2)), write(wide)]);
    assert_eq!(written("\"factory-reset\""), [Writing::Registers { at: 49, values: vec![1, 2, 0xffff] }]);
}

#[test]
fn a_part_has_steps_of_its_own_and_one_without_is_not_supported() {
    let part = |component: &str| written(&format!(r#"{{"restart":{{"part":{component}}}}}"#));
    assert_eq!(part(r#"{"instance":{"name":"relay","instance":1}}"#), [Writing::Coil { at: 8, on: true }]);
    assert_eq!(part(r#"{"component":"relay"}"#), [Writing::Register { at: 39, value: 2 }]);
    let other =
        Operation::Restart { part: Part::Instance(Component { name: Name::new("relay").unwrap(), instance: 2 }) };
    let says = refusal(&serde_json::to_string(&other).unwrap());
    assert!(says.contains("board says no registers for restart relay/2; did you mean relay/1?"), "{says}");
    assert!(refusal("\"erase\"").contains("no registers for erase"));
}

#[test]
fn settings_go_where_they_are_for_as_the_profile_means_them() {
    let set = |settings: &str| format!(r#"{{"connectivity-set":{{"settings":{settings}}}}}"#);
    assert_eq!(written(&set(r#"{"baud":"19200"}"#)), [Writing::Register { at: 20, value: 3 }]);
    assert_eq!(written(&set(r#"{"unit":17}"#)), [Writing::Register { at: 21, value: 17 }]);
    assert!(refusal(&set(r#"{"baud":"1200"}"#)).contains("line.0.baud is one of 9600, 19200"));
    assert!(refusal(&set(r#"{"unit":17,"bau":"9600"}"#)).contains("did you mean baud?"), "all or nothing");
    assert_eq!(written(r#"{"power-mode":{"mode":"eco"}}"#), [Writing::Coil { at: 2, on: false }]);
    assert!(refusal(r#"{"power-mode":{"mode":"full"}}"#).contains("no registers for power-mode full"));
}

#[test]
fn what_is_read_is_what_the_link_gives() {
    let state: PointPath = "test.state".parse().unwrap();
    let tasks = asked("\"self-test\"", None).unwrap();
    assert_eq!(tasks.last(), Some(&Task::Read(vec![state])), "a sum is read by what it is made of");
    assert!(matches!(&tasks[0], Task::Write { writing: Writing::Coil { at: 0, on: true }, read_back: Some(_) }));
    assert_eq!(asked("\"connectivity-get\"", None), Ok(vec![Task::Read(vec!["line.baud".parse().unwrap()])]));
}

#[test]
fn the_clock_is_set_in_whatever_packing_if_it_is_known() {
    // 2024-02-29, a Thursday, 23:59:58.250.
    let tasks = asked("\"set-clock\"", Some(Wall(1_709_251_198_250))).unwrap();
    let writings: Vec<&Task> = tasks.iter().collect();
    let write = |at, values| Task::Write { writing: Writing::Registers { at, values }, read_back: None };
    assert_eq!(*writings[0], write(59, vec![24, 0x021d, 0x173b, 58_250]));
    assert_eq!(*writings[1], write(69, vec![1_003, 2024, 2, 29, 23, 59, 58, 4]));
    assert!(refusal("\"set-clock\"").contains("the clock of the gateway is not set"));
}

#[test]
fn a_point_is_written_as_the_link_knows_it() {
    let write = |point: &str, value: &str| format!(r#"{{"write":{{"point":"{point}","value":{value}}}}}"#);
    let unit = Writing::Change { at: 21, bits: vec![(0xff00, 17)], multiple: false };
    assert_eq!(written(&write("line.unit", "17")), [unit]);
    assert!(
        refusal(&write("line.unit", "300")).contains("line.0.unit: 300 does not fit its register, which is bits 0-7")
    );
    assert!(refusal(&write("test.state", "1")).contains("input can only be read"));
    assert!(refusal(&write("test.nobody", "1")).contains("test.0.nobody has no registers"));
}

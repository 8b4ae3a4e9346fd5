//! Whatever happens between the machine and a broker, in whatever order: no message is lost in silence, told of twice, or
//! out of order, none that came is acknowledged before it is safe; and the record that says so finds what is broken on purpose.

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Act, Sabotage, Trial};
use super::*;

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (prop::bool::weighted(0.8), 0u16..300).prop_map(|(acknowledged, size)| Act::Publish { acknowledged, size }),
        1 => (any::<bool>(), any::<u16>()).prop_map(|(acknowledged, size)| Act::Publish { acknowledged, size }),
        6 => (0u16..200).prop_map(Act::Up),
        3 => Just(Act::Up(u16::MAX)),
        6 => (0u16..20).prop_map(Act::Down),
        3 => Just(Act::Down(u16::MAX)),
        8 => (0u8..4, prop::bool::weighted(0.1)).prop_map(|(which, refuse)| Act::Answer { which, refuse }),
        3 => (0u64..40).prop_map(|seconds| Act::Pass(Duration::from_secs(seconds))),
        2 => any::<bool>().prop_map(|keep| Act::Cut { keep }),
        1 => Just(Act::Bye),
        1 => Just(Act::HandBack),
        4 => Just(Act::Send),
        3 => any::<u8>().prop_map(Act::Take),
    ]
}

fn judged(old: bool, sabotage: Sabotage, acts: &[Act]) -> Result<usize, String> {
    let mut trial = Trial::new(old, sabotage);
    acts.iter().cloned().for_each(|act| trial.act(act));
    trial.judged()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_message_ends_once_and_what_is_acknowledged_was_delivered(old: bool, acts in vec(act(), 0..200)) {
        let told = judged(old, Sabotage::Nothing, &acts);
        prop_assert!(told.is_ok(), "{}", told.unwrap_err());
    }
}

/// Some messages, an answer, a cut, and more.
fn day() -> Vec<Act> {
    let publish = Act::Publish { acknowledged: true, size: 10 };
    let all = [Act::Up(u16::MAX), Act::Down(u16::MAX), Act::Up(u16::MAX), Act::Take(0), Act::Take(0)];
    let first = [vec![publish; 5], all.to_vec(), vec![Act::Send; 2], all.to_vec()].concat();
    let half = [first, vec![Act::Answer { which: 1, refuse: false }], all.to_vec()];
    [half.concat(), vec![Act::Cut { keep: true }], half.concat()].concat()
}

#[test]
fn what_is_broken_on_purpose_is_found() {
    assert!(judged(false, Sabotage::Nothing, &day()).is_ok_and(|given| given >= 5));
    for (sabotage, found) in [
        (Sabotage::Forgets, "ended 0 times"),
        (Sabotage::Overruns, "beyond the window"),
        (Sabotage::Swaps, "out of order"),
        (Sabotage::Lies, "never came"),
        (Sabotage::Hasty, "before it was safe"),
    ] {
        let told = judged(false, sabotage, &day()).expect_err(found);
        assert!(told.contains(found), "{told}");
    }
}

#[test]
fn it_is_alive_to_the_end_of_a_long_run_in_both_versions() {
    for old in [false, true] {
        let given = judged(old, Sabotage::Nothing, &vec![day(); 50].concat()).unwrap();
        assert!(given > 90, "{given} messages went through");
    }
}

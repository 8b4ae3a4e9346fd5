//! `make bench` fails when it should: the judge of the benches, on made-up rows.

#[path = "../benches/judge.rs"]
mod judge;
#[path = "../benches/row.rs"]
mod row;

use row::{Floor, Floors, Row};

/// One row for each floor, each just met.
fn all_met() -> Vec<Row> {
    let floors = row::floors();
    let met = |(bench, floor): (&String, &Floor)| {
        let value = floor.at_most.or(floor.at_least).unwrap();
        // What is not exact in a division must not decide.
        let against = floor.ratio_at_least.map(|ratio| value / ratio * (1.0 - 1e-12));
        Row::new(bench, value, against, &[("seed", "1".into())])
    };
    floors.iter().map(met).collect()
}

fn faults(rows: &[Row], floors: &Floors) -> Vec<String> {
    let lines: Vec<String> = rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    judge::judge(&lines.join("\n"), floors).faults
}

#[test]
fn rows_that_just_reach_their_floors_pass() {
    let rows = all_met();
    assert!(rows.len() >= 10 && rows.iter().all(|row| row.met));
    assert_eq!(faults(&rows, &row::floors()), Vec::<String>::new());
}

#[test]
fn a_bench_that_did_not_run_is_missed() {
    let mut rows = all_met();
    let gone = rows.pop().unwrap();
    assert_eq!(faults(&rows, &row::floors()), [format!("{}: not measured", gone.bench)]);
    assert_eq!(faults(&[], &row::floors()).len(), row::floors().len());
}

#[test]
fn every_row_beyond_its_floor_is_found_whatever_it_says_of_itself() {
    for place in 0..all_met().len() {
        let mut rows = all_met();
        let floor = rows[place].floor.clone().unwrap();
        rows[place].value = match floor.at_most {
            // What must not be at all.
            Some(0.0) => 1.0,
            Some(_) => rows[place].value * 1.01,
            None => rows[place].value * 0.99,
        };
        rows[place].met = true;
        assert_eq!(faults(&rows, &row::floors()).len(), 1, "{}", rows[place].bench);
    }
}

#[test]
fn a_ratio_too_small_or_not_measured_is_found() {
    let least = Floor { ratio_at_least: Some(0.5), ..row::floors()["encode-and-commit"].clone() };
    assert!(least.met(3e6, Some(0.5)));
    assert!(!least.met(3e6, Some(0.49)) && !least.met(3e6, None) && !least.met(f64::NAN, Some(1.0)));
}

#[test]
fn a_row_without_a_floor_with_another_unit_or_no_row_at_all_is_found() {
    let stranger = Row::new("of-my-own", 1.0, None, &[]);
    assert!(!stranger.met);
    assert_eq!(faults(&[stranger], &Floors::new()), ["of-my-own: has no floor in benches/floors.toml"]);
    let mut rows = all_met();
    rows[0].unit = "furlongs".into();
    assert_eq!(faults(&rows, &row::floors()).len(), 1);
    assert_eq!(judge::judge("{}", &Floors::new()).faults.len(), 1);
}

#[test]
fn the_table_shows_ratio_met_and_the_settings() {
    let row = Row::new("encode-and-commit", 1e6, Some(4e6), &[("flush", "5s".into())]);
    let lines = serde_json::to_string(&row).unwrap();
    let table = judge::judge(&lines, &row::floors()).table;
    let last = table.lines().last().unwrap();
    for shown in ["encode-and-commit", "1000000", "4000000", "0.25", "NO", "flush=5s"] {
        assert!(last.contains(shown), "{shown} is not in {last}");
    }
}

//! From the lines that benches wrote and the floors they must reach to a table and a list of faults. Pure.
//!
//! A floor without a row is a fault, and so is a row without a floor: neither can get lost by a typing error.

use crate::row::{Floor, Floors, Row};

pub struct Verdict {
    pub table: String,
    pub faults: Vec<String>,
}

pub fn judge(written: &str, floors: &Floors) -> Verdict {
    let mut faults = Vec::new();
    let mut rows = Vec::new();
    for (i, line) in written.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Row>(line) {
            Ok(row) => rows.push(row),
            Err(e) => faults.push(format!("line {} of bench.jsonl is no row: {e}", i + 1)),
        }
    }
    for bench in floors.keys().filter(|bench| rows.iter().all(|row| row.bench != **bench)) {
        faults.push(format!("{bench}: not measured"));
    }
    faults.extend(rows.iter().filter_map(|row| fault(row, floors.get(&row.bench))));
    Verdict { table: table(&rows, floors), faults }
}

/// The floor is taken from the file, not from the row: the file may have changed since.
fn fault(row: &Row, floor: Option<&Floor>) -> Option<String> {
    let Some(floor) = floor else { return Some(format!("{}: has no floor in benches/floors.toml", row.bench)) };
    if row.unit != floor.unit {
        return Some(format!("{}: measured in {}, its floor is in {}", row.bench, row.unit, floor.unit));
    }
    let met = floor.met(row.value, row.ratio);
    (!met).then(|| format!("{}: {} {} is not {}", row.bench, number(row.value), row.unit, spelled(floor)))
}

fn table(rows: &[Row], floors: &Floors) -> String {
    let head = ["bench", "value", "unit", "against", "ratio", "floor", "met", "settings"].map(str::to_owned);
    let mut cells = vec![head];
    for row in rows {
        let floor = floors.get(&row.bench);
        let settings: Vec<String> = row.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        cells.push([
            row.bench.clone(),
            number(row.value),
            row.unit.clone(),
            row.against.map(number).unwrap_or_default(),
            row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            floor.map(spelled).unwrap_or_default(),
            if fault(row, floor).is_none() { "yes" } else { "NO" }.to_owned(),
            settings.join(" "),
        ]);
    }
    let widths: Vec<usize> =
        (0..8).map(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 8]| {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn spelled(floor: &Floor) -> String {
    let bound = |sign: &str, x: Option<f64>| x.map(|x| format!("{sign} {}", number(x)));
    let parts = [bound("<=", floor.at_most), bound(">=", floor.at_least), bound("ratio >=", floor.ratio_at_least)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn number(x: f64) -> String {
    if x.abs() >= 1000.0 { format!("{x:.0}") } else { format!("{x:.2}") }
}

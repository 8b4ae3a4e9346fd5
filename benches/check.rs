//! Judges what the benches wrote to `target/bench.jsonl` against `floors.toml`, and prints the table.

use std::process::ExitCode;

mod judge;
mod row;

fn main() -> ExitCode {
    let path = row::file();
    let written = match std::fs::read_to_string(&path) {
        Ok(written) => written,
        Err(e) => {
            eprintln!("cannot read {}: {e}; `make bench` writes it", path.display());
            return ExitCode::FAILURE;
        }
    };
    let verdict = judge::judge(&written, &row::floors());
    println!("{}", verdict.table);
    if verdict.faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{}", verdict.faults.join("\n"));
    ExitCode::FAILURE
}

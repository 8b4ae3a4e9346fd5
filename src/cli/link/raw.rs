//! `dmgw link raw`: one request by hand, in words or as bytes, and what came.

use std::time::Duration;

use super::of_link;
use crate::api::link::raw::Wanted;
use crate::api::shown::{RawShown, RawState};
use crate::cli::args::RawArgs;
use crate::cli::client::Client;
use crate::cli::table::{pairs, print, table, width};
use crate::cli::{CliError, Exit, print_json};
use crate::links::modbus::wire::{Request, Table, hex, of_hex, pdu_of};
use crate::nearest::nearest;

/// It goes out within ten seconds, and a unit may take a minute.
const LONGEST: Duration = Duration::from_secs(75);

/// What can be asked in words, and what stands behind.
pub const WORDS: [(&str, &str); 12] = [
    ("read-coils", "AT [COUNT]"),
    ("read-discrete", "AT [COUNT]"),
    ("read-holding", "AT [COUNT]"),
    ("read-input", "AT [COUNT]"),
    ("write-coil", "AT on|off"),
    ("write-coils", "AT on|off…"),
    ("write-register", "AT VALUE"),
    ("write-registers", "AT VALUE…"),
    ("mask-register", "AT AND OR"),
    ("identify", "[LEVEL [OBJECT]]"),
    ("server-id", ""),
    ("diagnose", "[TEST [DATA]]"),
];

pub const HELP: &str = "Requests:
  read-coils, read-discrete AT [COUNT]
  read-holding, read-input AT [COUNT]
  write-coil AT on|off             write-coils AT on|off…
  write-register AT VALUE          write-registers AT VALUE…
  mask-register AT AND OR          (becomes register & AND | OR & !AND)
  identify [LEVEL [OBJECT]]        (function 43/14)
  server-id                        (function 17)
  diagnose [TEST [DATA]]           (function 8; test 0 gives the data back)
  or as bytes: function and data in hex, without unit and checksum

AT counts from 0, as on the wire: what a document calls register 40001 is mostly holding register 0.
Numbers are decimal, or 0x and hex; what does not fit a register is refused.

No profile stands in between: no limit, no lock, no scale. To read takes the role operator; to write,
or to ask what is not known only to read, the role administrator; and all devices of the link in
scope. A record in `dmgw journal show vital` says who sent what, and what came.

Examples:
  dmgw link raw meters 7 read-holding 100 2
  dmgw link raw meters 7 write-register 100 7
  dmgw link raw meters 7 03 00 64 00 02";

pub async fn raw(client: &Client, args: &RawArgs, json: bool) -> Result<Exit, CliError> {
    let pdu = bytes(&args.request).map_err(|(says, hint)| CliError::Usage { says, hint })?;
    let wanted = Wanted { unit: args.unit, pdu: hex(&pdu) };
    let shown: RawShown = client.post(&of_link(&args.link, "/raw"), &wanted, LONGEST).await.map_err(unheard)?;
    let exit = match shown.state {
        RawState::Answered | RawState::Told => Exit::Done,
        RawState::Refused | RawState::Failed => Exit::Failed,
        RawState::Unknown => Exit::Unknown,
    };
    match json {
        true => print_json(&shown)?,
        false => {
            print(&told(&shown, width()));
            exit
        }
    };
    Ok(exit)
}

/// It goes to its end all the same.
fn unheard(error: CliError) -> CliError {
    match error {
        CliError::Told(mut told) if told.kind == "not-known" => {
            told.hint = "dmgw journal show vital tells what came of it".into();
            CliError::Told(told)
        }
        other => other,
    }
}

fn told(shown: &RawShown, width: usize) -> String {
    let came = shown.came.as_ref().map(|bytes| format!(" [{bytes}]")).unwrap_or_default();
    let what = match shown.state {
        RawState::Answered => "answered",
        RawState::Refused => "refused",
        RawState::Failed => "failed",
        RawState::Unknown => "unknown",
        RawState::Told => "told",
    };
    let sent = format!("unit {}: {} [{}]", shown.unit, shown.asked, shown.sent);
    let mut parts = vec![pairs(&[("sent", sent), (what, format!("{}{came}", shown.says))], width)];
    let register = |(at, value): (&u16, &u16)| {
        vec![at.to_string(), value.to_string(), (*value as i16).to_string(), format!("0x{value:04x}")]
    };
    if !shown.registers.is_empty() {
        let rows: Vec<_> = shown.registers.iter().map(register).collect();
        parts.push(table(&["AT", "VALUE", "SIGNED", "HEX"], &rows, width));
    }
    if !shown.bits.is_empty() {
        let bit = |(at, on): (&u16, &bool)| vec![at.to_string(), if *on { "on" } else { "off" }.to_owned()];
        parts.push(table(&["AT", "IS"], &shown.bits.iter().map(bit).collect::<Vec<_>>(), width));
    }
    if !shown.objects.is_empty() {
        let object = |(no, text): (&u8, &String)| vec![no.to_string(), text.clone()];
        parts.push(table(&["OBJECT", "TEXT"], &shown.objects.iter().map(object).collect::<Vec<_>>(), width));
    }
    parts.join("\n\n")
}

/// What goes out, or what is wrong and what would be right.
fn bytes(words: &[String]) -> Result<Vec<u8>, (String, String)> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (word, args) = words.split_first().map_or(("", &[][..]), |(word, args)| (*word, args));
    if let Some((word, form)) = WORDS.iter().find(|(known, _)| *known == word) {
        let hint = format!("write it as: {word} {form}").trim_end().to_owned();
        let wrong = |says: String| (format!("{word}: {says}"), hint.clone());
        let request = request(word, args).map_err(wrong)?;
        request.check().map_err(|bad| wrong(bad.to_string()))?;
        return Ok(pdu_of(&request));
    }
    // Bytes begin with digits of hex; no word has two of these and nothing else.
    match of_hex(&words.join(" ")) {
        Some(pdu) => Ok(pdu),
        None => Err(unknown(word)),
    }
}

fn unknown(word: &str) -> (String, String) {
    let hint = match nearest(word, WORDS.iter().map(|(known, _)| *known)) {
        Some(near) => format!("did you mean {near}?"),
        None => "dmgw link raw --help shows all requests; bytes are pairs of hex digits, such as 03 00 64 00 02".into(),
    };
    (format!("{word:?} is neither a request nor bytes in hex"), hint)
}

fn request(word: &str, args: &[&str]) -> Result<Request, String> {
    let read = |table| match args {
        [at] => Ok(Request::Read { table, at: number(at)?, count: 1 }),
        [at, count] => Ok(Request::Read { table, at: number(at)?, count: number(count)? }),
        _ => Err(such("an address, and how many", args)),
    };
    match (word, args) {
        ("read-coils", _) => read(Table::Coil),
        ("read-discrete", _) => read(Table::Discrete),
        ("read-holding", _) => read(Table::Holding),
        ("read-input", _) => read(Table::Input),
        ("write-coil", [at, on]) => Ok(Request::WriteCoil { at: number(at)?, on: bit(on)? }),
        ("write-coils", [at, on @ ..]) if !on.is_empty() => {
            Ok(Request::WriteCoils { at: number(at)?, on: on.iter().map(|on| bit(on)).collect::<Result<_, _>>()? })
        }
        ("write-register", [at, value]) => Ok(Request::WriteRegister { at: number(at)?, value: value_of(value)? }),
        ("write-registers", [at, values @ ..]) if !values.is_empty() => {
            let values = values.iter().map(|value| value_of(value)).collect::<Result<_, _>>()?;
            Ok(Request::WriteRegisters { at: number(at)?, values })
        }
        ("mask-register", [at, and, or]) => {
            Ok(Request::MaskWrite { at: number(at)?, and: value_of(and)?, or: value_of(or)? })
        }
        ("identify", []) => Ok(Request::Identify { level: 1, object: 0 }),
        ("identify", [level]) => Ok(Request::Identify { level: byte(level)?, object: 0 }),
        ("identify", [level, object]) => Ok(Request::Identify { level: byte(level)?, object: byte(object)? }),
        ("server-id", []) => Ok(Request::ServerId),
        ("diagnose", []) => Ok(Request::Diagnose { sub: 0, data: 0 }),
        ("diagnose", [sub]) => Ok(Request::Diagnose { sub: number(sub)?, data: 0 }),
        ("diagnose", [sub, data]) => Ok(Request::Diagnose { sub: number(sub)?, data: value_of(data)? }),
        _ => Err(such("other words behind it", args)),
    }
}

fn such(wants: &str, args: &[&str]) -> String {
    match args {
        [] => format!("takes {wants}; there is nothing"),
        [one] => format!("takes {wants}; there is only {one}"),
        _ => format!("takes {wants}; there are {} words", args.len()),
    }
}

fn whole(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok().filter(|number| *number >= 0),
        None => text.parse().ok(),
    }
}

fn number(text: &str) -> Result<u16, String> {
    let number = whole(text).and_then(|number| u16::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is no number from 0 to 65535"))
}

fn byte(text: &str) -> Result<u8, String> {
    let number = whole(text).and_then(|number| u8::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is no number from 0 to 255"))
}

/// What a register can hold, with a sign or without.
fn value_of(text: &str) -> Result<u16, String> {
    let fits =
        |number: i64| u16::try_from(number).ok().or_else(|| i16::try_from(number).ok().map(|signed| signed as u16));
    whole(text).and_then(fits).ok_or_else(|| format!("{text:?} does not fit a register: -32768 to 65535"))
}

fn bit(text: &str) -> Result<bool, String> {
    match text {
        "on" | "1" | "true" => Ok(true),
        "off" | "0" | "false" => Ok(false),
        other => Err(format!("{other:?} is neither on nor off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<String, (String, String)> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        bytes(&words).map(|pdu| hex(&pdu))
    }

    #[test]
    fn words_become_the_bytes_that_go_out() {
        for (line, pdu) in [
            ("read-coils 19 19", "01 00 13 00 13"),
            ("read-discrete 196 22", "02 00 c4 00 16"),
            ("read-holding 100 2", "03 00 64 00 02"),
            ("read-input 0x8", "04 00 08 00 01"),
            ("write-coil 172 on", "05 00 ac ff 00"),
            ("write-coils 19 1 0 1 1 0 0 1 1 1 0", "0f 00 13 00 0a 02 cd 01"),
            ("write-register 100 -1", "06 00 64 ff ff"),
            ("write-registers 1 10 0x102", "10 00 01 00 02 04 00 0a 01 02"),
            ("mask-register 4 0xf2 0x25", "16 00 04 00 f2 00 25"),
            ("identify 2", "2b 0e 02 00"),
            ("server-id", "11"),
            ("diagnose 0 0xa537", "08 00 00 a5 37"),
            ("03 00 64 00 02", "03 00 64 00 02"),
            ("0300640002", "03 00 64 00 02"),
            ("41", "41"),
        ] {
            assert_eq!(read(line).as_deref(), Ok(pdu), "{line}");
        }
    }

    #[test]
    fn slips_are_told_with_what_would_be_right() {
        for (line, says, hint) in [
            ("read-holdng 1", "neither a request nor bytes", "did you mean read-holding?"),
            ("read-holding", "there is nothing", "read-holding AT [COUNT]"),
            ("read-holding 0 126", "from 1 to 125", "AT [COUNT]"),
            ("read-holding 65535 2", "beyond address 65535", "AT"),
            ("read-holding 70000", "no number from 0 to 65535", "AT"),
            ("write-register 1 70000", "does not fit a register", "AT VALUE"),
            ("write-register 1 -40000", "does not fit a register", "AT VALUE"),
            ("write-register 1", "there is only 1", "AT VALUE"),
            ("write-coil 1 yes", "neither on nor off", "AT on|off"),
            ("server-id 1", "other words", "write it as: server-id"),
            ("identify 5", "levels 1 to 4", "[LEVEL"),
            ("03 0", "neither", "pairs of hex digits"),
            ("100", "neither", "pairs of hex digits"),
        ] {
            let (told, would) = read(line).unwrap_err();
            assert!(told.contains(says) && would.contains(hint), "{line}: {told}; {would}");
        }
    }

    #[test]
    fn every_word_is_in_the_help() {
        for (word, _) in WORDS {
            assert!(HELP.contains(word), "{word}");
        }
    }
}

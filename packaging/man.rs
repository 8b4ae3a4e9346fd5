//! Writes the man pages from the code: dmgw(1) and a page for each subcommand from the words of the command line,
//! dmgw.toml(5) from the keys of the settings and the profiles that are shipped. `cargo run --example man -- FOLDER`. It is no part of what is shipped.

use std::collections::BTreeMap;
use std::io::{Error, Result, Write};
use std::path::Path;

use clap::CommandFactory;
use dmgw::cli::Args;
use dmgw::config::gather::EXAMPLE;
use dmgw::config::teach;
use dmgw::profile::text::read;

const SEE_ALSO: &str = ".SH SEE ALSO\n.BR dmgw (1),\n.BR dmgw-config (1),\n.BR dmgw-check (1),\n.BR dmgw-profile (1)\n";

/// What `--json` prints. Stable: keys are added, never renamed or taken away without a word in the change log.
const JSON: &[(&str, &str)] = &[
    ("status", "how the gateway is, as GET /v1/status"),
    ("link list", "a list of links, as GET /v1/links; link show: one of them"),
    ("device list", "{\"devices\": [...]}, as GET /v1/devices, all pages in one"),
    ("device show", "the device with its \"detail\", as GET /v1/devices/{id}"),
    ("device log", "{\"device\", \"records\": [...]}, as GET /v1/devices/{id}/log"),
    ("device attempts", "a list, as GET /v1/attempts"),
    ("device register", "a line for each device: what became of it"),
    ("device adopt", "{\"name\", \"text\", \"file\"}"),
    ("point list", "{\"points\": [...]}, as GET /v1/points, all pages in one; point show: one of them"),
    ("read, write, command ask, command show", "the command, as GET /v1/commands/{id}"),
    ("command list", "{\"commands\": [...]}, as GET /v1/commands, all pages in one"),
    ("group list", "{\"groups\": [...]}, as GET /v1/groups; group show: as device list"),
    ("profile list --running", "{\"profiles\": [...]}, as GET /v1/profiles"),
    ("config show", "keys with \"value\" and \"origin\", as GET /v1/config"),
    ("config diff", "a list of {\"key\", \"before\", \"after\"}"),
    ("token create", "{\"token\", \"name\", \"role\", ...}, as POST /v1/tokens; the only time that the token is told"),
    ("token list", "{\"tokens\": [...]}, as GET /v1/tokens"),
    ("journal show", "a page of the stream, as GET /v1/journal/{stream}"),
    ("watch", "a line for each event: {\"event\", \"id\", \"data\"}"),
    ("export", "{\"text\"}"),
    ("bundle", "{\"file\", \"holds\": [...], \"missing\": [...]}"),
    ("check", "{\"settings\", \"right\", \"files\", \"faults\": [...]}"),
    ("any that fails", "{\"error\": {...}}, and an exit code that is not 0"),
];

#[allow(dead_code)] // The test of these pages takes the rest of the file.
fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| Error::other("name the folder for the pages"))?;
    write_all(Path::new(&folder))
}

pub fn write_all(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Args::command(), folder)?;
    let mut page = std::fs::OpenOptions::new().append(true).open(folder.join("dmgw.1"))?;
    page.write_all(json().as_bytes())?;
    std::fs::write(folder.join("dmgw.toml.5"), settings() + &profiles()? + SEE_ALSO)
}

fn json() -> String {
    let mut text = String::from(
        ".SH JSON\nWith --json a verb prints what the daemon gave. Times are milliseconds since 1970 in UTC, spans are seconds.\n",
    );
    for (verb, shape) in JSON {
        text.push_str(&format!(".TP\n{}\n{}\n", bold(verb), plain(shape)));
    }
    text + ".SH SEE ALSO\n.BR dmgw.toml (5)\n"
}

fn settings() -> String {
    let mut text = format!(".TH dmgw.toml 5 \"\" \"dmgw {}\"\n", env!("CARGO_PKG_VERSION"));
    text.push_str(".SH NAME\ndmgw.toml \\- the settings of dmgw\n.SH SYNOPSIS\n/etc/dmgw/dmgw.toml\n.SH DESCRIPTION\n");
    text.push_str("TOML. An unknown key is an error that names the place. Below a table in which names are chosen freely, such as link, the name stands between: [link.NAME].\n");
    text.push_str(".SH KEYS\n");
    for path in teach::paths() {
        let Ok(rows) = teach::explain(&path) else { continue };
        text.push_str(&format!(".TP\n{}\n", bold(&path)));
        for (what, told) in rows.iter().filter(|(what, _)| *what != "key") {
            match *what {
                "meaning" => text.push_str(&format!("{}\n", plain(told))),
                what => text.push_str(&format!(".br\n{what}: {}\n", plain(&told.replace('\n', " ")))),
            }
        }
    }
    text
}

/// What is shipped, by its name.
fn profiles() -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/profiles");
    let mut kinds = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(EXAMPLE) {
            kinds.extend(read(&std::fs::read_to_string(path)?).map_err(Error::other)?);
        }
    }
    let mut text = String::from(".SH PROFILES\nThese come with dmgw; `dmgw profile show NAME` prints one.\n");
    for (name, profile) in kinds {
        let [maker, model, title, source] = [profile.maker, profile.model, profile.title, profile.source];
        let what = [maker, model].map(Option::unwrap_or_default).join(" ");
        let (title, source) = (title.unwrap_or_default(), source.unwrap_or_default());
        let told = plain(&format!("{what}: {title}."));
        text.push_str(&format!(".TP\n{}\n{told}\n.br\nfrom: {}\n", bold(name.as_str()), escaped(&source)));
    }
    Ok(text)
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// One line of text: nothing in it is taken for a request.
fn plain(text: &str) -> String {
    let text = escaped(text);
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

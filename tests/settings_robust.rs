//! Any text at all as settings: it is answered, every mistake lies within its source, and what is shown can be shown. A
//! start with damaged drop-ins goes on with all the others.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dmgw::config::{Config, FOLDERS, Inputs, read, starting, teach};
use dmgw::document::{Origin, Sources};
use proptest::prelude::*;
use proptest::sample::Index;

/// Nothing that a person wrote takes longer, on a slow machine with other work.
const LONG: Duration = Duration::from_secs(20);
/// What means something here; chance alone rarely finds it.
const TELLING: [&str; 24] = [
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "\n",
    ".",
    ",",
    "\\",
    "${",
    "${name}",
    "$${",
    "\u{0}",
    "\u{1}",
    "\u{202e}",
    "[link.a]",
    "for = '(",
    "1e999",
    "2026-11-20",
];

fn is_answered(text: &str) {
    let mut sources = Sources::default();
    let main = sources.add(Origin::File("a\u{1b}.toml".into()), text.to_owned());
    let env = sources.add(Origin::Env("DMGW_LIMITS__ASKS".into()), text.chars().take(40).collect());
    let inputs = Inputs { sources, files: vec![main], env: vec![env], ..Inputs::default() };
    let began = Instant::now();
    let faults = read(&inputs).faults;
    for fault in faults.iter() {
        let places = [Some(fault.at), fault.also.as_ref().map(|(at, _)| *at)];
        for at in places.into_iter().flatten() {
            let source = inputs.sources.get(at.source).expect("a source that was given");
            assert!(at.start <= at.end && at.end as usize <= source.text.len(), "{fault:?}");
        }
        let shown = fault.show(&inputs.sources);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    }
    assert!(began.elapsed() < LONG);
}

/// A settings file with every key, and those with a mistake.
fn known() -> Vec<String> {
    let taught = teach::file().replace("\n#[", "\n[").replace("#every", "every").replace("#for =", "for =");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/settings/bad");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).chain([taught]).collect()
}

/// Takes something out, puts something telling in, or says a part twice.
fn edited(text: &str, edits: &[(u8, Index, Index)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (kind, at, other) in edits {
        let at = at.index(chars.len() + 1);
        let end = (at + other.index(12)).min(chars.len());
        match kind {
            0 => drop(chars.drain(at..end)),
            1 => {
                let copy: Vec<char> = chars[at..end].to_vec();
                drop(chars.splice(at..at, copy));
            }
            _ => drop(chars.splice(at..at, other.get(&TELLING).chars())),
        }
    }
    chars.into_iter().collect()
}

fn edits() -> impl Strategy<Value = Vec<(u8, Index, Index)>> {
    proptest::collection::vec((0u8..3, any::<Index>(), any::<Index>()), 1..8)
}

/// A drop-in with a link that no edit by chance makes into another's.
fn drop_in(no: usize) -> String {
    let name = ["north-of-the-river", "south-of-the-river", "under-the-roof", "behind-the-wall"][no];
    format!("[link.{name}]\nevery = \"5s\"\nsim = {{ socket = \"/run/{name}\" }}\n")
}

/// What is still right after its edits is somebody's wish, and no damage.
fn broken(text: String) -> String {
    if Config::parse(Path::new("alone.toml"), &text).is_ok() { text + "\n[" } else { text }
}

/// Names a link of another drop-in.
fn group(no: usize) -> String {
    let name = ["north-of-the-river", "south-of-the-river", "under-the-roof", "behind-the-wall"][no];
    format!("[group.of-{name}]\nfor = {{ link = \"{name}\" }}\n")
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        is_answered(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_telling_words_in_any_order_are_answered(words in proptest::collection::vec(proptest::sample::select(&TELLING[..]), 0..60)) {
        is_answered(&words.concat());
    }

    #[test]
    fn known_settings_with_any_edits_are_answered(which in any::<Index>(), edits in edits()) {
        static KNOWN: LazyLock<Vec<String>> = LazyLock::new(known);
        let text: &String = which.get(KNOWN.as_slice());
        is_answered(&edited(text, &edits));
    }

    #[test]
    fn a_start_goes_on_with_every_drop_in_that_nobody_damaged(
        damage in proptest::collection::vec((0usize..4, edits()), 0..4),
        how in 0u8..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("dmgw.toml");
        let rule = "[[admission]]\nlink = \"under-the-roof\"\nthen = \"hold\"\n";
        fs::write(&main, format!("[store]\npath = {:?}\n{rule}", folder.path().join("state.redb"))).unwrap();
        let damaged = |no: usize| damage.iter().find(|(damaged, _)| *damaged == no).map(|(_, edits)| edits);
        for no in 0..4 {
            let (links, groups) = (folder.path().join(FOLDERS[0]), folder.path().join(FOLDERS[2]));
            fs::create_dir_all(&links).unwrap();
            fs::create_dir_all(&groups).unwrap();
            let bytes = match (damaged(no), how) {
                (None, _) => drop_in(no).into_bytes(),
                (Some(_), 0) => Vec::new(),
                (Some(_), 1) => [drop_in(no).as_bytes(), b"\xff\n"].concat(),
                (Some(edits), _) => broken(edited(&drop_in(no), edits)).into_bytes(),
            };
            fs::write(links.join(format!("{no}.toml")), bytes).unwrap();
            fs::write(groups.join(format!("{no}.toml")), group(no)).unwrap();
        }
        let began = Instant::now();
        let started = starting::find(&main).and_then(|found| found.start(&[])).map_err(|error| error.to_string()).unwrap();
        assert!(began.elapsed() < LONG);
        for no in (0..4).filter(|no| damaged(*no).is_none()) {
            let alone = Config::parse(&main, &drop_in(no)).unwrap();
            let (name, link) = alone.link.first_key_value().unwrap();
            assert_eq!(started.config.link.get(name), Some(link), "{:?}", started.trouble);
        }
        assert_eq!(started.config.group.len(), 4, "{:?}", started.trouble);
    }
}

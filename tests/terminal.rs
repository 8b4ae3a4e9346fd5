//! A session in a real terminal: tmux types what a person would, and what stands on the screen is compared with
//! tests/golden. UPDATE=1 writes that anew, and PICTURE=docs/session.svg the picture of it. What time changes is masked; colours are kept, as their codes.

mod picture;
mod support;

use std::process::{Command, Stdio};

use support::{Gateway, Plant, TWO_DEVICES, dmgw, eventually, text};

const COLUMNS: &str = "90";
const LINES: &str = "50";
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/session.txt");

/// A terminal of its own, on a socket of its own.
struct Terminal<'a>(&'a Gateway);

impl Terminal<'_> {
    fn tmux(&self, words: &[&str]) -> String {
        let socket = self.0.folder.path().join("tmux");
        let ended =
            Command::new("tmux").args(["-u", "-f/dev/null"]).arg("-S").arg(socket).args(words).output().expect("tmux");
        text(&ended.stdout)
    }

    fn begin(gateway: &Gateway) -> Terminal<'_> {
        let terminal = Terminal(gateway);
        let program = dmgw().get_program().to_owned();
        let path = std::path::Path::new(&program).parent().unwrap().display().to_string();
        let shell = format!(
            "env -u NO_COLOR -u COLUMNS PATH={path}:$PATH TZ=UTC PS1='$ ' DMGW={} bash --norc --noprofile",
            gateway.config().display()
        );
        terminal.tmux(&["new-session", "-d", "-x", COLUMNS, "-y", LINES, &shell]);
        terminal.ends_with("$");
        terminal.run("function dmgw { command dmgw --config \"$DMGW\" \"$@\"; }; clear");
        terminal
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).trim_end().to_owned()
    }

    fn ends_with(&self, end: &str) -> String {
        eventually(&format!("the screen ends with {end}"), || Some(self.screen()).filter(|now| now.ends_with(end)))
    }

    /// Types a line, and gives what then stands on a screen that was empty.
    fn run(&self, line: &str) -> String {
        self.tmux(&["send-keys", "-l", line]);
        self.ends_with(line.split(' ').next_back().unwrap_or(line));
        self.tmux(&["send-keys", "Enter"]);
        // The last colour may end only there.
        let prompt = |now: &String| now.lines().next_back().is_some_and(|last| plain(last) == "$");
        let screen = eventually("the prompt is back", || Some(self.screen()).filter(prompt));
        screen.rsplit_once('\n').map_or_else(String::new, |(before, _)| before.to_owned())
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// Columns that hold times are as wide as those happen to be.
const OF_TIMES: [&str; 3] = ["SINCE", "AGE", "HEARD"];

/// Numbers with a unit of time, dates, keys and counts of a running machine become `…`; what is around them stays, space
/// for space, but for those behind such a number.
fn masked(screen: &str) -> String {
    screen.lines().map(masked_line).collect::<Vec<_>>().join("\n")
}

fn masked_line(line: &str) -> String {
    let mut masked = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(' ').unwrap_or(rest.len());
        let (word, more) = rest.split_at(end);
        let spaces = more.len() - more.trim_start_matches(' ').len();
        let shown = masked_word(word);
        let kept = if shown != word || OF_TIMES.contains(&word) { spaces.min(1) } else { spaces };
        masked.push_str(&format!("{shown}{}", " ".repeat(kept)));
        rest = &more[spaces..];
    }
    masked.replace("… …", "…").trim_end().to_owned()
}

fn masked_word(word: &str) -> String {
    let inner = word.trim_matches(['(', ')', ',', ';']);
    let number = inner.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (unit, number) = (&inner[number.len()..], number.trim_end_matches('.'));
    let is_time = number.contains(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || ".:-".contains(c))
        && number != "0.1.0"
        && (["ms", "s", "m", "Z", "W"].contains(&unit) || number.len() > 1);
    if is_time || inner.len() == 43 { word.replace(inner, "…") } else { word.to_owned() }
}

#[test]
fn what_stands_beside_a_time_keeps_its_place() {
    assert_eq!(masked("up   3 a   120ms  read-write"), "up   3 a   … read-write");
    assert_eq!(masked("NO  HEARD     STATE"), "NO  HEARD STATE");
    assert_ne!(masked("a  b"), masked("a b"), "a column that is wider is another picture");
}

fn has_tmux() -> bool {
    Command::new("tmux").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn a_session_looks_as_it_should() {
    if !has_tmux() {
        return println!("SKIP a_session_looks_as_it_should: no tmux here");
    }
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "");
    for device in ["relay-1", "meter-1", "meter-2"] {
        gateway.wait_for_device(device);
    }
    let terminal = Terminal::begin(&gateway);
    let (mut session, mut picture) = (String::new(), String::new());
    for line in [
        "dmgw link list",
        "dmgw device list",
        "dmgw device show relay-1",
        "dmgw write relay-1 relay.0.on true --id w-1",
        "dmgw device show realy-1",
    ] {
        let screen = terminal.run(line);
        assert!(screen.lines().all(|line| plain(line).chars().count() <= 90), "it fits: {screen}");
        session.push_str(&format!("{}\n\n", masked(&screen).replace(gateway.folder.path().to_str().unwrap(), "/DIR")));
        // Its last colour would have ended at the prompt.
        picture.push_str(&format!("{screen}\u{1b}[39m\n\n"));
        terminal.run("clear");
    }
    assert!(session.contains("\u{1b}[32mup"), "what is up is green: {session:?}");
    if let Some(path) = std::env::var_os("PICTURE") {
        let picture = picture.replace(gateway.folder.path().to_str().unwrap(), "/DIR");
        std::fs::write(path, picture::svg(picture.trim_end(), 90)).unwrap();
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(std::path::Path::new(GOLDEN).parent().unwrap()).unwrap();
        std::fs::write(GOLDEN, &session).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(session, golden, "to take it as it is now: UPDATE=1 cargo test --test terminal");
}

fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn looking_again_ends_with_q_and_leaves_the_terminal_as_it_was() {
    if !has_tmux() {
        return println!("SKIP looking_again_ends_with_q_and_leaves_the_terminal_as_it_was: no tmux here");
    }
    let gateway = {
        let mut gateway = Gateway::new("");
        gateway.start();
        gateway
    };
    let terminal = Terminal::begin(&gateway);
    terminal.tmux(&["send-keys", "-l", "dmgw status --watch"]);
    terminal.tmux(&["send-keys", "Enter"]);
    eventually("it is painted", || terminal.screen().starts_with("gateway").then_some(()));
    terminal.tmux(&["send-keys", "-l", "q"]);
    terminal.ends_with("\n$");
    assert!(terminal.run("stty -a | grep -o ' echo '").contains("echo"), "keys are shown again");
}

#[test]
fn looking_again_for_programs_is_a_line_each_time() {
    use std::io::{BufRead, BufReader};
    let mut gateway = Gateway::new("");
    gateway.start();
    let mut command = dmgw();
    command.args(["status", "--watch", "--json", "--config"]).arg(gateway.config()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["gateway"], "test");
    }
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "Ctrl-C ends it, and that is no failure");
}

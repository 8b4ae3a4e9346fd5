//! The command line once more, with a token: what a person types for the second step of what cannot be undone.

/// What was typed, with the token behind the word `ask`. An older token is left out.
pub fn with_token(typed: impl Iterator<Item = String>, token: &str) -> String {
    let mut words = vec!["dmgw".to_owned()];
    let mut typed = typed.skip(1).peekable();
    let mut put = false;
    while let Some(word) = typed.next() {
        if word == "--token" {
            typed.next();
            continue;
        }
        if word.starts_with("--token=") {
            continue;
        }
        let is_ask = !put && word == "ask";
        words.push(quoted(&word));
        if is_ask {
            words.extend(["--token".to_owned(), quoted(token)]);
            put = true;
        }
    }
    words.join(" ")
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(line: &[&str]) -> String {
        with_token(line.iter().map(ToString::to_string), "t-1")
    }

    #[test]
    fn the_line_is_the_same_but_for_the_token() {
        assert_eq!(
            again(&["/usr/bin/dmgw", "--socket", "/tmp/a b", "command", "ask", "pump-1,pump-2", "erase", "--id", "x"]),
            "dmgw --socket '/tmp/a b' command ask --token t-1 pump-1,pump-2 erase --id x"
        );
        assert_eq!(
            again(&["dmgw", "command", "ask", "a", "lock", "--token", "old"]),
            "dmgw command ask --token t-1 a lock"
        );
        assert_eq!(
            again(&["dmgw", "command", "ask", "--token=old", "it's", "lock"]),
            r"dmgw command ask --token t-1 'it'\''s' lock"
        );
    }
}

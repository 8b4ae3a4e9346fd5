//! Patterns with stars: `serial:acme:*`, where `*` stands for any text.

/// Each part between stars is taken where it comes first, which is enough: the last one must end the text.
pub fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("serial:acme:*", "serial:acme:17"),
            ("serial:acme:*", "serial:acme:"),
            ("*", "eui:00"),
            ("serial:*:1*7", "serial:acme:1997"),
            ("serial:a", "serial:a"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("serial:acme:*", "serial:acm:17"),
            ("serial:*:1*7", "serial:acme:196"),
            ("serial:a", "serial:ab"),
            ("*ab*ab", "serial:ab"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}

//! "Did you mean": the nearest of the words that would have been right, for every message to a person.

/// Words longer than this are cut before they are compared, and only so many are: a message is not worth more.
const LONGEST: usize = 128;
const MOST: usize = 20_000;

/// The candidate nearest to `word`, if any is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(LONGEST).map(|c| c.to_ascii_lowercase()).collect();
    let most = (word.len() / 3).max(1);
    let near = candidates.into_iter().take(MOST).filter_map(|candidate| {
        let other: Vec<char> = candidate.chars().take(LONGEST).map(|c| c.to_ascii_lowercase()).collect();
        let edits = (other.len().abs_diff(word.len()) <= most).then(|| distance(&word, &other))?;
        (edits <= most).then_some((edits, candidate))
    });
    near.min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

/// Edits from one word to the other: a letter more, less, another one, or two neighbours changed over.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// From a serde message such as "unknown field `pth`, expected one of `path`, `cache`": the word that was meant.
pub fn meant(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let wrong = words.next()?;
    nearest(wrong, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_nothing_far_is() {
        let words = ["path", "cache", "silent_after", "socket"];
        assert_eq!(nearest("pth", words), Some("path"));
        assert_eq!(nearest("silent-after", words), Some("silent_after"));
        assert_eq!(nearest("scoket", words), Some("socket"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn a_message_of_serde_tells_what_was_meant() {
        assert_eq!(meant("unknown field `pth`, expected one of `path`, `cache`"), Some("path"));
        assert_eq!(meant("unknown variant `wirte`, expected `read` or `write`"), Some("write"));
        assert_eq!(meant("missing field `device`"), None);
        assert_eq!(meant("unknown field `x`, there are no fields"), None);
    }
}

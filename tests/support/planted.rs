//! Secrets that are planted, and the search for them in all that somebody wrote: as they are, in base64 and in hex.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};

/// So many bytes of a form are looked up at each place.
const LOOK: usize = 8;

pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

/// A text that was never there before.
pub fn text() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<24>())
}

/// All spellings in which it could have got out.
pub fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers = |between: &str| secret.iter().map(u8::to_string).collect::<Vec<_>>().join(between);
    let plain = [hex.to_uppercase(), hex, numbers(", "), numbers(",")].map(String::into_bytes);
    // Within a longer text in base64 it looks otherwise, by where it begins; the first and last letters belong to others.
    let within = |shift: usize| {
        let text = [&[0; 2][..shift], secret].concat();
        let inner = |text: String| text.as_bytes()[[0, 2, 3][shift]..text.len() - 2].to_vec();
        [inner(STANDARD_NO_PAD.encode(&text)), inner(URL_SAFE_NO_PAD.encode(&text))]
    };
    [vec![secret.to_vec()], plain.into(), (0..3).flat_map(within).collect()].concat()
}

/// What to look for: each with its name.
#[derive(Default)]
pub struct Search {
    by_beginning: HashMap<[u8; LOOK], Vec<(String, Vec<u8>)>>,
}

impl Search {
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        for form in forms(secret) {
            let beginning = *form.first_chunk().expect("a secret of some length");
            self.by_beginning.entry(beginning).or_default().push((name.to_owned(), form));
        }
    }

    /// Which were found, in which file under the folder.
    pub fn under(&self, folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(self.under(&path));
            } else if path.is_file() {
                let names = self.within(&std::fs::read(&path).unwrap());
                found.extend(names.into_iter().map(|name| (name, path.display().to_string())));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn within(&self, bytes: &[u8]) -> Vec<String> {
        let at = |(at, window): (usize, &[u8])| {
            let forms = self.by_beginning.get(<&[u8; LOOK]>::try_from(window).unwrap())?;
            let here = forms.iter().filter(move |(_, form)| bytes[at..].starts_with(form));
            Some(here.map(|(name, _)| name.clone()).collect::<Vec<_>>())
        };
        bytes.windows(LOOK).enumerate().filter_map(at).flatten().collect()
    }
}

//! What `GET /v1/metrics` says, read by a few lines of our own.

use std::collections::BTreeMap;

use super::{Gateway, eventually, http};

/// By name and labels, as they stand there: `dmgw_link_up{link="plant"}`.
pub struct Scrape {
    pub text: String,
    samples: BTreeMap<String, f64>,
}

pub fn scrape(gateway: &Gateway) -> Scrape {
    let mut stream = http::connect(&gateway.socket()).unwrap();
    use std::io::{Read, Write};
    stream.write_all(b"GET /v1/metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").expect("an answer with a body");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/plain; version=0.0.4"), "{head}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
    };
    let mut samples = BTreeMap::new();
    for (name, value) in lines.map(sample) {
        assert!(samples.insert(name.clone(), value).is_none(), "{name} is there twice");
    }
    Scrape { text: text.to_owned(), samples }
}

/// Looks again until this number is as wanted.
#[track_caller]
pub fn until(gateway: &Gateway, what: &str, wanted: impl Fn(f64) -> bool) -> Scrape {
    eventually(what, || Some(scrape(gateway)).filter(|now| wanted(now.of(what))))
}

impl Scrape {
    #[track_caller]
    pub fn of(&self, name: &str) -> f64 {
        *self.samples.get(name).unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }

    /// Of all samples whose name begins like this, what stands in the label, and the value.
    pub fn labels<'a>(&'a self, family: &'a str, label: &str) -> Vec<(&'a str, f64)> {
        let begin = format!("{family}{{{label}=\"");
        let of = |(name, value): (&'a String, &f64)| Some((name.strip_prefix(&begin)?.strip_suffix("\"}")?, *value));
        self.samples.iter().filter_map(of).collect()
    }
}

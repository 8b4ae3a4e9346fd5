//! Events as a server sends them (`text/event-stream`): bytes in, whole events out, within bounds.

/// Of one event.
const LONGEST: usize = 1 << 20;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    pub kind: String,
    pub id: Option<String>,
    /// Empty where only a position was told.
    pub data: String,
}

#[derive(Debug)]
pub struct TooLong;

#[derive(Default)]
pub struct Events {
    line: Vec<u8>,
    event: Event,
    /// What the event holds so far, in bytes.
    size: usize,
}

impl Events {
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut found = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    found.extend(self.take(String::from_utf8_lossy(&line).trim_end_matches('\r')));
                }
                byte => self.line.push(*byte),
            }
            self.size += 1;
            if self.size > LONGEST {
                return Err(TooLong);
            }
        }
        Ok(found)
    }

    /// An empty line ends an event; a line that begins with a colon is a sign of life.
    fn take(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            self.size = 0;
            return Some(std::mem::take(&mut self.event)).filter(|event| !event.data.is_empty() || event.id.is_some());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.kind = value.to_owned(),
            "id" => self.event.id = Some(value.to_owned()),
            "data" if self.event.data.is_empty() => self.event.data = value.to_owned(),
            "data" => self.event.data = format!("{}\n{value}", self.event.data),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ": hello\n\nevent: vital\r\nid: v-1\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\ndata:x\n\n\
        retry: 9\nid: v-2\n\n";

    #[test]
    fn events_are_whole_however_the_bytes_come() {
        for size in [1, 3, 1_000] {
            let mut events = Events::default();
            let found: Vec<Event> = TEXT.as_bytes().chunks(size).flat_map(|part| events.push(part).unwrap()).collect();
            let first = Event { kind: "vital".into(), id: Some("v-1".into()), data: "{\"a\":\n1}".into() };
            let second = Event { kind: String::new(), id: None, data: "x".into() };
            let position = Event { kind: String::new(), id: Some("v-2".into()), data: String::new() };
            assert_eq!(found, [first, second, position], "{size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut events = Events::default();
        let endless = vec![b'x'; LONGEST + 1];
        assert!(events.push(&endless).is_err());
    }
}

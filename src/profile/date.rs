//! A day of the calendar, as TOML writes it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::Wall;

const DAY_MILLIS: u64 = 86_400_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

impl Date {
    /// `2035-12-31`. Only days that there are, from 1970 on.
    pub fn read(text: &str) -> Option<Date> {
        let parts: Vec<&str> = text.split('-').collect();
        let &[year, month, day] = &parts[..] else { return None };
        let right = [(year, 4), (month, 2), (day, 2)];
        let digits = |(part, long): &(&str, usize)| part.len() == *long && part.bytes().all(|b| b.is_ascii_digit());
        let date = Date { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        (right.iter().all(digits) && date.exists()).then_some(date)
    }

    fn exists(self) -> bool {
        let leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            1..=12 => 31,
            _ => 0,
        };
        self.year >= 1970 && (1..=days).contains(&self.day)
    }

    /// Whether it is past, by the clock in UTC: the day itself is not.
    pub fn is_past(self, wall: Wall) -> bool {
        wall.0 / DAY_MILLIS > self.days()
    }

    /// Since 1970-01-01. Years begin in March here, so that the leap day is the last one.
    fn days(self) -> u64 {
        let (year, month) = (u64::from(self.year), u64::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let in_year = (153 * month + 2) / 5 + u64::from(self.day) - 1;
        // Year 0 began 719468 days before 1970-01-01.
        (year * 365 + year / 4 - year / 100 + year / 400 + in_year).saturating_sub(719_468)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
        struct Day;
        impl serde::de::Visitor<'_> for Day {
            type Value = Date;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a day, such as 2035-12-31")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Date, E> {
                Date::read(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_any(Day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_there_are() {
        for text in ["2035-12-31", "2024-02-29", "2000-02-29", "1970-01-01"] {
            assert_eq!(Date::read(text).map(|date| date.to_string()), Some(text.into()));
        }
        for text in
            ["2035-12-32", "2023-02-29", "2100-02-29", "2035-13-01", "35-12-31", "2035-1-1", "", "2035-12-31T00:00"]
        {
            assert_eq!(Date::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_is_past_when_the_next_one_begins() {
        for (text, midnight) in
            [("1970-01-01", 86_400_000), ("2000-02-29", 951_868_800_000), ("2024-12-31", 1_735_689_600_000)]
        {
            let date = Date::read(text).unwrap();
            assert!(!date.is_past(Wall(midnight - 1)) && date.is_past(Wall(midnight)), "{text}");
        }
    }
}

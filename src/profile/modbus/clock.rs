//! Numbers that steps write: whether they fit, and the parts of the time that stand for themselves where the clock is set.

use jiff::civil::DateTime;

use super::form::Form;
use crate::model::{Value, ValueKind};

/// A part of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// From 1 on Monday.
    Weekday,
}

impl Part {
    pub const ALL: [Part; 7] =
        [Part::Year, Part::Month, Part::Day, Part::Hour, Part::Minute, Part::Second, Part::Weekday];

    pub fn name(self) -> &'static str {
        match self {
            Part::Year => "year",
            Part::Month => "month",
            Part::Day => "day",
            Part::Hour => "hour",
            Part::Minute => "minute",
            Part::Second => "second",
            Part::Weekday => "weekday",
        }
    }

    /// None only where no register could hold it.
    pub fn of(self, at: &DateTime) -> Option<u16> {
        let number = match self {
            Part::Year => at.year(),
            Part::Month => at.month().into(),
            Part::Day => at.day().into(),
            Part::Hour => at.hour().into(),
            Part::Minute => at.minute().into(),
            Part::Second => at.second().into(),
            Part::Weekday => at.weekday().to_monday_one_offset().into(),
        };
        u16::try_from(number).ok()
    }

    pub fn read(word: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.name() == word)
    }
}

/// Why this cannot stand in registers of that form. None: it can.
pub fn number_wrong(form: Form, value: &Value) -> Option<String> {
    let fits = match (form.kind(), value) {
        (ValueKind::Time, Value::Time(_)) => true,
        (ValueKind::Float, number) => number.number().is_some(),
        (ValueKind::Int | ValueKind::Uint, number) => number.clone().into_kind(form.kind()).is_ok(),
        _ => false,
    };
    if !fits {
        return Some(format!("{value} is no {form}"));
    }
    let (least, most) = form.range()?;
    let x = value.number().filter(|x| x.is_finite() && !(least..=most).contains(x))?;
    Some(format!("{x} does not fit {form}, which takes {least} to {most}"))
}

//! Times as devices pack them, in UTC: a device that keeps another time tells another time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{from_digits, number, to_digits, words};
use crate::model::Wall;
use crate::profile::modbus::{Form, Order};

/// None: there is no such time, or none that we can tell.
pub fn read(form: Form, order: Order, given: &[u16]) -> Option<Wall> {
    match (form, given) {
        (Form::Unix32, _) => Some(Wall(number(order, given) * 1_000)),
        (Form::Unix64Ms, _) => in_calendar(Wall(number(order, given))).map(|_| Wall(number(order, given))),
        (Form::Cp56, &[year, day, minute, milli]) => {
            let is_invalid = minute & 0x80 != 0;
            let fields = [2000 + (year & 0x7f), day >> 8 & 0xf, day & 0x1f, minute >> 8 & 0x1f, minute & 0x3f];
            wall(fields, milli / 1_000, milli % 1_000).filter(|_| !is_invalid)
        }
        (Form::YmdHms, &[year, month, day, hour, minute, second]) => {
            let year = if year < 100 { 2000 + year } else { year };
            wall([year, month, day, hour, minute], second, 0)
        }
        (Form::YmdHmsBytes | Form::YmdHmsBcd, words) => {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let field = |byte: u8| match form {
                Form::YmdHmsBcd => from_digits(byte.into()).map(|field| field as u16),
                _ => Some(byte.into()),
            };
            let fields: Vec<u16> = bytes.into_iter().map(field).collect::<Option<_>>()?;
            let &[year, month, day, hour, minute, second] = &fields[..] else { return None };
            wall([2000 + year, month, day, hour, minute], second, 0)
        }
        _ => None,
    }
}

/// None: it cannot be written so.
pub fn write(form: Form, order: Order, wall: Wall) -> Option<Vec<u16>> {
    let seconds = wall.0 / 1_000;
    match form {
        Form::Unix32 => return Some(words(order, u32::try_from(seconds).ok()?.into(), 2)),
        Form::Unix64Ms => return in_calendar(wall).map(|_| words(order, wall.0, 4)),
        _ => {}
    }
    let at = in_calendar(wall)?;
    let century = u16::try_from(at.year() - 2000).ok().filter(|year| *year < 100);
    let [month, day, hour, minute, second] =
        [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(|field| field.unsigned_abs().into());
    match form {
        Form::YmdHms => Some(vec![at.year().unsigned_abs(), month, day, hour, minute, second]),
        Form::Cp56 => {
            let milli = second * 1_000 + (wall.0 % 1_000) as u16;
            // Without the day of the week, which makers count from different days.
            Some(vec![century?, month << 8 | day, hour << 8 | minute, milli])
        }
        _ => {
            let fields = [century?, month, day, hour, minute, second];
            let byte = |field: u16| match form {
                Form::YmdHmsBcd => to_digits(field.into(), 2).map(|packed| packed as u16),
                _ => Some(field),
            };
            let bytes: Vec<u16> = fields.into_iter().map(byte).collect::<Option<_>>()?;
            Some(bytes.chunks_exact(2).map(|pair| pair[0] << 8 | pair[1]).collect())
        }
    }
}

/// Its parts, as far as the calendar goes.
pub fn in_calendar(wall: Wall) -> Option<DateTime> {
    let at = Timestamp::from_millisecond(i64::try_from(wall.0).ok()?).ok()?;
    Some(at.to_zoned(TimeZone::UTC).datetime())
}

fn wall(fields: [u16; 5], second: u16, milli: u16) -> Option<Wall> {
    let [month, day, hour, minute, second] =
        [fields[1], fields[2], fields[3], fields[4], second].map(|field| i8::try_from(field).ok());
    let nanos = i32::from(milli) * 1_000_000;
    let year = i16::try_from(fields[0]).ok()?;
    let at = DateTime::new(year, month?, day?, hour?, minute?, second?, nanos).ok()?;
    let millis = at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    u64::try_from(millis).ok().map(Wall)
}

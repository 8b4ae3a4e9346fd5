//! What most, and nearly all, of many spans stay below.

use std::time::Duration;

/// In milliseconds; the spans are sorted on the way.
pub fn percentile(spans: &mut [Duration], share: f64) -> f64 {
    spans.sort_unstable();
    let last = spans.len().saturating_sub(1);
    let place = ((spans.len() as f64 * share).ceil() as usize).saturating_sub(1).min(last);
    spans.get(place).map_or(f64::NAN, |span| span.as_secs_f64() * 1e3)
}

//! The values of limits as texts: sizes, times and numbers.

use std::time::Duration;

/// Units of a size, the largest first.
const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads `64MiB`, `64 MiB` or plain bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    for (unit, factor) in SIZES {
        if let Some(number) = text.strip_suffix(unit) {
            return number.trim_end().parse::<u64>().ok()?.checked_mul(factor);
        }
    }
    text.parse().ok()
}

/// Reads `200ms`, `5s`, or plain milliseconds.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.trim_end().parse().ok().map(Duration::from_millis);
    }
    if let Some(number) = text.strip_suffix('s') {
        return number.trim_end().parse().ok().map(Duration::from_secs);
    }
    text.parse().ok().map(Duration::from_millis)
}

/// A size for people: exact where it is a whole number of a unit, else with one digit behind the point.
pub(crate) fn show_size(bytes: u64) -> String {
    for (unit, factor) in SIZES {
        if bytes >= factor {
            let (whole, rest) = (bytes / factor, bytes % factor);
            let tenths = (rest * 10).div_ceil(factor);
            return match (rest, tenths) {
                (0, _) => format!("{whole} {unit}"),
                (_, 10) => format!("{} {unit}", whole + 1),
                _ => format!("{whole}.{tenths} {unit}"),
            };
        }
    }
    format!("{bytes} bytes")
}

/// A time for people, which [`parse_time`] reads again.
pub(super) fn show_time(time: Duration) -> String {
    match time.as_millis() {
        0 => "0 ms".into(),
        milliseconds if milliseconds % 1000 == 0 => format!("{} s", milliseconds / 1000),
        milliseconds => format!("{milliseconds} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_with_and_without_a_unit() {
        assert_eq!(parse_size("4096"), Some(4096));
        assert_eq!(parse_size("64KiB"), Some(64 << 10));
        assert_eq!(parse_size("2 GiB"), Some(2 << 30));
        assert_eq!(parse_time("250"), Some(Duration::from_millis(250)));
        assert_eq!(parse_time("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_time("5s"), Some(Duration::from_secs(5)));
        for wrong in ["", "MiB", "-1", "1.5MiB", "5m", "1 KB", "99999999999GiB", "s", "ms"] {
            assert_eq!((parse_size(wrong), parse_time(wrong)), (None, None), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_shown_short_and_never_too_small() {
        assert_eq!(show_size(0), "0 bytes");
        assert_eq!(show_size(64 << 10), "64 KiB");
        assert_eq!(show_size((1 << 20) + 1), "1.1 MiB");
        assert_eq!(show_size((1 << 20) - 1), "1024 KiB");
    }
}

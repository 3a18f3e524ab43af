//! Windows by the calendar of a time zone, whose days are now and then an hour longer or shorter.
//!
//! ```
//! use nacreous::{calendar, prelude::*};
//!
//! let at = |text: &str| {
//!     let at: jiff::Timestamp = text.parse().expect("it is a time");
//!     Timestamp::from_nanos(at.as_nanosecond().try_into().expect("it is within 292 years"))
//! };
//! let graph = Graph::new();
//! let (sales, _late) = graph
//!     .iter([("2013-03-10T04:59Z", 1), ("2013-03-10T05:00Z", 2), ("2013-03-11T03:59Z", 4), ("2013-03-11T04:00Z", 8)])
//!     .event_time(move |(text, _)| at(text), BoundedDisorder::NONE)
//!     .key_by(|_| ())
//!     .window(calendar::days("America/New_York")?)
//!     .aggregate(sum(|(_, sold): &(&str, i64)| *sold));
//! let sales = sales.collect();
//! graph.run(JobOptions::default())?;
//! // The tenth of March had 23 hours in New York: it began at five o'clock UTC, and ended at four.
//! let sales: Vec<_> = sales.take().into_iter().map(|sale| sale.value.value).collect();
//! assert_eq!(sales, [1, 6, 8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use jiff::{
    Span, ToSpan,
    civil::{Date, Weekday, date},
    tz::TimeZone,
};

use crate::{Periods, Timestamp};

/// A time zone that is not known.
#[derive(Debug, thiserror::Error)]
#[error("there is no time zone `{zone}`; take a name of the IANA database, such as Europe/Berlin or UTC")]
pub struct UnknownZone {
    /// The name that was given.
    pub zone: String,
    #[source]
    cause: jiff::Error,
}

/// Days of a time zone, by its IANA name, which begin at its midnight.
///
/// # Errors
/// If there is no such zone in the database, which is part of the program.
///
/// # Cost
/// Each day of 584 years is looked up at once, some ten milliseconds, and takes eight bytes.
pub fn days(zone: &str) -> Result<Periods, UnknownZone> {
    periods(zone, FIRST, 1.day())
}

/// Weeks of a time zone, which begin with its Mondays.
///
/// # Errors
/// As [`days`].
pub fn weeks(zone: &str) -> Result<Periods, UnknownZone> {
    let monday = FIRST.nth_weekday(1, Weekday::Monday).expect("there is a Monday after any day but the last");
    periods(zone, monday, 1.week())
}

/// Months of a time zone.
///
/// # Errors
/// As [`days`].
pub fn months(zone: &str) -> Result<Periods, UnknownZone> {
    periods(zone, FIRST, 1.month())
}

/// The first day of the first month that lies within event time in all time zones, and the last.
const FIRST: Date = date(1677, 10, 1);
const LAST: Date = date(2262, 4, 10);

fn periods(zone: &str, first: Date, every: Span) -> Result<Periods, UnknownZone> {
    let unknown = |cause| UnknownZone { zone: zone.to_owned(), cause };
    let zone = TimeZone::get(zone).map_err(unknown)?;
    let begin = |day: Date| {
        let begins = day.to_zoned(zone.clone()).expect("far from the ends of what jiff knows").timestamp();
        Timestamp::from_nanos(begins.as_nanosecond().try_into().expect("these years are within event time"))
    };
    let starts = first.series(every).take_while(|day| *day <= LAST).map(begin);
    Ok(Periods::starting(starts).expect("days follow each other"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the periods are that begin in this year, in hours.
    fn hours(periods: &Periods, year: i16) -> Vec<i64> {
        let nanos = |day: Date| {
            let midnight = day.to_zoned(TimeZone::UTC).unwrap().timestamp();
            Timestamp::from_nanos(midnight.as_nanosecond().try_into().unwrap())
        };
        let year = nanos(date(year, 1, 1))..nanos(date(year + 1, 1, 1));
        let pairs = periods.starts().windows(2).filter(|pair| year.contains(&pair[0]));
        pairs.map(|pair| (pair[1].as_nanos() - pair[0].as_nanos()) / 3_600_000_000_000).collect()
    }

    #[test]
    fn two_days_a_year_are_of_another_length_where_there_is_summer_time() {
        for (zone, odd) in [("UTC", 0), ("Europe/Berlin", 2), ("America/New_York", 2), ("Asia/Tokyo", 0)] {
            let hours = hours(&days(zone).unwrap(), 2013);
            assert_eq!(hours.len(), 365, "{zone}");
            assert_eq!(hours.iter().filter(|hours| [23, 25].contains(hours)).count(), odd, "{zone}");
            assert_eq!(hours.iter().filter(|hours| **hours == 24).count(), 365 - odd, "{zone}");
        }
    }

    #[test]
    fn weeks_begin_on_mondays_and_months_are_twelve() {
        let weeks = weeks("Europe/Berlin").unwrap();
        let monday = |start: &Timestamp| {
            let start = jiff::Timestamp::from_nanosecond(start.as_nanos().into()).unwrap();
            start.to_zoned(TimeZone::get("Europe/Berlin").unwrap()).weekday() == Weekday::Monday
        };
        assert!(weeks.starts().iter().all(monday));
        assert_eq!(hours(&months("Europe/Berlin").unwrap(), 2013).len(), 12);
    }

    #[test]
    fn a_midnight_that_there_is_not_is_the_instant_after() {
        // In Beirut the clock went from midnight to one on 31 March 2013.
        let hours = hours(&days("Asia/Beirut").unwrap(), 2013);
        assert_eq!(hours.iter().filter(|hours| **hours == 23).count(), 1);
        let begins = "2013-03-30T22:00Z".parse::<jiff::Timestamp>().unwrap().as_nanosecond();
        let starts = days("Asia/Beirut").unwrap();
        assert!(starts.starts().contains(&Timestamp::from_nanos(begins.try_into().unwrap())));
    }

    #[test]
    fn a_zone_that_there_is_not_is_named() {
        let message = days("Europe/Atlantis").unwrap_err().to_string();
        assert!(message.starts_with("there is no time zone `Europe/Atlantis`"), "{message}");
    }
}

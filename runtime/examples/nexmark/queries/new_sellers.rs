//! Query 8.

use std::time::Duration;

use nacreous::{Aggregate, CommutativeMonoid, Sliding, Stream, Timestamp, Upstream, WindowResult};
use serde::Serialize;

use super::{Auction, Event, Person, Text, event::seconds};

/// The windows of query 8 in Beam's suite and in Flink's; the paper has twelve hours.
pub(crate) const SIZE: Duration = Duration::from_secs(10);

/// A result of query 8: somebody who registered and opened an auction in one and the same window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct NewSeller {
    /// The start of the window.
    #[serde(rename = "from_s", serialize_with = "seconds")]
    pub(crate) from: Timestamp,
    pub(crate) person: u64,
    pub(crate) name: Text<16>,
}

/// Query 8, monitor new users: who registered in ten seconds and opened an auction in the same.
///
/// Both kinds of events are grouped by person, and what a window has of each is put together: it takes one look-up for
/// an event, and nobody is found twice who has opened two auctions. (A [join](nacreous::WindowedStream::join) in windows would
/// bring a pair for each auction.)
pub(crate) fn new_sellers<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<NewSeller, impl Upstream<Out = NewSeller>> {
    let (seen, _) = events
        .filter_map(|event| match event.as_ref() {
            Event::Person(Person { id, name, .. }) => Some((*id, Some(*name))),
            Event::Auction(Auction { seller, .. }) => Some((*seller, None)),
            Event::Bid(_) => None,
        })
        .key_by(|(person, _)| *person)
        .window(Sliding::tumbling(SIZE).expect("ten seconds are a window"))
        .aggregate(Both);
    seen.filter_map(|WindowResult { window, key: person, value, .. }| {
        Some(NewSeller { from: window.start, person, name: value? })
    })
}

/// The name of somebody who has registered and sells something.
#[derive(Clone)]
struct Both;

/// What a window has of a person.
#[derive(Clone, Copy)]
struct Seen {
    /// If there was a registration; there is one for each person.
    name: Option<Text<16>>,
    sells: bool,
}

impl Aggregate<(u64, Option<Text<16>>)> for Both {
    type Acc = Seen;
    type Out = Option<Text<16>>;
    type Algebra = CommutativeMonoid;

    /// A person has a name, and a seller goes without.
    #[inline]
    fn lift(&self, (_, name): &(u64, Option<Text<16>>), _: Timestamp) -> Seen {
        Seen { name: *name, sells: name.is_none() }
    }

    #[inline]
    fn combine(&self, seen: &mut Seen, other: &Seen) {
        seen.name = seen.name.or(other.name);
        seen.sells |= other.sells;
    }

    #[inline]
    fn finish(&self, seen: Seen) -> Option<Text<16>> {
        seen.name.filter(|_| seen.sells)
    }
}

use std::{fmt, str};

use nacreous::Timestamp;
use serde::{Serialize, Serializer};

/// What happens in the auction house, with the fields that some query reads. (The generator adds descriptions, addresses
/// and padding, which are left out: so an event can be copied.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "Row")]
pub(crate) enum Event {
    Person(Person),
    Auction(Auction),
    Bid(Bid),
}

/// Somebody registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) at: Timestamp,
    pub(crate) name: Text<16>,
    pub(crate) city: Text<16>,
    pub(crate) state: Text<2>,
}

/// Somebody puts an item up for auction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Auction {
    pub(crate) id: u64,
    pub(crate) at: Timestamp,
    /// The last instant at which a bid counts.
    pub(crate) expires: Timestamp,
    /// A person, who may not have registered yet.
    pub(crate) seller: u64,
    pub(crate) category: u64,
    /// The lowest price, in cents, that the item goes for.
    pub(crate) reserve: u64,
}

/// Somebody offers a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Bid {
    #[serde(rename = "at_s", serialize_with = "seconds")]
    pub(crate) at: Timestamp,
    /// An auction, which may not have opened yet.
    pub(crate) auction: u64,
    pub(crate) bidder: u64,
    /// In cents.
    pub(crate) price: u64,
}

impl Event {
    /// When it happened.
    #[inline]
    pub(crate) fn at(&self) -> Timestamp {
        match self {
            Self::Person(Person { at, .. })
            | Self::Auction(Auction { at, .. })
            | Self::Bid(Bid { at, .. }) => *at,
        }
    }

    /// The bid, if it is one.
    #[inline]
    pub(crate) fn bid(&self) -> Option<Bid> {
        match self {
            Self::Bid(bid) => Some(*bid),
            Self::Person(_) | Self::Auction(_) => None,
        }
    }
}

impl AsRef<Self> for Event {
    #[inline]
    fn as_ref(&self) -> &Self {
        self
    }
}

impl From<nexmark::event::Event> for Event {
    fn from(event: nexmark::event::Event) -> Self {
        use nexmark::event;
        match event {
            event::Event::Person(event::Person { id, name, city, state, date_time, .. }) => {
                let [name, city] = [name, city].map(|text| Text::new(&text));
                let (id, at, state) = (id as u64, instant(date_time), Text::new(&state));
                Self::Person(Person { id, at, name, city, state })
            }
            event::Event::Auction(event::Auction {
                id,
                reserve,
                date_time,
                expires,
                seller,
                category,
                ..
            }) => {
                let [id, seller, category, reserve] = [id, seller, category, reserve].map(|n| n as u64);
                let [at, expires] = [date_time, expires].map(instant);
                Self::Auction(Auction { id, at, expires, seller, category, reserve })
            }
            event::Event::Bid(event::Bid { auction, bidder, price, date_time, .. }) => {
                let [auction, bidder, price] = [auction, bidder, price].map(|n| n as u64);
                Self::Bid(Bid { at: instant(date_time), auction, bidder, price })
            }
        }
    }
}

fn instant(millis: u64) -> Timestamp {
    Timestamp::from_nanos(millis.cast_signed() * 1_000_000)
}

/// What a person, a city or a state is called: at most `N` bytes, without one that says how many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Text<N> {
    /// # Panics
    /// If it is too long; the generator has no such names.
    pub(crate) const fn new(text: &str) -> Self {
        let mut bytes = [0; N];
        bytes.split_at_mut(text.len()).0.copy_from_slice(text.as_bytes());
        Self(bytes)
    }

    fn as_str(&self) -> &str {
        let text = str::from_utf8(&self.0).expect("it was made from a text");
        text.trim_end_matches('\0')
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An event as it is printed.
#[derive(Serialize)]
struct Row {
    event: &'static str,
    #[serde(rename = "at_s", serialize_with = "seconds")]
    at: Timestamp,
    /// Of the person or the auction; a bid's auction.
    id: u64,
}

impl From<Event> for Row {
    fn from(event: Event) -> Self {
        let (kind, id) = match event {
            Event::Person(person) => ("person", person.id),
            Event::Auction(auction) => ("auction", auction.id),
            Event::Bid(bid) => ("bid", bid.auction),
        };
        Self { event: kind, at: event.at(), id }
    }
}

/// An instant as seconds since the first event.
#[expect(clippy::cast_precision_loss, reason = "to be read")]
pub(super) fn seconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_nanos() as f64 / 1e9)
}

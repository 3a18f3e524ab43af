//! Query 7.

use std::time::Duration;

use nacreous::{Aggregate, CommutativeMonoid, Sliding, Stream, Timestamp, Upstream};

use super::{Bid, Event};

/// The windows of query 7 in Beam's suite and in Flink's; the paper has ten minutes.
pub(crate) const SIZE: Duration = Duration::from_secs(10);

/// Query 7, highest bid: the bids with the highest price of each ten seconds, all of them if there are several. The time of
/// a result is the window's last instant.
pub(crate) fn highest_bids<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<Bid, impl Upstream<Out = Bid>> {
    let (highest, _) = events
        .filter_map(|event| event.as_ref().bid())
        .map(|Bid { auction, bidder, price, .. }| Offer { auction, bidder, price })
        .key_by(|_| 0_u32)
        .window(Sliding::tumbling(SIZE).expect("ten seconds are a window"))
        .aggregate(Highest);
    highest.flat_map(|result| result.value)
}

/// A bid without its time, which its record has.
#[derive(Clone, Copy)]
struct Offer {
    auction: u64,
    bidder: u64,
    price: u64,
}

impl Offer {
    fn at(self, at: Timestamp) -> Bid {
        let Self { auction, bidder, price } = self;
        Bid { at, auction, bidder, price }
    }
}

/// The bids with the highest price.
#[derive(Clone)]
struct Highest;

impl Aggregate<Offer> for Highest {
    /// All of one price.
    type Acc = Vec<Bid>;
    type Out = Vec<Bid>;
    type Algebra = CommutativeMonoid;

    fn lift(&self, offer: &Offer, at: Timestamp) -> Vec<Bid> {
        vec![offer.at(at)]
    }

    /// Most bids are not among the highest, and have nothing allocated for them.
    #[inline]
    fn add(&self, highest: &mut Vec<Bid>, offer: &Offer, at: Timestamp) {
        if price_of(highest) <= offer.price {
            meet(highest, &[offer.at(at)]);
        }
    }

    fn combine(&self, highest: &mut Vec<Bid>, other: &Vec<Bid>) {
        meet(highest, other);
    }

    /// In an order that does not depend on the one they came in.
    fn finish(&self, mut highest: Vec<Bid>) -> Vec<Bid> {
        highest.sort_unstable();
        highest
    }
}

/// Keeps the others, or both, if they are as high.
#[cold]
fn meet(highest: &mut Vec<Bid>, others: &[Bid]) {
    let (price, other_price) = (price_of(highest), price_of(others));
    if price < other_price {
        highest.clear();
    }
    if price <= other_price {
        highest.extend_from_slice(others);
    }
}

/// What each of them offers.
#[inline]
fn price_of(bids: &[Bid]) -> u64 {
    bids.first().map_or(0, |bid| bid.price)
}

//! Queries 0 to 2, of one event at a time.

use nacreous::{Stream, Upstream};
use serde::Serialize;

use super::{Bid, Event};

/// Query 0: all events as they are. It measures what everything else costs as well. (Not in the paper.)
pub(crate) fn pass_through<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<E, impl Upstream<Out = E>> {
    events
}

/// What a thousand dollars are in euros, in query 1 of Flink's suite.
const EUROS_OF_THOUSAND_DOLLARS: u64 = 908;

/// Query 1, currency conversion: all bids, with their prices in euros, rounded down to a cent.
pub(crate) fn in_euros<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<Bid, impl Upstream<Out = Bid>> {
    let in_euros = |bid: Bid| Bid { price: bid.price * EUROS_OF_THOUSAND_DOLLARS / 1_000, ..bid };
    events.filter_map(|event| event.as_ref().bid()).map(in_euros)
}

/// Query 2 selects the auctions whose ids are multiples of this, in Beam's suite and in Flink's.
const SELECTED: u64 = 123;

/// A result of query 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct SelectedBid {
    pub(crate) auction: u64,
    pub(crate) price: u64,
}

/// Query 2, selection: the prices bid in certain auctions.
pub(crate) fn selected<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<SelectedBid, impl Upstream<Out = SelectedBid>> {
    events
        .filter_map(|event| event.as_ref().bid())
        .filter(|bid| bid.auction.is_multiple_of(SELECTED))
        .map(|Bid { auction, price, .. }| SelectedBid { auction, price })
}

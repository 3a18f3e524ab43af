//! Query 5.

use std::time::Duration;

use nacreous::{Aggregate, CommutativeMonoid, Sliding, Stream, Timestamp, Upstream, WindowResult, count};
use serde::Serialize;

use super::{Event, event::seconds};

/// The windows of query 5 in Flink's suite; the paper has an hour by the minute.
pub(crate) const SIZE: Duration = Duration::from_secs(10);
/// How often one of them starts.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// Auctions with bids in one window, at the generator's usual rate.
const AUCTIONS: usize = 8_192;

/// A result of query 5: no auction had more bids in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct HotItem {
    /// The end of the window.
    #[serde(rename = "until_s", serialize_with = "seconds")]
    pub(crate) until: Timestamp,
    pub(crate) auction: u64,
    pub(crate) bids: u64,
}

/// Query 5, hot items: the auctions with the most bids in the last ten seconds, all of them if there are several, every
/// two seconds.
///
/// Two windows, one behind the other. The first has a result for each auction, at its last instant. So the results of one
/// window, and no others, lie in one of the tumbling windows of the second, which are as long as the first ones' hop and
/// end when they do. All have one key there; they are added up where they are before they come together.
pub(crate) fn hot_items<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<HotItem, impl Upstream<Out = HotItem>> {
    let (counts, _) = events
        .filter_map(|event| event.as_ref().bid().map(|bid| bid.auction))
        .key_by(|auction| *auction)
        .expect_keys(AUCTIONS)
        .window(Sliding::new(SIZE, EVERY).expect("ten seconds every two are windows"))
        .aggregate(count());
    let (hottest, _) = counts
        .map(|WindowResult { key: auction, value: bids, .. }| (auction, bids))
        .key_by(|_| 0_u32)
        .window(Sliding::tumbling(EVERY).expect("two seconds are a window"))
        .aggregate(Hottest);
    hottest.flat_map(|WindowResult { window, value: Most { bids, auctions }, .. }| {
        auctions.into_iter().map(move |auction| HotItem { until: window.end, auction, bids })
    })
}

/// The auctions with the most bids, of auctions and bids.
#[derive(Clone)]
struct Hottest;

/// The most bids for an auction, and the auctions that had as many.
#[derive(Clone)]
struct Most {
    bids: u64,
    auctions: Vec<u64>,
}

impl Aggregate<(u64, u64)> for Hottest {
    type Acc = Most;
    type Out = Most;
    type Algebra = CommutativeMonoid;

    fn lift(&self, (auction, bids): &(u64, u64), _: Timestamp) -> Most {
        Most { bids: *bids, auctions: vec![*auction] }
    }

    /// Most auctions are not among the hottest, and have nothing allocated for them.
    #[inline]
    fn add(&self, most: &mut Most, (auction, bids): &(u64, u64), _: Timestamp) {
        most.meet(*bids, &[*auction]);
    }

    fn combine(&self, most: &mut Most, other: &Most) {
        most.meet(other.bids, &other.auctions);
    }

    /// In an order that does not depend on the one they came in.
    fn finish(&self, mut most: Most) -> Most {
        most.auctions.sort_unstable();
        most
    }
}

impl Most {
    /// Auctions that had so many bids each.
    #[inline]
    fn meet(&mut self, bids: u64, auctions: &[u64]) {
        if bids > self.bids {
            self.bids = bids;
            self.auctions.clear();
        }
        if bids == self.bids {
            self.auctions.extend_from_slice(auctions);
        }
    }
}

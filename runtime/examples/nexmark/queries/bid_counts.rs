//! Query 12.

use std::time::Duration;

use nacreous::{Sliding, Stream, Timestamp, Upstream, WindowResult, count};
use serde::Serialize;

use super::{Event, event::seconds};

/// The windows of query 12 in Beam's suite and in Flink's.
pub(crate) const SIZE: Duration = Duration::from_secs(10);

/// A result of query 12: so many bids of somebody were read within ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct BidCount {
    /// The start of the window.
    #[serde(rename = "from_s", serialize_with = "seconds")]
    pub(crate) from: Timestamp,
    pub(crate) bidder: u64,
    pub(crate) bids: u64,
}

/// Query 12, processing time windows: how many bids of each bidder are read in ten seconds. It goes by the time that records have, so
/// events that go by [the time they arrive](nacreous::SourceStream::arrival_time) are to be given to it. When they happened
/// makes no difference then, and no two runs need come to the same.
pub(crate) fn bid_counts<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<BidCount, impl Upstream<Out = BidCount>> {
    let (counts, _) = events
        .filter_map(|event| event.as_ref().bid().map(|bid| bid.bidder))
        .key_by(|bidder| *bidder)
        .window(Sliding::tumbling(SIZE).expect("ten seconds are a window"))
        .aggregate(count());
    counts.map(|WindowResult { window, key: bidder, value: bids, .. }| BidCount {
        from: window.start,
        bidder,
        bids,
    })
}

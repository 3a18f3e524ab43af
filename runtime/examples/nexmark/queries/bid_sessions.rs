//! Query 11.

use std::time::Duration;

use nacreous::{Session, Stream, Timestamp, Upstream, WindowResult, count};
use serde::Serialize;

use super::{Event, event::seconds};

/// The gap of query 11 in Beam's suite and in Flink's.
pub(crate) const GAP: Duration = Duration::from_secs(10);

/// A result of query 11: somebody bid so often without a pause of ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct BidSession {
    #[serde(rename = "from_s", serialize_with = "seconds")]
    pub(crate) from: Timestamp,
    /// Ten seconds after the last bid.
    #[serde(rename = "until_s", serialize_with = "seconds")]
    pub(crate) until: Timestamp,
    pub(crate) bidder: u64,
    pub(crate) bids: u64,
}

/// Query 11, user sessions: how many bids each bidder makes in one go. The time of a result is the instant before the session's end, to
/// the millisecond.
pub(crate) fn bid_sessions<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<BidSession, impl Upstream<Out = BidSession>> {
    let (sessions, _) = events
        .filter_map(|event| event.as_ref().bid().map(|bid| bid.bidder))
        .key_by(|bidder| *bidder)
        .window(Session::with_gap(GAP).expect("ten seconds are a gap"))
        .aggregate(count());
    sessions.map(|WindowResult { window, key: bidder, value: bids, .. }| BidSession {
        from: window.start,
        until: window.end,
        bidder,
        bids,
    })
}

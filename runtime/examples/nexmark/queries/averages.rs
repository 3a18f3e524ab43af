//! Queries 4 and 6: what winning bids come to on average.

use std::time::Duration;

use nacreous::{Keyed, Mean, Sliding, Stream, Timestamp, Upstream, WindowResult, mean};
use serde::Serialize;

use super::{
    Event,
    event::seconds,
    winning_bids::{WinningBid, winning_bids},
};

/// The windows of query 4 in Beam's suite.
const SIZE: Duration = Duration::from_secs(10);
/// How often one of them starts.
const EVERY: Duration = Duration::from_secs(5);

/// A result of query 4: what the auctions of a category that expired in a window came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct CategoryPrice {
    /// The end of the window.
    #[serde(rename = "until_s", serialize_with = "seconds")]
    pub(crate) until: Timestamp,
    pub(crate) category: u64,
    pub(crate) auctions: u64,
    /// The mean of their prices, rounded down.
    pub(crate) price: u64,
}

/// Query 4, average price for a category: of the auctions that expired in a window and were won.
///
/// The windows are Beam's. In the paper and in Flink's suite the average is over all auctions so far, and each that
/// expires makes it anew.
pub(crate) fn category_prices<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<CategoryPrice, impl Upstream<Out = CategoryPrice>> {
    let windows = Sliding::new(SIZE, EVERY).expect("ten seconds every five are windows");
    let (prices, _) = winning_bids(events)
        .key_by(|winning| winning.category)
        .window(windows)
        .aggregate(mean(|winning: &WinningBid| winning.price.cast_signed()));
    prices.map(|WindowResult { window, key, value: Mean { count, sum }, .. }| CategoryPrice {
        until: window.end,
        category: key,
        auctions: count,
        price: u64::try_from(sum / i128::from(count)).expect("a mean of prices is a price"),
    })
}

/// Over how many auctions query 6 takes the average.
const LAST: usize = 10;

/// A result of query 6. Its time is when the last of the auctions expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct SellerPrice {
    pub(crate) seller: u64,
    /// Over how many it is: ten, or as many as there have been.
    pub(crate) auctions: u64,
    /// The mean of their prices, rounded down.
    pub(crate) price: u64,
}

/// Query 6, average selling price by seller: over the last ten auctions that were won, each time one expires. Of those that
/// expire at once the one with the lower id counts as earlier.
///
/// (Flink's SQL, which its suite does not run, says ten *preceding* ones, in order of the winning bids.)
pub(crate) fn seller_prices<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<SellerPrice, impl Upstream<Out = SellerPrice>> {
    winning_bids(events)
        // They come from several workers, and which auction was the last must not be up to chance.
        .order_by(|winning| winning.auction)
        .key_by(|winning| winning.seller)
        .scan(LastPrices::default(), |prices, winning| prices.with(winning.price))
        .map(|Keyed { key: seller, value: (auctions, price) }| SellerPrice { seller, auctions, price })
}

/// What the last auctions of a seller came to.
#[derive(Clone, Default)]
struct LastPrices {
    ring: [u64; LAST],
    /// Of all time.
    auctions: usize,
}

impl LastPrices {
    /// How many the last ones are, with this one, and the mean of their prices.
    fn with(&mut self, price: u64) -> (u64, u64) {
        self.ring[self.auctions % LAST] = price;
        self.auctions += 1;
        let last = self.auctions.min(LAST) as u64;
        (last, self.ring.iter().sum::<u64>() / last)
    }
}

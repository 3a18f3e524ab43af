//! Query 9, which queries 4 and 6 are made of.

use std::{cmp::Reverse, convert::Infallible, mem, time::Duration};

use nacreous::{Context, Either, Process, Stream, Timestamp, Upstream};
use serde::Serialize;

use super::{Auction, Bid, Event, event::seconds};

/// A result of query 9: what an auction came to. Its time is when the auction expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct WinningBid {
    pub(crate) auction: u64,
    pub(crate) seller: u64,
    pub(crate) category: u64,
    #[serde(rename = "bid_at_s", serialize_with = "seconds")]
    pub(crate) bid_at: Timestamp,
    pub(crate) bidder: u64,
    pub(crate) price: u64,
}

/// Query 9, winning bids: the highest bid for each auction, made between its opening and its expiry, both included, and
/// no lower than its reserve. Of several the earliest wins, and then that of the lowest bidder.
///
/// ```sql
/// SELECT * FROM (
///     SELECT *, ROW_NUMBER() OVER (PARTITION BY auction.id ORDER BY bid.price DESC, bid.at ASC) AS rank
///     FROM auction, bid
///     WHERE auction.id = bid.auction AND bid.at BETWEEN auction.at AND auction.expires
/// ) WHERE rank = 1
/// ```
///
/// That is Flink's; the reserve is from Beam's, where an auction is over an instant before it expires.
pub(crate) fn winning_bids<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<WinningBid, impl Upstream<Out = WinningBid>> {
    let (winning, _) = events
        .filter_map(|event| match event.as_ref() {
            Event::Person(_) => None,
            Event::Auction(auction) => Some(Either::Left(*auction)),
            Event::Bid(bid) => Some(Either::Right(*bid)),
        })
        .key_by(|event| match event {
            Either::Left(auction) => auction.id,
            Either::Right(bid) => bid.auction,
        })
        .process(Auctioneer);
    winning
}

/// Holds auctions.
#[derive(Clone)]
struct Auctioneer;

/// How far an auction is.
enum Stage {
    /// Nobody has opened it yet. The bids that have come may still turn out to be later than the opening.
    Ahead(Vec<Bid>),
    Open(Open),
    Over,
}

/// An auction and the best bid so far.
struct Open {
    auction: Auction,
    best: Option<Bid>,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Ahead(Vec::new())
    }
}

impl Open {
    fn bid(&mut self, bid: Bid) {
        let Auction { at, expires, reserve, .. } = self.auction;
        if (at..=expires).contains(&bid.at) && bid.price >= reserve {
            let rank = |bid: &Bid| (bid.price, Reverse((bid.at, bid.bidder)));
            let better = self.best.is_none_or(|best| rank(&best) < rank(&bid));
            self.best = if better { Some(bid) } else { self.best };
        }
    }
}

impl Process<u64, Either<Auction, Bid>> for Auctioneer {
    type State = Stage;
    type Out = WinningBid;
    type Side = Infallible;

    fn on_record(
        &mut self,
        event: Either<Auction, Bid>,
        stage: &mut Stage,
        context: &mut Context<'_, u64, WinningBid, Infallible>,
    ) {
        match (event, &mut *stage) {
            (Either::Left(auction), Stage::Ahead(bids)) => {
                context.set_timer(auction.expires);
                let mut open = Open { auction, best: None };
                mem::take(bids).into_iter().for_each(|bid| open.bid(bid));
                *stage = Stage::Open(open);
            }
            (Either::Right(bid), Stage::Ahead(bids)) => bids.push(bid),
            (Either::Right(bid), Stage::Open(open)) => open.bid(bid),
            (Either::Left(_), Stage::Open(_)) | (_, Stage::Over) => {}
        }
    }

    /// The auction has expired, and no bid of its time is still to come.
    fn on_timer(&mut self, stage: &mut Stage, context: &mut Context<'_, u64, WinningBid, Infallible>) {
        if let Stage::Open(Open { auction, best: Some(bid) }) = mem::replace(stage, Stage::Over) {
            let Auction { id, seller, category, .. } = auction;
            let Bid { at: bid_at, bidder, price, .. } = bid;
            context.emit(WinningBid { auction: id, seller, category, bid_at, bidder, price });
        }
    }

    /// What an auction came to is known so much later. Its time is that of the expiry all the same.
    fn timer_resolution(&self) -> Duration {
        Duration::from_secs(1)
    }
}

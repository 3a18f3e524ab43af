//! The queries as their definitions read: loops over all events, in whatever order they come.

use std::collections::{BTreeMap, BTreeSet};

use nacreous::Timestamp;

use super::Results;
use super::queries::{
    Auction, Bid, Event, Person, Text,
    averages::{CategoryPrice, SellerPrice},
    bid_sessions::BidSession,
    bids::SelectedBid,
    hot_items::HotItem,
    local_items::LocalItem,
    new_sellers::NewSeller,
    winning_bids::WinningBid,
};

const SECOND: i64 = 1_000_000_000;

fn persons(events: &[Event]) -> impl Iterator<Item = Person> {
    events.iter().filter_map(|event| if let Event::Person(person) = event { Some(*person) } else { None })
}

fn auctions(events: &[Event]) -> impl Iterator<Item = Auction> {
    events.iter().filter_map(|event| if let Event::Auction(auction) = event { Some(*auction) } else { None })
}

fn bids(events: &[Event]) -> impl Iterator<Item = Bid> {
    events.iter().filter_map(|event| if let Event::Bid(bid) = event { Some(*bid) } else { None })
}

/// The starts of the windows that an instant lies in, in seconds.
fn windows(at: Timestamp, size: i64, every: i64) -> impl Iterator<Item = i64> {
    let second = at.as_nanos().div_euclid(SECOND);
    let last = second.div_euclid(every) * every;
    (0..).map(move |n| last - n * every).take_while(move |start| start + size > second)
}

fn instant(second: i64) -> Timestamp {
    Timestamp::from_nanos(second * SECOND)
}

fn just_before(second: i64) -> Timestamp {
    Timestamp::from_nanos(second * SECOND - 1)
}

pub(super) fn pass_through(events: &[Event]) -> Results<Event> {
    events.iter().map(|event| (event.at(), *event)).collect()
}

pub(super) fn in_euros(events: &[Event]) -> Results<Bid> {
    bids(events).map(|bid| (bid.at, Bid { price: bid.price * 908 / 1_000, ..bid })).collect()
}

pub(super) fn selected(events: &[Event]) -> Results<SelectedBid> {
    let selected = bids(events).filter(|bid| bid.auction % 123 == 0);
    selected.map(|bid| (bid.at, SelectedBid { auction: bid.auction, price: bid.price })).collect()
}

pub(super) fn local_items(events: &[Event]) -> Results<LocalItem> {
    let mut items = Vec::new();
    for person in persons(events).filter(|person| ["or", "id", "ca"].map(Text::new).contains(&person.state)) {
        for auction in
            auctions(events).filter(|auction| auction.category == 10 && auction.seller == person.id)
        {
            let Person { name, city, state, .. } = person;
            let item = LocalItem { seller: name, city, state, auction: auction.id };
            items.push((person.at.max(auction.at), item));
        }
    }
    items
}

pub(super) fn winning_bids(events: &[Event]) -> Results<WinningBid> {
    let mut of_auction = BTreeMap::<u64, Vec<Bid>>::new();
    bids(events).for_each(|bid| of_auction.entry(bid.auction).or_default().push(bid));
    let winning = auctions(events).filter_map(|Auction { id, at, expires, seller, category, reserve }| {
        let mut bids = of_auction.get(&id).cloned().unwrap_or_default();
        bids.retain(|bid| bid.at >= at && bid.at <= expires && bid.price >= reserve);
        bids.sort_by_key(|bid| (u64::MAX - bid.price, bid.at, bid.bidder));
        let Bid { at: bid_at, bidder, price, .. } = *bids.first()?;
        Some((expires, WinningBid { auction: id, seller, category, bid_at, bidder, price }))
    });
    winning.collect()
}

pub(super) fn category_prices(events: &[Event]) -> Results<CategoryPrice> {
    let mut prices = BTreeMap::<_, Vec<u64>>::new();
    for (expires, winning) in winning_bids(events) {
        for start in windows(expires, 10, 5) {
            prices.entry((start + 10, winning.category)).or_default().push(winning.price);
        }
    }
    let average = |((end, category), prices): ((i64, u64), Vec<u64>)| {
        let auctions = prices.len() as u64;
        let price = prices.iter().sum::<u64>() / auctions;
        (just_before(end), CategoryPrice { until: instant(end), category, auctions, price })
    };
    prices.into_iter().map(average).collect()
}

pub(super) fn hot_items(events: &[Event]) -> Results<HotItem> {
    let mut counts = BTreeMap::<i64, BTreeMap<u64, u64>>::new();
    for bid in bids(events) {
        for start in windows(bid.at, 10, 2) {
            *counts.entry(start + 10).or_default().entry(bid.auction).or_default() += 1;
        }
    }
    let hottest = counts.into_iter().flat_map(|(end, counts)| {
        let most = counts.values().copied().max().unwrap_or(0);
        let hottest = counts.into_iter().filter(move |(_, bids)| *bids == most);
        hottest.map(move |(auction, bids)| (just_before(end), HotItem { until: instant(end), auction, bids }))
    });
    hottest.collect()
}

pub(super) fn seller_prices(events: &[Event]) -> Results<SellerPrice> {
    let mut winning = winning_bids(events);
    winning.sort_by_key(|(expires, winning)| (*expires, winning.auction));
    let mut of_seller = BTreeMap::<u64, Vec<u64>>::new();
    let average = |(expires, winning): (Timestamp, WinningBid)| {
        let prices = of_seller.entry(winning.seller).or_default();
        prices.push(winning.price);
        let last: Vec<_> = prices.iter().rev().take(10).copied().collect();
        let (auctions, sum) = (last.len() as u64, last.iter().sum::<u64>());
        (expires, SellerPrice { seller: winning.seller, auctions, price: sum / auctions })
    };
    winning.into_iter().map(average).collect()
}

pub(super) fn highest_bids(events: &[Event]) -> Results<Bid> {
    let mut of_window = BTreeMap::<i64, Vec<Bid>>::new();
    for bid in bids(events) {
        windows(bid.at, 10, 10).for_each(|start| of_window.entry(start + 10).or_default().push(bid));
    }
    let highest = of_window.into_iter().flat_map(|(end, bids)| {
        let highest = bids.iter().map(|bid| bid.price).max();
        bids.into_iter().filter(move |bid| Some(bid.price) == highest).map(move |bid| (just_before(end), bid))
    });
    highest.collect()
}

pub(super) fn new_sellers(events: &[Event]) -> Results<NewSeller> {
    let window = |at| windows(at, 10, 10).next();
    let sellers: BTreeSet<_> = auctions(events).map(|auction| (window(auction.at), auction.seller)).collect();
    let new = persons(events).filter(|person| sellers.contains(&(window(person.at), person.id)));
    let found = new.filter_map(|Person { id: person, at, name, .. }| {
        let start = window(at)?;
        Some((just_before(start + 10), NewSeller { from: instant(start), person, name }))
    });
    found.collect()
}

pub(super) fn bid_sessions(events: &[Event]) -> Results<BidSession> {
    let mut bidders: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    bids(events).for_each(|bid| bidders.entry(bid.bidder).or_default().push(bid.at.as_nanos()));
    let sessions = bidders.into_iter().flat_map(|(bidder, mut times)| {
        times.sort_unstable();
        let runs = times.chunk_by(|one, next| next - one < 10 * SECOND);
        let session = |run: &[i64]| {
            let (from, until) = (run[0], run[run.len() - 1] + 10 * SECOND);
            let [from, until] = [from, until].map(Timestamp::from_nanos);
            (
                Timestamp::from_nanos(until.as_nanos() - 1),
                BidSession { from, until, bidder, bids: run.len() as u64 },
            )
        };
        runs.map(session).collect::<Vec<_>>()
    });
    sessions.collect()
}

/// How many bids there are of each bidder.
pub(super) fn bids_of_bidders(events: &[Event]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    bids(events).for_each(|bid| *counts.entry(bid.bidder).or_insert(0) += 1);
    counts
}

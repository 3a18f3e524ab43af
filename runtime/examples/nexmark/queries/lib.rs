//! The Nexmark queries: each a function from the stream of events to the stream of its results, so that whoever calls it
//! says where the events come from and where the results go. The example prints them, the benchmarks digest them. Events
//! may come as references: those go through a loop in a register, where events of 64 bytes would be copied at each step.
//!
//! Nexmark is an auction house: [persons](Person) register, open [auctions](Auction), and [bid](Bid). The queries are by
//! Tucker, Tufte, Papadimos and Maier (*NEXMark, a benchmark for queries over data streams*, 2002); 0 and 6 to 12 as they
//! are in Apache Beam's and Flink's suites, whose windows, shorter than the paper's, are taken here:
//! <https://beam.apache.org/documentation/sdks/java/testing/nexmark/> and <https://github.com/nexmark/nexmark>.
//!
//! | query | function | made of |
//! |---|---|---|
//! | 0 | [`pass_through`] | nothing |
//! | 1 | [`in_euros`] | a map |
//! | 2 | [`selected`] | a filter |
//! | 3 | [`local_items`] | a join without windows: state by seller |
//! | 4 | [`category_prices`] | query 9, sliding windows |
//! | 5 | [`hot_items`] | sliding windows, and windows over their results |
//! | 6 | [`seller_prices`] | query 9, put in order, a state by seller |
//! | 7 | [`highest_bids`] | tumbling windows |
//! | 8 | [`new_sellers`] | tumbling windows over two kinds of events |
//! | 9 | [`winning_bids`] | state and timers by auction |
//! | 11 | [`bid_sessions`] | sessions |
//! | 12 | [`bid_counts`] | tumbling windows of the time at which events are read |

use nacreous::{Stream, Upstream, sink::Sink};

pub(crate) mod averages;
pub(crate) mod bid_counts;
pub(crate) mod bid_sessions;
pub(crate) mod bids;
pub(crate) mod event;
pub(crate) mod highest_bids;
pub(crate) mod hot_items;
pub(crate) mod local_items;
pub(crate) mod new_sellers;
pub(crate) mod winning_bids;
pub(crate) mod workload;

pub(crate) use averages::{category_prices, seller_prices};
pub(crate) use bid_counts::bid_counts;
pub(crate) use bid_sessions::bid_sessions;
pub(crate) use bids::{in_euros, pass_through, selected};
pub(crate) use event::{Auction, Bid, Event, Person, Text};
pub(crate) use highest_bids::highest_bids;
pub(crate) use hot_items::hot_items;
pub(crate) use local_items::local_items;
pub(crate) use new_sellers::new_sellers;
pub(crate) use winning_bids::winning_bids;
pub(crate) use workload::Workload;

/// The numbers of the queries there are that go by when events happened. (10 writes to files, which is no query of a stream; 12 goes by
/// when they are read.)
pub(crate) const QUERIES: [u8; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11];

/// The query of this number, from its events to a sink.
///
/// # Panics
/// If there is none.
pub(crate) fn query<E, S>(number: u8, events: Stream<E, impl Upstream<Out = E>>, sink: S)
where
    E: AsRef<Event> + Send + 'static,
    S: Sink<E>
        + Sink<Bid>
        + Sink<bids::SelectedBid>
        + Sink<local_items::LocalItem>
        + Sink<averages::CategoryPrice>
        + Sink<hot_items::HotItem>
        + Sink<averages::SellerPrice>
        + Sink<new_sellers::NewSeller>
        + Sink<winning_bids::WinningBid>
        + Sink<bid_sessions::BidSession>,
{
    let _ = match number {
        0 => pass_through(events).to(sink),
        1 => in_euros(events).to(sink),
        2 => selected(events).to(sink),
        3 => local_items(events).to(sink),
        4 => category_prices(events).to(sink),
        5 => hot_items(events).to(sink),
        6 => seller_prices(events).to(sink),
        7 => highest_bids(events).to(sink),
        8 => new_sellers(events).to(sink),
        9 => winning_bids(events).to(sink),
        11 => bid_sessions(events).to(sink),
        _ => panic!("there is no query {number}"),
    };
}

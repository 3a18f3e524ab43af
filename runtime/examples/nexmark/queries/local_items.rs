//! Query 3.

use std::{convert::Infallible, time::Duration};

use nacreous::{Context, Either, Process, Stream, Timestamp, Upstream};
use serde::Serialize;

use super::{Auction, Event, Person, Text};

/// The category that query 3 looks for, in Beam's suite and in Flink's.
const CATEGORY: u64 = 10;
/// The states that query 3 looks for, as the generator writes them.
const STATES: [Text<2>; 3] = [Text::new("or"), Text::new("id"), Text::new("ca")];

/// A result of query 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct LocalItem {
    pub(crate) seller: Text<16>,
    pub(crate) city: Text<16>,
    pub(crate) state: Text<2>,
    pub(crate) auction: u64,
}

/// Query 3, local item suggestion: who sells something of a certain category in certain states, and in which auction.
///
/// ```sql
/// SELECT person.name, person.city, person.state, auction.id
/// FROM auction, person
/// WHERE auction.seller = person.id AND auction.category = 10 AND person.state IN ('or', 'id', 'ca')
/// ```
///
/// However far apart the two events are, and whichever comes first: persons are kept for good, and auctions until their
/// seller comes. A result has the time of the later one.
pub(crate) fn local_items<E: AsRef<Event> + Send + 'static>(
    events: Stream<E, impl Upstream<Out = E>>,
) -> Stream<LocalItem, impl Upstream<Out = LocalItem>> {
    let (items, _) = events
        .filter_map(|event| match event.as_ref() {
            Event::Person(person) if STATES.contains(&person.state) => Some(Either::Left(*person)),
            Event::Auction(auction) if auction.category == CATEGORY => Some(Either::Right(*auction)),
            _ => None,
        })
        .key_by(|event| match event {
            Either::Left(person) => person.id,
            Either::Right(auction) => auction.seller,
        })
        .process(Suggest);
    items
}

/// Joins persons with what they sell.
#[derive(Clone)]
struct Suggest;

/// What is known of a seller.
#[derive(Default)]
struct Seller {
    person: Option<Person>,
    /// Those that wait for the person.
    auctions: Vec<Auction>,
}

impl Process<u64, Either<Person, Auction>> for Suggest {
    type State = Seller;
    type Out = LocalItem;
    type Side = Infallible;

    fn on_record(
        &mut self,
        event: Either<Person, Auction>,
        seller: &mut Seller,
        context: &mut Context<'_, u64, LocalItem, Infallible>,
    ) {
        match event {
            Either::Left(person) => {
                seller.person = Some(person);
                let waiting = std::mem::take(&mut seller.auctions);
                waiting.iter().for_each(|auction| context.emit_at(auction.at, item(&person, auction)));
            }
            Either::Right(auction) => match &seller.person {
                Some(person) => context.emit_at(person.at, item(person, &auction)),
                None => seller.auctions.push(auction),
            },
        }
    }

    /// There are no timers, so no watermark makes a difference.
    fn timer_resolution(&self) -> Duration {
        Duration::from_nanos(Timestamp::MAX.as_nanos().unsigned_abs())
    }
}

fn item(person: &Person, auction: &Auction) -> LocalItem {
    let Person { name, city, state, .. } = *person;
    LocalItem { seller: name, city, state, auction: auction.id }
}

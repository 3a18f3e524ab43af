use std::time::Duration;

use nacreous::{BoundedDisorder, SpanError, Timestamp};
use nexmark::{EventGenerator, config::NexmarkConfig};

use super::Event;

/// Which events are generated: the same for the same numbers. All else is as the generator has it: of 50 events one is a
/// person, three are auctions and the others bids, and half of the bids are for one auction in a hundred.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) events: usize,
    /// Events in a second of event time.
    pub(crate) rate: usize,
    /// So many events at a time come in an order of their own; with 1, all come in order of time.
    pub(crate) group: usize,
}

impl Workload {
    /// The generator's usual rate.
    pub(crate) const RATE: usize = 10_000;
    /// The generator goes through a group by steps of 953, which is a prime: with less than that, it finds each event once.
    pub(crate) const GROUP_MAX: usize = 952;

    /// The events; event time begins with 0.
    pub(crate) fn generate(self) -> Vec<Event> {
        let Self { events, rate, group } = self;
        let config = NexmarkConfig {
            base_time: 0,
            first_rate: rate,
            next_rate: rate,
            out_of_order_group_size: group,
            ..NexmarkConfig::default()
        };
        EventGenerator::new(config).take(events).map(Event::from).collect()
    }
}

/// How far out of order events are: as far as one comes behind the latest before it.
pub(crate) fn disorder_of(events: &[Event]) -> Result<BoundedDisorder, SpanError> {
    let mut latest = Timestamp::MIN;
    let behind = events.iter().map(|event| {
        latest = latest.max(event.at());
        latest.as_nanos().abs_diff(event.at().as_nanos())
    });
    BoundedDisorder::new(Duration::from_nanos(behind.max().unwrap_or(0)))
}

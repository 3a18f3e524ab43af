//! How long records take, where they come when they are due and not when somebody is ready for them.
//!
//! A virtual machine loses milliseconds to its host now and then. So each scenario is many short rounds, ours, the rival's and a
//! loop that does nothing but look at the clock in turn, and each percentile is told as the median over the rounds and the best.

mod dispatch;
pub(crate) mod load;
mod ours;
mod overload;
mod plot;
mod scenario;
mod schedule;
mod timely;

use std::time::Duration;

pub use overload::{Overload, overload};
pub use scenario::{Curve, Found, Row, SCENARIOS, Scenario};
pub use schedule::{Dues, Schedule};

/// How many keys there are, unless something else is said.
const KEYS: u64 = 1_024;
/// The length of tumbling windows.
const WINDOW: Duration = Duration::from_millis(10);

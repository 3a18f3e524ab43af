//! Windows that are kept after they have fired, and for how long.

use super::*;
use crate::{
    algorithm::{FingerTree, using},
    narrow::Narrow,
    stats,
};

#[test]
#[should_panic(expected = "only a finger tree keeps windows that have fired")]
fn windows_are_kept_by_a_tree_alone() {
    let windows = Sliding::tumbling(Duration::from_nanos(10)).unwrap();
    let _ = WindowFold::<u8, _, ()>::new(windows, crate::count()).with_lateness(Span::ZERO, false);
}

#[test]
fn a_key_is_forgotten_once_its_windows_are_closed_for_good_though_nothing_else_comes() {
    let windows = Sliding::tumbling(Duration::from_nanos(10)).unwrap();
    let fold = WindowFold::new(windows, using(FingerTree, stats(|n: &i64| *n)));
    let mut fold = fold.with_lateness(Duration::from_nanos(20).try_into().unwrap(), false);
    let mut out = Narrow::new(usize::MAX);
    let value = Keyed { key: 1_u8, value: 7 };
    fold.on_record(Record { time: Timestamp::from_nanos(5), value }, &mut out);
    for (watermark, keys) in [(10, 1), (29, 1), (30, 0)] {
        out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(watermark)));
        assert_eq!(fold.whole.keys(), keys, "at {watermark}");
    }
}

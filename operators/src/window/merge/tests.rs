use super::*;
use crate::Count;

#[test]
fn a_key_too_many_is_a_fault_of_the_second_stage() {
    let window = TimeWindow { start: Timestamp::from_nanos(0), end: Timestamp::from_nanos(10) };
    let mut merge = WindowMerge::<u64, Count, ()>::new(
        crate::count(),
        KeyLimits { expected: 2, most: 3, ..KeyLimits::default() },
    );
    let mut out = Vec::new();
    for key in 0..4 {
        assert_eq!(merge.fault(), None);
        let value = Keyed { key, value: Partial::Acc(window, 1) };
        merge.on_record(Record { time: Timestamp::from_nanos(9), value }, &mut out);
    }
    assert_eq!(merge.fault(), Some(Fault::TooManyKeys { most: 3 }));
}

use super::*;

fn report(records_in: u64) -> JobReport {
    JobReport {
        records_in,
        records_added: 2,
        records_on_time: 7,
        records_late: 3,
        records_refused: 0,
        records_rejected: 1,
        records_filtered: 1,
        results: 5,
        held: 0,
        missed_windows: 0,
        elapsed: Duration::ZERO,
        workers: Vec::new(),
        tasks: Vec::new(),
        edges: Vec::new(),
        decisions: Vec::new(),
        stalls: Vec::new(),
        latencies: Vec::new(),
    }
}

#[test]
fn a_record_missing_or_counted_twice_is_noticed() {
    assert!(imbalance(&report(10)).is_none());
    for records_in in [9, 11] {
        let noticed = imbalance(&report(records_in));
        assert!(matches!(noticed, Some(Failure::Unbalanced { accounted: 12, .. })));
    }
}

#[test]
fn a_record_lost_in_an_edge_is_noticed() {
    let name = crate::OperatorName::here(&"map");
    let mut edge = EdgeReport {
        from: name,
        to: name,
        records_in: 4,
        batches_in: 1,
        records_out: 4,
        batches_out: 1,
        occupancy: 0,
        capacity: SLOTS,
    };
    assert!(loss(&JobReport { edges: vec![edge.clone()], ..report(10) }).is_none());
    edge.records_out = 3;
    let noticed = loss(&JobReport { edges: vec![edge], ..report(10) });
    assert!(matches!(noticed, Some(Failure::Lost { given: 4, taken: 3, .. })));
}

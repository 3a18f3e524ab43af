//! What windows should come to, recomputed as the semantics are worded: record by record, window by window,
//! with nothing shared with the code under test.

use std::collections::BTreeMap;

/// Count, sum, least, greatest.
pub(crate) type Figures = (u64, i128, i64, i64);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome<K> {
    /// By window end, window start and key: the order in which an ordered stream brings them.
    pub results: BTreeMap<(i64, i64, K), Figures>,
    /// The positions in the input of the late records.
    pub late: Vec<usize>,
    pub on_time: u64,
    pub missed_windows: u64,
}

/// Windows `[k · every, k · every + size)` over records of (time, key, value), in any unit of time.
pub(crate) fn windows<K: Clone + Ord>(
    input: impl IntoIterator<Item = (i64, K, i64)>,
    size: i64,
    every: i64,
    disorder: i64,
) -> Outcome<K> {
    let mut outcome = Outcome { results: BTreeMap::new(), late: Vec::new(), on_time: 0, missed_windows: 0 };
    let mut watermark = i64::MIN;
    for (position, (time, key, value)) in input.into_iter().enumerate() {
        let mut start = time.div_euclid(every) * every;
        let mut open = 0;
        while start + size > time {
            if start + size <= watermark {
                outcome.missed_windows += 1;
            } else {
                open += 1;
                let at = (start + size, start, key.clone());
                let figures = outcome.results.entry(at).or_insert((0, 0, i64::MAX, i64::MIN));
                figures.0 += 1;
                figures.1 += i128::from(value);
                figures.2 = figures.2.min(value);
                figures.3 = figures.3.max(value);
            }
            start -= every;
        }
        if open == 0 {
            outcome.late.push(position);
        } else {
            outcome.on_time += 1;
        }
        watermark = watermark.max(time - disorder);
    }
    outcome
}

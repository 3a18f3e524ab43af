use std::hash::Hash;

use super::side::{Link, Node, Side, Stretch};
use crate::hash_key;

/// What records are told apart by before their keys are compared: the upper half of the key's hash, which is the good one,
/// except its last bit.
#[inline(always)]
pub(super) fn hash<K: Hash>(key: &K) -> u32 {
    (hash_key(key) >> 32) as u32 | 1
}

/// No record has this one.
const NO_HASH: u32 = 0;

/// The left records of a partition, found by hash, and pairs that have been found with right ones.
///
/// The records are sorted by a few bits of the hash (a *bucket*), those of a bucket in order of arrival: so a right record
/// finds its partners side by side, and all of its comparisons are made without a branch that could be guessed wrong.
pub(super) struct Matches {
    /// Where each bucket begins.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// The number of the last bucket.
    mask: u32,
    pairs: Box<[Pair; PAIRS_MAX]>,
    found: usize,
}

/// A left record.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    hash: u32,
    link: Link,
}

/// A left record, and the place of the right one in its chunk; their hashes agree.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pair {
    pub(super) left: Link,
    pub(super) right: u32,
}

/// A right record in its chunk, and how many of its bucket it has been compared with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) place: usize,
    compared: usize,
}

/// Pairs found at a time.
const PAIRS_MAX: usize = 512;

/// Entries that a record is compared with at once, and how many lie behind the last that counts.
const STRIDE: usize = 4;

/// Left records that there is room for from the beginning: a partition has fewer, unless keys are few.
const INITIAL_ENTRIES: usize = 2_048;

impl Matches {
    pub(super) fn new() -> Self {
        Self {
            starts: vec![0; 2 * INITIAL_ENTRIES + 2],
            entries: vec![Entry::default(); INITIAL_ENTRIES + STRIDE],
            mask: 1,
            pairs: Box::new([Pair::default(); PAIRS_MAX]),
            found: 0,
        }
    }

    /// Puts the left records of a partition in place of those before.
    pub(super) fn fill<K, L>(&mut self, left: &Side<K, L>, stretches: &[Stretch]) {
        let records: usize = stretches.iter().map(|stretch| left.nodes(*stretch).len()).sum();
        self.reserve(records);
        let (starts, entries, mask) = (&mut self.starts[..], &mut self.entries[..], self.mask);
        // Two places on, so that what the places come to be is where each bucket begins.
        for stretch in stretches {
            for node in left.nodes(*stretch) {
                if node.missed <= stretch.closed {
                    starts[bucket(node.hash, mask) + 2] += 1;
                }
            }
        }
        let mut sum = 0;
        for start in &mut starts[..mask as usize + 3] {
            sum += *start;
            *start = sum;
        }
        for stretch in stretches {
            for (place, node) in left.nodes(*stretch).iter().enumerate() {
                if node.missed <= stretch.closed {
                    let start = &mut starts[bucket(node.hash, mask) + 1];
                    entries[*start as usize] = Entry { hash: node.hash, link: stretch.link(place) };
                    *start += 1;
                }
            }
        }
        let end = sum as usize;
        entries[end..end + STRIDE].fill(Entry { hash: NO_HASH, link: Link::default() });
    }

    /// Goes on finding partners for the right records of a chunk.
    ///
    /// All of it are looked at first, in a loop so short that many are on their way from memory at a time.
    pub(super) fn find<K, R>(&mut self, nodes: &[Node<K, R>], closed: u32, progress: &mut Progress) {
        let (starts, entries, mask) = (&self.starts[..], &self.entries[..], self.mask);
        let Progress { mut place, mut compared } = *progress;
        let all_count = nodes.iter().fold(0, |most, node| most.max(node.missed)) <= closed;
        let mut found = 0;
        while let Some(node) = nodes.get(place)
            && found <= PAIRS_MAX - STRIDE
        {
            if !all_count && node.missed > closed {
                place += 1;
                continue;
            }
            let [start, end] = *bounds(starts, bucket(node.hash, mask));
            let start = start as usize + compared;
            // Those behind the bucket's are compared too: their hashes differ.
            for entry in &entries[start..start + STRIDE] {
                #[expect(clippy::cast_possible_truncation, reason = "a place in a chunk")]
                let right = place as u32;
                self.pairs[found] = Pair { left: entry.link, right };
                found += usize::from(entry.hash == node.hash);
            }
            if start + STRIDE < end as usize {
                compared += STRIDE;
            } else {
                place += 1;
                compared = 0;
            }
        }
        *progress = Progress { place, compared };
        self.found = found;
    }

    /// What was found last.
    #[inline]
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs[..self.found]
    }

    /// Nothing has been found.
    pub(super) fn forget(&mut self) {
        self.found = 0;
    }

    /// Makes room for so many records, and all buckets empty.
    fn reserve(&mut self, records: usize) {
        let buckets = (records + records / 2).max(2).next_power_of_two();
        if self.starts.len() < buckets + 2 {
            self.starts.resize(buckets + 2, 0);
        }
        if self.entries.len() < records + STRIDE {
            self.entries.resize(records.next_power_of_two() + STRIDE, Entry::default());
        }
        self.starts[..buckets + 2].fill(0);
        self.mask = u32::try_from(buckets - 1).expect("fewer than 2^32 records at once");
    }
}

/// Which bucket records with this hash are in. The upper bits of it are those of the partition.
#[inline(always)]
fn bucket(hash: u32, mask: u32) -> usize {
    ((hash >> 1) & mask) as usize
}

/// Where a bucket begins and ends.
#[inline(always)]
fn bounds(starts: &[u32], bucket: usize) -> &[u32; 2] {
    starts[bucket..].first_chunk().expect("the last bucket has an end")
}

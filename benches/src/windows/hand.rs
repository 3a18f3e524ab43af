//! What one would write for this one job, knowing that the records come in order: a ring of slices and a running sum for each key.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{Readings, SECOND, add};
use crate::comparison::Digest;

/// How many seconds a window has.
pub(super) const SLICES: usize = 60;

struct Ring {
    slices: [(i64, u32); SLICES],
    sum: i64,
    records: u32,
}

pub(super) fn run(readings: Readings) -> u64 {
    let (mut digest, mut second) = (Digest::default(), 0);
    let mut rings = HashMap::<u64, Box<Ring>, FxBuildHasher>::default();
    for (time, reading) in readings.iter() {
        while time >= (second + 1) * SECOND {
            slide(&mut rings, second, &mut digest);
            second += 1;
        }
        let new = || Box::new(Ring { slices: [(0, 0); SLICES], sum: 0, records: 0 });
        let ring = rings.entry(reading.key).or_insert_with(new);
        let slice = &mut ring.slices[usize::try_from(second).expect("not negative") % SLICES];
        *slice = (slice.0 + reading.value, slice.1 + 1);
        ring.sum += reading.value;
        ring.records += 1;
    }
    (0..SLICES as i64).for_each(|more| slide(&mut rings, second + more, &mut digest));
    digest.value()
}

/// Emits what there is at the end of a second, and lets go of the oldest.
fn slide(rings: &mut HashMap<u64, Box<Ring>, FxBuildHasher>, second: i64, digest: &mut Digest) {
    let oldest = usize::try_from(second + 1).expect("not negative") % SLICES;
    for (key, ring) in rings {
        if ring.records > 0 {
            add(digest, (second + 1 - SLICES as i64) * SECOND, *key, ring.sum);
            let (sum, records) = std::mem::take(&mut ring.slices[oldest]);
            ring.sum -= sum;
            ring.records -= records;
        }
    }
}

use super::Windowed;
use crate::{Emit, Fault, HeldLimit, Keyed, Record, Tally};

/// Does not take a record for which there may be no memory: that is a fault, or the record is late.
#[cold]
#[inline(never)]
pub(super) fn refuse<K, T, R>(
    limit: HeldLimit,
    Record { time, value }: Record<Keyed<K, T>>,
    (fault, tally): (&mut Option<Fault>, &mut Tally),
    out: &mut impl Emit<Windowed<K, T, R>>,
) {
    match limit.fault() {
        Some(beyond) => *fault = Some(beyond),
        None => {
            tally.late += 1;
            tally.refused += 1;
            out.emit(Record { time, value: Windowed::Late(value) });
        }
    }
}

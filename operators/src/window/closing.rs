use nacreous_watermark::{Timestamp, Watermark};

use super::{Lateness, Slicing};

/// What a watermark leaves of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    /// The number of the first window that is open: all before it have fired.
    pub(super) open_from: i64,
    /// The number of the first window that is kept: all before it are closed for good.
    pub(super) kept_from: i64,
}

/// There is memory for so many corrections of each record in a batch, should all be late; more may cost the allocator's time.
const CORRECTED_MAX: usize = 16;

impl Closing {
    pub(super) const NONE: Self = Self { open_from: i64::MIN, kept_from: i64::MIN };

    /// What a watermark leaves of these.
    pub(super) fn at(watermark: Watermark, windows: &impl Slicing, lateness: Lateness) -> Self {
        let open_from = windows.first_open(watermark);
        if lateness.allowed == 0 || watermark.is_end() {
            return Self { open_from, kept_from: open_from };
        }
        let kept = Timestamp::from_nanos(watermark.time().as_nanos().saturating_sub(lateness.allowed));
        Self { open_from, kept_from: windows.first_open(Watermark::at(kept)) }
    }

    /// What both leave.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            open_from: self.open_from.max(other.open_from),
            kept_from: self.kept_from.max(other.kept_from),
        }
    }
}

/// For how many windows that a record corrects there is to be memory.
pub(super) fn corrected(windows: &impl Slicing, lateness: Lateness) -> usize {
    if lateness.allowed == 0 {
        return 0;
    }
    let zero = Timestamp::from_nanos(0);
    let (first, last) = windows.windows_over(windows.slice_at(zero));
    let Closing { open_from, kept_from } = Closing::at(Watermark::at(zero), windows, lateness);
    let most = last.abs_diff(first).min(open_from.abs_diff(kept_from)).saturating_add(1);
    usize::try_from(most).map_or(CORRECTED_MAX, |most| most.min(CORRECTED_MAX))
}

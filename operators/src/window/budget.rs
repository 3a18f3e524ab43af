/// How much is done at once that nothing comes out of, so that other tasks on the thread get their turn.
///
/// What does come out is bounded by the [room](crate::Emit::has_room) for it.
#[derive(Debug)]
pub(super) struct Budget(u32);

/// So many keys, records or timers: some tens of microseconds, if each comes from far away.
const ITEMS: u32 = 512;

impl Budget {
    /// That of one call.
    pub(super) fn new() -> Self {
        Self(ITEMS)
    }

    /// Spends one item of it; whether it was the last.
    #[inline(always)]
    #[must_use]
    pub(super) fn is_spent(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

/// Has an operator deal with a watermark, however often it has to be called for that.
#[cfg(test)]
pub(super) fn advance<I, O: crate::Operator<I>>(
    operator: &mut O,
    watermark: nacreous_watermark::Watermark,
    out: &mut impl crate::Emit<O::Out>,
) {
    while operator.on_watermark(watermark, out) == crate::Step::More {}
}

/// The unit is 2⁻¹⁰⁷⁴, the least `f64`. The greatest is below 2²⁰⁹⁸ of them, and 2⁶⁴ such below 2²¹⁶², which leaves
/// a bit for the sign.
const WORDS: usize = 34;

/// The bits of a float's fraction.
const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;

/// What the exponent's bits are of what is not finite.
const NOT_FINITE: u64 = 0x7FF;

/// The exact sum of so many floats, as [`float_sum`](crate::float_sum) keeps it.
///
/// Sums are equal if they are the same number and have had the same NaNs and infinities put in, whatever else was put
/// in and taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExactSum {
    /// An integer in two's complement, the lowest word first.
    words: [u64; WORDS],
    nans: u64,
    /// How many were +∞, and −∞.
    infinite: [u64; 2],
}

impl ExactSum {
    /// The sum of none.
    pub const ZERO: Self = Self { words: [0; WORDS], nans: 0, infinite: [0; 2] };

    /// Adds a float.
    #[inline]
    pub fn add(&mut self, float: f64) {
        let bits = float.to_bits();
        let (exponent, fraction) = ((bits >> FRACTION) & NOT_FINITE, bits & ((1 << FRACTION) - 1));
        if exponent == NOT_FINITE {
            return self.add_not_finite(float);
        }
        // Those below the normal ones have no leading one, and the exponent of the least normal.
        let mantissa = fraction | (u64::from(exponent != 0) << FRACTION);
        let shift = exponent.saturating_sub(1);
        let wide = u128::from(mantissa) << (shift % 64);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let pair = [wide as u64, (wide >> 64) as u64];
        let at = (shift / 64) as usize;
        if float.is_sign_negative() {
            self.take_at(at, pair);
        } else {
            self.put_at(at, pair);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_not_finite(&mut self, float: f64) {
        if float.is_nan() {
            self.nans += 1;
        } else {
            self.infinite[usize::from(float.is_sign_negative())] += 1;
        }
    }

    #[inline]
    fn put_at(&mut self, at: usize, [low, high]: [u64; 2]) {
        let mut carry;
        (self.words[at], carry) = self.words[at].overflowing_add(low);
        (self.words[at + 1], carry) = self.words[at + 1].carrying_add(high, carry);
        for word in &mut self.words[at + 2..] {
            if !carry {
                break;
            }
            (*word, carry) = word.overflowing_add(1);
        }
    }

    #[inline]
    fn take_at(&mut self, at: usize, [low, high]: [u64; 2]) {
        let mut borrow;
        (self.words[at], borrow) = self.words[at].overflowing_sub(low);
        (self.words[at + 1], borrow) = self.words[at + 1].borrowing_sub(high, borrow);
        for word in &mut self.words[at + 2..] {
            if !borrow {
                break;
            }
            (*word, borrow) = word.overflowing_sub(1);
        }
    }

    /// Adds another sum.
    pub fn combine(&mut self, other: &Self) {
        let mut carry = false;
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            (*word, carry) = word.carrying_add(*other, carry);
        }
        self.nans += other.nans;
        self.infinite[0] += other.infinite[0];
        self.infinite[1] += other.infinite[1];
    }

    /// Takes another sum out, which has been combined into this one.
    pub fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            (*word, borrow) = word.borrowing_sub(*other, borrow);
        }
        self.nans -= other.nans;
        self.infinite[0] -= other.infinite[0];
        self.infinite[1] -= other.infinite[1];
    }

    /// The nearest float; of two, that whose last bit is zero.
    pub fn round(&self) -> f64 {
        match (self.nans, self.infinite) {
            (0, [0, 0]) => self.round_finite(),
            (0, [_, 0]) => f64::INFINITY,
            (0, [0, _]) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }

    fn round_finite(&self) -> f64 {
        let is_negative = self.words[WORDS - 1].cast_signed() < 0;
        let mut magnitude = Self::ZERO;
        if is_negative {
            magnitude.subtract(&Self { nans: 0, infinite: [0; 2], ..*self });
        } else {
            magnitude.words = self.words;
        }
        let bits = rounded_bits(&magnitude.words);
        f64::from_bits(bits | u64::from(is_negative) << 63)
    }
}

/// The bits of the float nearest to so many units.
fn rounded_bits(words: &[u64; WORDS]) -> u64 {
    let Some(top) = words.iter().rposition(|word| *word != 0) else { return 0 };
    let leading = top as u64 * 64 + u64::from(words[top].ilog2());
    // Up to here the bits of a float are the number of units.
    let Some(shift) = leading.checked_sub(FRACTION.into()) else { return words[0] };
    if shift >= NOT_FINITE - 1 {
        return f64::INFINITY.to_bits();
    }
    let bit = |at: u64| words[(at / 64) as usize] >> (at % 64) & 1 == 1;
    let any_below = |at: u64| {
        let (word, bits) = ((at / 64) as usize, at % 64);
        words[..word].iter().any(|word| *word != 0) || words[word] & ((1 << bits) - 1) != 0
    };
    let at = (shift / 64) as usize;
    let pair = u128::from(words[at]) | u128::from(words[at + 1]) << 64;
    #[expect(clippy::cast_possible_truncation, reason = "above the leading bit there is none")]
    let mantissa = (pair >> (shift % 64)) as u64;
    let rounds_up = shift > 0 && bit(shift - 1) && (mantissa & 1 == 1 || any_below(shift - 1));
    // The leading bit, which is not written down, counts the exponent up by one; so does what is rounded up to a power of two.
    (shift << FRACTION) + mantissa + u64::from(rounds_up)
}

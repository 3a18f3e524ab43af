use fastrand::Rng;

use super::*;
use crate::{
    aggregate::shuffled::{Seen, agrees},
    laws,
};

const NASTY: [f64; 15] = [
    0.0,
    -0.0,
    1.0,
    -0.1,
    1e16,
    -1e16,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    -1.5e-323,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e300,
];

fn sum(floats: &[f64]) -> f64 {
    let mut sum = ExactSum::ZERO;
    floats.iter().for_each(|float| sum.add(*float));
    sum.round()
}

#[test]
fn the_laws_hold_to_the_last_bit() {
    laws::of_groups(&Seen(float_sum(|n: &f64| *n), f64::to_bits), &NASTY);
    laws::of_groups(&fixed_sum(2, |n: &f64| *n), &NASTY);
    laws::of_groups(&fixed_sum(22, |n: &f64| *n), &NASTY);
}

/// Any finite float, as likely small as large.
fn any_finite(rng: &mut Rng) -> f64 {
    loop {
        let float = f64::from_bits(rng.u64(..));
        if float.is_finite() {
            return float;
        }
    }
}

#[test]
fn one_float_is_its_own_sum() {
    let mut rng = Rng::with_seed(7);
    for float in (0..10_000).map(|_| any_finite(&mut rng)).chain(NASTY).filter(|float| *float != 0.0) {
        assert!(sum(&[float]).to_bits() == float.to_bits() || float.is_nan(), "{float:e}");
    }
    assert!(sum(&[]).is_sign_positive() && sum(&[-0.0]).is_sign_positive());
}

/// IEEE 754 rounds the exact sum of two, to the nearest even: so do we.
#[test]
fn two_floats_are_added_as_the_processor_does() {
    let mut rng = Rng::with_seed(8);
    for _ in 0..100_000 {
        let one = any_finite(&mut rng);
        // Of about the same size, so that what is rounded away matters.
        let other =
            f64::from_bits(one.to_bits() ^ rng.u64(..) >> rng.u32(0..12)) * 2_f64.powi(rng.i32(-60..60));
        let expected = if other.is_finite() { one + other } else { continue };
        let found = sum(&[one, other]);
        assert!(
            found.to_bits() == expected.to_bits() || found == 0.0 && expected == 0.0,
            "{one:e} + {other:e}: {found:e}"
        );
    }
}

#[test]
fn it_is_rounded_once_and_to_even() {
    let ulp = f64::EPSILON;
    let halfway = [1.0, ulp / 2.0];
    assert_eq!(sum(&halfway).to_bits(), 1_f64.to_bits());
    assert_eq!(sum(&[1.0, ulp / 2.0, 5e-324]).to_bits(), (1.0 + ulp).to_bits());
    assert_eq!(sum(&[-1.0, -ulp, -ulp / 2.0]).to_bits(), (-1.0 - 2.0 * ulp).to_bits());
    assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]).to_bits(), f64::MAX.to_bits());
    assert_eq!(sum(&[f64::MAX, f64::MAX]).to_bits(), f64::INFINITY.to_bits());
    assert_eq!(sum(&[f64::MIN, f64::MIN, 1.0]).to_bits(), f64::NEG_INFINITY.to_bits());
    assert_eq!(sum(&[f64::MIN_POSITIVE, -5e-324]).to_bits(), (f64::MIN_POSITIVE - 5e-324).to_bits());
}

#[test]
fn what_is_not_finite_counts_wherever_it_comes() {
    assert!(sum(&[f64::NAN, 1.0]).is_nan());
    assert!(sum(&[f64::INFINITY, 1.0, f64::NEG_INFINITY]).is_nan());
    assert_eq!(sum(&[1.0, f64::INFINITY, f64::MIN]).to_bits(), f64::INFINITY.to_bits());
    let mut acc = ExactSum::ZERO;
    let nan = float_sum(|n: &f64| *n).lift(&f64::NAN, Timestamp::MIN);
    acc.add(1.5);
    acc.combine(&nan);
    acc.subtract(&nan);
    assert_eq!(acc.round().to_bits(), 1.5_f64.to_bits());
}

#[test]
fn it_is_the_same_however_it_is_combined() {
    // Integers that are floats, of which the sums are not: they are rounded.
    #[expect(clippy::cast_precision_loss, reason = "rounded once on both sides")]
    let scaled = |n: i128| n as f64 / 2_f64.powi(20);
    agrees(
        &float_sum(|n: &i64| scaled((*n).into())),
        |rng| rng.i64(-(1 << 53)..=1 << 53),
        f64::to_bits,
        |all| scaled(all.iter().map(|(n, _)| i128::from(*n)).sum()).to_bits(),
    );
    let wild =
        |rng: &mut Rng| if rng.u8(..) == 0 { NASTY[rng.usize(..NASTY.len())] } else { any_finite(rng) };
    agrees(&float_sum(|n: &f64| *n), wild, f64::to_bits, |all| {
        sum(&all.iter().map(|(n, _)| *n).collect::<Vec<_>>()).to_bits()
    });
    agrees(
        &fixed_sum(3, |n: &f64| *n),
        |rng| f64::from(rng.i32(..)) / 1000.0,
        |sum| sum.units,
        |all| {
            #[expect(clippy::cast_possible_truncation, reason = "within the range of i32")]
            all.iter().map(|(n, _)| (n * 1000.0).round() as i128).sum()
        },
    );
}

#[test]
fn a_fixed_sum_leaves_out_what_does_not_fit() {
    let sum = fixed_sum(2, |n: &f64| *n);
    let unfit = |n: f64| sum.lift(&n, Timestamp::MIN).unfit;
    assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e17, -1e17].map(unfit), [1; 5]);
    assert_eq!([0.0, 9e16, -9e16, 5e-324].map(unfit), [0; 4]);
    assert_eq!([0.005, -0.005, 0.0049].map(|n| sum.lift(&n, Timestamp::MIN).units), [1, -1, 0]);
}

#[test]
#[should_panic(expected = "23 digits are more than 22")]
fn more_digits_than_a_float_scales_by_are_refused() {
    fixed_sum(23, |n: &f64| *n);
}

//! Lanes in turn and lanes by rank: fairness, order, ends, and random operations against `VecDeque`s.

use std::{cell::Cell, collections::VecDeque};

use super::*;
use crate::spsc::{self, Sender};

/// The ends of `count` channels.
fn channels<T>(count: usize, capacity: usize) -> (Vec<Sender<T>>, Vec<Receiver<T>>) {
    (0..count).map(|_| spsc::channel(capacity)).unzip()
}

/// The lanes that the next polls return, with one value taken from each.
fn turns(lanes: &mut Lanes<Receiver<usize>>, polls: usize) -> Vec<usize> {
    let turn = |_| {
        let Poll::Ready(lane) = lanes.poll() else { panic!("each lane has something") };
        lanes[lane].pop().expect("it was ready");
        lane
    };
    (0..polls).map(turn).collect()
}

#[test]
fn lanes_that_are_all_full_are_returned_by_the_quota_in_turn() {
    for (quota, share) in [(0, 1), (1, 1), (2, 2), (5, 5)] {
        let (mut senders, receivers) = channels(4, 64);
        for sender in &mut senders {
            (0..64).for_each(|value| sender.push(value).unwrap());
        }
        let mut lanes = Lanes::new(receivers, quota);
        let expected: Vec<_> = (0..60).map(|poll| poll / share % 4).collect();
        assert_eq!(turns(&mut lanes, 60), expected, "quota {quota}");
    }
}

#[test]
fn a_lane_that_runs_dry_loses_the_rest_of_its_turn() {
    let (mut senders, receivers) = channels(3, 8);
    for (sender, count) in senders.iter_mut().zip([8, 1, 8]) {
        (0..count).for_each(|value| sender.push(value).unwrap());
    }
    let mut lanes = Lanes::new(receivers, 3);
    assert_eq!(turns(&mut lanes, 13), [0, 0, 0, 1, 2, 2, 2, 0, 0, 0, 2, 2, 2]);
    senders[1].push(9).unwrap();
    assert_eq!(turns(&mut lanes, 5), [0, 0, 1, 2, 2]);
    assert_eq!(lanes.poll(), Poll::Empty);
}

#[test]
fn an_end_passes_the_turn_to_the_lane_behind_it() {
    for ended in 0..4 {
        let (mut senders, receivers) = channels(4, 64);
        for (lane, sender) in senders.iter_mut().enumerate() {
            (0..if lane == ended { 1 } else { 12 }).for_each(|value| sender.push(value).unwrap());
        }
        drop(senders.remove(ended));
        let mut lanes = Lanes::new(receivers, 1);
        assert_eq!(turns(&mut lanes, 4), [0, 1, 2, 3]);
        let before: Vec<_> = (0..ended).collect();
        assert_eq!(turns(&mut lanes, ended), before);
        assert_eq!(lanes.poll(), Poll::Ended(ended));
        let after: Vec<_> = (ended + 1..4).chain(0..4).filter(|lane| *lane != ended).collect();
        assert_eq!(turns(&mut lanes, after.len()), after, "lane {ended} ended");
        assert_eq!(lanes.open(), 3);
    }
}

#[test]
fn an_end_takes_what_was_left_of_the_turn_before_it() {
    let (mut senders, receivers) = channels(3, 8);
    let mut lanes = Lanes::new(receivers, 3);
    senders[0].push(1).unwrap();
    assert_eq!(turns(&mut lanes, 1), [0]);
    drop(senders.remove(1));
    assert_eq!(lanes.poll(), Poll::Ended(1));
    for sender in &mut senders {
        sender.push(2).unwrap();
    }
    assert_eq!(turns(&mut lanes, 2), [2, 0]);
}

#[test]
fn an_end_is_said_once_and_soon_although_another_lane_is_always_busy() {
    for (quota, busy) in [(1, 0), (1, 2), (4, 1), (4, 0)] {
        let (senders, receivers) = channels(3, 8);
        let mut lanes = Lanes::new(receivers, quota);
        let mut sender = senders.into_iter().nth(busy).unwrap();
        let mut ended = Vec::new();
        for poll in 0..100 {
            let _ = sender.push(poll);
            match lanes.poll() {
                Poll::Ready(lane) => {
                    assert_eq!(lane, busy);
                    lanes[lane].pop().unwrap();
                }
                Poll::Ended(lane) => {
                    assert!(poll < 2 * quota + 2, "said after {poll} polls");
                    ended.push(lane);
                }
                Poll::Empty => panic!("lane {busy} is never empty"),
            }
        }
        ended.sort_unstable();
        let others: Vec<_> = (0..3).filter(|lane| *lane != busy).collect();
        assert_eq!((ended, lanes.open()), (others, 1));
    }
}

#[test]
fn no_lanes_and_lanes_that_have_all_ended_are_empty() {
    let mut none = Lanes::new(Vec::<Receiver<u8>>::new(), 1);
    assert_eq!((none.poll(), none.open()), (Poll::Empty, 0));
    let (senders, receivers) = channels::<u8>(2, 1);
    let mut lanes = Lanes::new(receivers, 1);
    assert_eq!((lanes.poll(), lanes.open()), (Poll::Empty, 2));
    drop(senders);
    let mut ended = [lanes.poll(), lanes.poll()];
    ended.sort_unstable_by_key(|poll| *poll == Poll::Ended(1));
    assert_eq!(ended, [Poll::Ended(0), Poll::Ended(1)]);
    assert_eq!((lanes.poll(), lanes.poll(), lanes.open()), (Poll::Empty, Poll::Empty, 0));
}

#[test]
fn random_lanes_keep_their_order_end_once_and_wait_no_longer_than_the_others_quotas() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (count, quota) = (random.usize(1..6), random.usize(1..5));
        let (senders, receivers) = channels(count, 16);
        let mut senders: Vec<_> = senders.into_iter().map(Some).collect();
        let mut lanes = Lanes::new(receivers, quota);
        let mut oracle = vec![VecDeque::new(); count];
        let mut said = vec![false; count];
        let mut waited = vec![0; count];
        for step in 0..2_000 {
            let at = format!("seed {seed}, step {step}");
            let lane = random.usize(..count);
            match random.u16(0..1_000) {
                0..3 => senders[lane] = None,
                3..500 => {
                    if let Some(sender) = &mut senders[lane]
                        && sender.push(step).is_ok()
                    {
                        oracle[lane].push_back(step);
                    }
                }
                _ => {
                    let has_news = |lane: usize, oracle: &[VecDeque<_>], said: &[bool]| {
                        !oracle[lane].is_empty() || senders[lane].is_none() && !said[lane]
                    };
                    let news: Vec<_> = (0..count).filter(|lane| has_news(*lane, &oracle, &said)).collect();
                    news.iter().for_each(|lane| waited[*lane] += 1);
                    match lanes.poll() {
                        Poll::Ready(lane) => {
                            assert!(!oracle[lane].is_empty(), "{at}");
                            assert_eq!(lanes[lane].pop(), oracle[lane].pop_front(), "{at}");
                            waited[lane] = 0;
                        }
                        Poll::Ended(lane) => {
                            assert!(news.contains(&lane) && oracle[lane].is_empty(), "{at}");
                            assert!(!said[lane], "{at}: said twice");
                            (said[lane], waited[lane]) = (true, 0);
                        }
                        Poll::Empty => assert_eq!(news, [], "{at}"),
                    }
                    let longest = (count - 1) * (quota + 1) + 1;
                    assert!(waited.iter().all(|polls| *polls < longest), "{at}: {waited:?}");
                    assert_eq!(lanes.open(), said.iter().filter(|said| !**said).count(), "{at}");
                }
            }
        }
    }
}

#[test]
fn every_consuming_end_is_a_lane() {
    // The producer goes when it has pushed.
    fn sees_and_ends<L: Lane<Value = u64>>(mut lane: L, push: impl FnOnce() -> bool) {
        assert_eq!(lane.peek(), None);
        assert!(!lane.is_closed());
        assert!(push());
        assert_eq!((lane.is_closed(), lane.peek()), (true, Some(&7)));
    }
    let (mut producer, consumer) = spsc::ring(2, || 0);
    sees_and_ends(consumer, move || producer.push(7).is_ok());
    let (mut sender, receiver) = spsc::channel(2);
    sees_and_ends(receiver, move || sender.push(7).is_ok());
    let (mut sender, receiver) = mpsc::channel(2);
    sees_and_ends(receiver, move || sender.push(7).is_ok());
    let (mut producer, [consumer]) = broadcast::ring(2, || 0);
    sees_and_ends(consumer, move || {
        *producer.claim().unwrap() = 7;
        producer.publish();
        true
    });
}

/// A lane whose last value arrives, and whose producer goes, just before someone asks whether it is closed.
struct LastMoment {
    asked: Cell<bool>,
}

impl Lane for LastMoment {
    type Value = u8;

    fn peek(&mut self) -> Option<&u8> {
        self.asked.get().then_some(&1)
    }

    fn is_closed(&self) -> bool {
        self.asked.set(true);
        true
    }
}

#[test]
fn a_value_published_just_before_the_close_is_not_taken_for_the_end() {
    let lane = || LastMoment { asked: Cell::new(false) };
    assert_eq!(Lanes::new([lane(), lane()], 1).poll(), Poll::Ready(1));
    assert_eq!(Ranked::new([lane(), lane()], |value| *value).poll(), Poll::Ready(0));
}

/// Pushes and polls in an order of its own until all lanes have ended; each value with its lane, in the order in
/// which they came out.
fn merge(inputs: &[Vec<(u8, usize)>], random: &mut fastrand::Rng, at: &str) -> Vec<(usize, (u8, usize))> {
    let (senders, receivers) = channels(inputs.len(), random.usize(1..10));
    let mut senders: Vec<_> = senders.into_iter().map(Some).collect();
    let mut lanes = Ranked::new(receivers, |value: &(u8, usize)| value.0);
    let mut pushed = vec![0; inputs.len()];
    let mut popped = vec![0; inputs.len()];
    let mut ended = vec![false; inputs.len()];
    let mut merged = Vec::new();
    // How often it pushes for each time that it polls.
    let pushes = random.f64();
    while ended.iter().any(|ended| !ended) {
        if random.f64() < pushes.clamp(0.1, 0.9) {
            let lane = random.usize(..inputs.len());
            match (&mut senders[lane], inputs[lane].get(pushed[lane])) {
                (Some(sender), Some(value)) => pushed[lane] += usize::from(sender.push(*value).is_ok()),
                (sender, _) => *sender = None,
            }
            continue;
        }
        let dry = |lane: &usize| pushed[*lane] == popped[*lane] && senders[*lane].is_some();
        let awaited = (0..inputs.len()).find(dry);
        match lanes.poll() {
            Poll::Ready(lane) => {
                assert_eq!((awaited, lanes.awaited()), (None, None), "{at}");
                // One that is returned and not taken from is returned again.
                if random.u8(0..4) > 0 {
                    merged.push((lane, lanes[lane].pop().expect("it was ready")));
                    popped[lane] += 1;
                }
            }
            Poll::Ended(lane) => {
                assert!(!ended[lane], "{at}: said twice");
                assert_eq!(popped[lane], inputs[lane].len(), "{at}: ended before all was taken");
                ended[lane] = true;
            }
            Poll::Empty => {
                assert!(awaited.is_some(), "{at}: empty, and nothing to wait for");
                assert_eq!(lanes.awaited(), awaited, "{at}");
            }
        }
    }
    assert_eq!((lanes.poll(), lanes.awaited()), (Poll::Empty, None), "{at}");
    merged
}

#[test]
fn lanes_with_rising_ranks_are_merged_as_if_sorted_however_they_are_interleaved() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut inputs = vec![Vec::new(); random.usize(1..6)];
        for (lane, input) in inputs.iter_mut().enumerate() {
            let mut ranks: Vec<_> = (0..random.usize(0..60)).map(|_| random.u8(0..20)).collect();
            ranks.sort_unstable();
            *input =
                ranks.into_iter().enumerate().map(|(number, rank)| (rank, lane * 100 + number)).collect();
        }
        let lanes = inputs.iter().enumerate();
        let mut expected: Vec<_> =
            lanes.flat_map(|(lane, input)| input.iter().map(move |value| (lane, *value))).collect();
        expected.sort_by_key(|(lane, (rank, _))| (*rank, *lane));
        for interleaving in 0..3 {
            let at = format!("seed {seed}, interleaving {interleaving}");
            assert_eq!(merge(&inputs, &mut random, &at), expected, "{at}");
        }
    }
}

#[test]
fn lanes_whose_ranks_fall_are_merged_by_their_oldest_values_however_they_are_interleaved() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut inputs = vec![Vec::new(); random.usize(1..6)];
        for input in &mut inputs {
            *input = (0..random.usize(0..40)).map(|number| (random.u8(0..20), number)).collect();
        }
        let mut left: Vec<VecDeque<_>> = inputs.iter().map(|input| input.iter().copied().collect()).collect();
        let mut expected = Vec::new();
        while let Some(lane) = (0..left.len())
            .filter(|lane| !left[*lane].is_empty())
            .min_by_key(|lane| left[*lane].front().map(|value: &(u8, usize)| value.0))
        {
            expected.push((lane, left[lane].pop_front().unwrap()));
        }
        for interleaving in 0..3 {
            let at = format!("seed {seed}, interleaving {interleaving}");
            assert_eq!(merge(&inputs, &mut random, &at), expected, "{at}");
        }
    }
}

#[test]
fn an_open_lane_without_a_value_holds_up_the_others_until_it_has_one_or_ends() {
    let (senders, receivers) = channels(3, 4);
    let [mut a, b, mut c] = <[_; 3]>::try_from(senders).unwrap();
    let mut lanes = Ranked::new(receivers, |rank: &u64| *rank);
    assert_eq!((lanes.poll(), lanes.awaited()), (Poll::Empty, Some(0)));
    a.push(5).unwrap();
    assert_eq!((lanes.poll(), lanes.awaited()), (Poll::Empty, Some(1)));
    c.push(1).unwrap();
    assert_eq!((lanes.poll(), lanes.awaited()), (Poll::Empty, Some(1)));
    drop(b);
    assert_eq!(lanes.poll(), Poll::Ended(1));
    assert_eq!((lanes.poll(), lanes.awaited()), (Poll::Ready(2), None));
    assert_eq!(lanes[2].pop(), Some(1));
    assert_eq!((lanes.poll(), lanes.awaited()), (Poll::Empty, Some(2)));
    c.push(5).unwrap();
    assert_eq!(lanes.poll(), Poll::Ready(0), "of equals, the first lane");
    assert_eq!(lanes[0].pop(), Some(5));
    drop(a);
    assert_eq!((lanes.poll(), lanes.poll()), (Poll::Ended(0), Poll::Ready(2)));
    drop(c);
    assert_eq!(lanes[2].pop(), Some(5));
    assert_eq!((lanes.poll(), lanes.poll(), lanes.awaited()), (Poll::Ended(2), Poll::Empty, None));
}

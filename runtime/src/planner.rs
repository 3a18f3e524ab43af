//! Which change of a running job promises most, by what its operators have been found to take.

mod machine;

pub(crate) use machine::hop_ns;

/// A task, as the planner sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    /// Its number in the job.
    pub(crate) task: usize,
    pub(crate) worker: usize,
    /// What it took, in nanoseconds: up to its first joint, then up to the next, and so on to its end.
    pub(crate) stretches: Vec<f64>,
    /// How many records passed each joint.
    pub(crate) passed: Vec<f64>,
    /// What all of it takes as it runs now, over what the stretches take together.
    pub(crate) ratio: f64,
    /// Whether it may be cut: a part of it may be elsewhere already.
    pub(crate) is_whole: bool,
    /// It stays where it is, and whole.
    pub(crate) is_fixed: bool,
}

impl Load {
    fn alone(&self) -> f64 {
        self.stretches.iter().sum()
    }

    fn as_it_runs(&self) -> f64 {
        self.alone() * self.ratio
    }
}

/// A change of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// What is behind the joint of this number goes to another worker.
    Cut { task: usize, at: usize, to: usize },
    /// All of it goes to another worker.
    Move { task: usize, from: usize, to: usize },
}

/// A step and what it promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Promise {
    pub(crate) step: Step,
    /// How many times as fast the job would be.
    pub(crate) gain: f64,
}

/// What is not worth the trouble.
const GAIN_MIN: f64 = 1.1;

/// The steps that promise to make the job faster, the best first. `hop_ns` is what it takes a record to get to another worker, in
/// nanoseconds, on either side.
pub(crate) fn promises(loads: &[Load], workers: usize, hop_ns: f64) -> Vec<Promise> {
    let mut busy = vec![0.0; workers];
    loads.iter().for_each(|load| busy[load.worker] += load.as_it_runs());
    let now = longest(&busy);
    let gain = |busy: &[f64]| if now > 0.0 { now / longest(busy) } else { 1.0 };
    let mut found = Vec::new();
    for load in loads.iter().filter(|load| !load.is_fixed) {
        let (task, from) = (load.task, load.worker);
        for to in (0..workers).filter(|to| *to != from) {
            let mut moved = busy.clone();
            moved[from] -= load.as_it_runs();
            moved[to] += load.as_it_runs();
            found.push(Promise { step: Step::Move { task, from, to }, gain: gain(&moved) });
            for at in (0..load.passed.len()).filter(|_| load.is_whole) {
                let hop = load.passed[at] * hop_ns;
                let (head, tail) = load.stretches.split_at(at + 1);
                let mut cut = busy.clone();
                cut[from] += head.iter().sum::<f64>() + hop - load.as_it_runs();
                cut[to] += tail.iter().sum::<f64>() + hop;
                found.push(Promise { step: Step::Cut { task, at, to }, gain: gain(&cut) });
            }
        }
    }
    found.retain(|promise| promise.gain >= GAIN_MIN);
    found.sort_by(|one, other| other.gain.total_cmp(&one.gain));
    found
}

fn longest(busy: &[f64]) -> f64 {
    busy.iter().copied().fold(f64::MIN_POSITIVE, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(task: usize, worker: usize, stretches: &[f64], ratio: f64) -> Load {
        let passed = vec![1_000.0; stretches.len() - 1];
        Load { task, worker, stretches: stretches.to_vec(), passed, ratio, is_whole: true, is_fixed: false }
    }

    #[test]
    fn a_task_is_cut_where_both_parts_take_about_as_long() {
        let promised = promises(&[load(0, 0, &[100.0, 100.0, 5_000.0, 4_800.0], 1.0)], 2, 0.1);
        assert_eq!(promised[0].step, Step::Cut { task: 0, at: 2, to: 1 });
        assert!((promised[0].gain - 10_000.0 / 5_300.0).abs() < 1e-9, "{promised:?}");
    }

    #[test]
    fn what_is_faster_as_one_loop_than_its_longer_part_alone_stays_one() {
        let stretches = [1_000.0, 1_000.0, 1_000.0, 1_000.0];
        assert_eq!(promises(&[load(0, 0, &stretches, 0.4)], 2, 0.1), []);
        assert_ne!(promises(&[load(0, 0, &stretches, 0.8)], 2, 0.1), []);
        assert_eq!(promises(&[load(0, 0, &stretches, 0.8)], 2, 2.0), [], "the way there takes too long");
        assert_eq!(promises(&[load(0, 0, &stretches, 1.0)], 1, 0.1), [], "there is no other worker");
    }

    #[test]
    fn whole_tasks_are_moved_to_where_there_is_time() {
        let loads = [load(0, 0, &[900.0], 1.0), load(1, 0, &[1_000.0], 1.0), load(2, 1, &[100.0], 1.0)];
        let promised = promises(&loads, 2, 0.0);
        assert_eq!(promised[0].step, Step::Move { task: 0, from: 0, to: 1 });
        assert!((promised[0].gain - 1.9).abs() < 1e-9);
        let lacking = Load { is_whole: false, ..load(0, 0, &[500.0, 500.0], 1.0) };
        assert_eq!(promises(&[lacking], 2, 0.0), [], "it has been cut already");
        let fixed = Load { is_fixed: true, ..load(0, 0, &[500.0, 500.0], 1.0) };
        assert_eq!(promises(&[fixed], 2, 0.0), [], "it is to stay");
        assert_eq!(promises(&[load(0, 0, &[0.0, 0.0], 1.0)], 2, 0.0), [], "nothing is known of it");
    }
}

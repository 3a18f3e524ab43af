use std::time::{Duration, Instant};

use crate::{report::Stall, survey::Layout};

/// How often within the limit a worker is looked at.
const LOOKS: u32 = 4;

/// The most stalls that are kept; a job that has more is known well enough.
const STALLS_MAX: usize = 64;

/// Notices workers that stay in one step for too long.
pub(super) struct StallDetector {
    limit: Duration,
    next_look: Instant,
    /// By worker: the step that it was in, and since when it has been seen there.
    steps: Vec<Option<InStep>>,
}

#[derive(Debug, Clone, Copy)]
struct InStep {
    task: usize,
    step: u64,
    since: Instant,
    /// The position in the list, once it has lasted for longer than the limit.
    stall: Option<usize>,
}

impl StallDetector {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, next_look: Instant::now(), steps: Vec::new() }
    }

    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_look <= now
    }

    /// Looks at all workers, and takes note of stalls that have begun, last, or are over.
    pub(super) fn look(&mut self, now: Instant, layout: &Layout, stalls: &mut Vec<Stall>) {
        self.next_look = now + (self.limit / LOOKS).max(Duration::from_millis(1));
        self.steps.resize(layout.workers.len(), None);
        for (worker, (seen, site)) in self.steps.iter_mut().zip(&layout.workers).enumerate() {
            let current = site.meter.in_step();
            match seen {
                Some(seen) if current == Some((seen.task, seen.step)) => {
                    let lasted = now - seen.since;
                    if let Some(stall) = seen.stall {
                        stalls[stall].lasted = lasted;
                    } else if lasted >= self.limit && stalls.len() < STALLS_MAX {
                        seen.stall = Some(stalls.len());
                        let operators = holders(layout, seen.task);
                        stalls.push(Stall { operators, worker, lasted, over: false });
                    }
                }
                _ => {
                    if let Some(stall) = seen.and_then(|seen| seen.stall) {
                        stalls[stall].over = true;
                    }
                    *seen = current.map(|(task, step)| InStep { task, step, since: now, stall: None });
                }
            }
        }
    }
}

/// Whose code may be running in a step of the task.
fn holders(layout: &Layout, task: usize) -> Vec<crate::OperatorName> {
    let survey = &layout.tasks[task].survey;
    match survey.calls.iter().find(|(_, mark)| mark.is_inside()) {
        Some((sink, _)) => vec![survey.operators[*sink]],
        None => {
            let is_sink = |position: usize| survey.calls.iter().any(|(sink, _)| *sink == position);
            let chain = survey.operators.iter().enumerate().filter(|(position, _)| !is_sink(*position));
            chain.map(|(_, name)| *name).collect()
        }
    }
}

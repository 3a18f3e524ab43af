//! Why a job does not go on: what stands still, and who is to blame.

use nacreous_watermark::Watermark;

use crate::{
    downstream::SLOTS,
    report::{Blockage, Stall},
    survey::{Layout, TaskSite},
};

/// What a task had done when it was last looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    steps: u64,
    watermark: Watermark,
    /// It had done nothing since the look before.
    rested: bool,
    /// Its watermark was where it had been at the look before.
    stood: bool,
}

impl Sample {
    /// Before the first look: like nothing that is found then.
    const NONE: Self = Self { steps: u64::MAX, watermark: Watermark::END, rested: false, stood: false };

    fn look(&mut self, task: &TaskSite) {
        let (steps, watermark) = (task.meter.steps(), task.meter.standing().watermark);
        let (rested, stood) = (steps == self.steps, watermark == self.watermark);
        *self = Self { steps, watermark, rested, stood };
    }

    /// Its watermark has not moved for longer than from one look to the next.
    fn stands(&self, task: &TaskSite) -> bool {
        self.stood && self.watermark == task.meter.standing().watermark
    }

    /// It has done nothing for as long.
    fn rests(&self, task: &TaskSite) -> bool {
        self.rested && self.steps == task.meter.steps()
    }
}

/// Looks at all tasks.
pub(super) fn sample(layout: &Layout, sampled: &mut Vec<Sample>) {
    sampled.resize(layout.tasks.len(), Sample::NONE);
    sampled.iter_mut().zip(&layout.tasks).for_each(|(sample, task)| sample.look(task));
}

/// What blocks whom, upstream first.
pub(super) fn find(layout: &Layout, sampled: &[Sample], stalls: &[Stall]) -> Vec<Blockage> {
    let mut found: Vec<_> = stalls.iter().filter(|stall| !stall.over).cloned().map(Blockage::Held).collect();
    for (number, task) in layout.tasks.iter().enumerate() {
        if task.meter.is_finished() {
            continue;
        }
        let held = stalls.iter().find(|stall| !stall.over && stall.worker == task.instance.worker);
        if held.is_some_and(|stall| !task.survey.operators.contains(&stall.operators[0])) {
            let operators = task.survey.operators.clone();
            found.push(Blockage::NotRun { operators, worker: task.instance.worker });
        }
        if task.meter.is_blocked() {
            found.extend(room_wanted(layout, task));
        }
        if let Some(sample) = sampled.get(number)
            && sample.stands(task)
            && !sample.watermark.is_end()
        {
            found.extend(watermark_wanted(layout, task, sample));
        }
    }
    found
}

/// What a task waits for that cannot hand its output on.
fn room_wanted(layout: &Layout, task: &TaskSite) -> Vec<Blockage> {
    let full =
        task.survey.outputs.iter().filter(|(edge, _)| layout.edges[edge.0].meter.occupancy() >= SLOTS as u64);
    let full: Vec<_> = full
        .filter_map(|(edge, from)| {
            let (_, to) = layout.reader_of(*edge)?;
            Some(Blockage::EdgeFull { from: *task.survey.operators.get(*from)?, to })
        })
        .collect();
    if full.is_empty() { vec![Blockage::NoRoom { operators: task.survey.operators.clone() }] } else { full }
}

/// What holds back a task's watermark, which stands.
fn watermark_wanted(layout: &Layout, task: &TaskSite, sample: &Sample) -> Option<Blockage> {
    let at = sample.watermark;
    let first = *task.survey.operators.first()?;
    match task.survey.inputs.as_slice() {
        // A source that is busy gets on; one that does nothing is what all others wait for.
        [] => (sample.rests(task) && !task.meter.is_blocked()).then(|| Blockage::SourceWatermark {
            source: first,
            part: part_of(layout, task),
            at,
        }),
        [_] => None,
        inputs => {
            let (_, held_by) = layout.writer_of(*inputs.get(task.meter.standing().held_by)?)?;
            Some(Blockage::Watermark { operator: first, at, held_by })
        }
    }
}

/// Which part of its source a task reads, if that has several.
fn part_of(layout: &Layout, task: &TaskSite) -> Option<usize> {
    let source = task.survey.operators.first()?;
    let reads_it =
        |other: &&TaskSite| other.survey.inputs.is_empty() && other.survey.operators.first() == Some(source);
    (layout.tasks.iter().filter(reads_it).count() > 1).then_some(task.instance.number)
}

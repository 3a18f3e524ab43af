//! What a task is made of, for those who look at it from outside.

use std::sync::Arc;

use crate::{
    downstream::Stepwise,
    meter::{CallMark, CostMeter, EdgeMeter, TaskMeter, WorkerMeter},
    operator_name::OperatorName,
    plan::Instance,
};

/// The number of an edge in its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EdgeId(pub(crate) usize);

/// A task: its operators and edges.
#[derive(Debug, Default)]
pub struct Survey {
    /// In the order in which records meet them.
    pub(crate) operators: Vec<OperatorName>,
    /// What each of them takes, if it can be told from what others take.
    pub(crate) costs: Vec<Option<Arc<CostMeter>>>,
    /// Where the task can be cut: the number of operators before that.
    pub(crate) joints: Vec<usize>,
    lacks_a_part: bool,
    /// The positions of those at which another loop begins, besides the first.
    loops: Vec<usize>,
    pub(crate) inputs: Vec<EdgeId>,
    /// The edges out of it, each with the position of the operator that it leads away from.
    pub(crate) outputs: Vec<(EdgeId, usize)>,
    /// Sinks: positions among the operators, and whether their code is running.
    pub(crate) calls: Vec<(usize, Arc<CallMark>)>,
}

impl Survey {
    /// The next operator.
    pub(crate) fn operator(&mut self, name: OperatorName, cost: &Arc<CostMeter>) {
        self.operators.push(name);
        self.costs.push(Some(Arc::clone(cost)));
    }

    /// The next operator, whose work is timed as a part of the one after it.
    pub(crate) fn unmeasured(&mut self, name: OperatorName) {
        self.operators.push(name);
        self.costs.push(None);
    }

    /// Between two operators.
    pub(crate) fn joint(&mut self) {
        self.joints.push(self.operators.len());
    }

    /// What follows is in another task, from which it may come back.
    pub(crate) fn lacks_a_part(&mut self) {
        self.lacks_a_part = true;
    }

    /// Whether no part of it is in another task.
    pub(crate) fn is_whole(&self) -> bool {
        !self.lacks_a_part
    }

    /// What there is from some point of a task on.
    pub(crate) fn of(rest: &dyn Stepwise) -> Self {
        let mut survey = Self::default();
        rest.survey(&mut survey);
        survey
    }

    /// Another loop begins with the next operator.
    pub(crate) fn next_loop(&mut self) {
        let position = self.operators.len();
        if position > 0 && self.loops.last() != Some(&position) {
            self.loops.push(position);
        }
    }

    /// The operators of each loop.
    pub(crate) fn loops(&self) -> impl Iterator<Item = &[OperatorName]> {
        let ends = self.loops.iter().copied().chain([self.operators.len()]);
        let begins = [0].into_iter().chain(self.loops.iter().copied());
        begins
            .zip(ends)
            .map(|(begin, end)| &self.operators[begin..end])
            .filter(|operators| !operators.is_empty())
    }

    /// The next operator, a sink.
    pub(crate) fn sink(&mut self, name: OperatorName, mark: &Arc<CallMark>, cost: &Arc<CostMeter>) {
        self.calls.push((self.operators.len(), Arc::clone(mark)));
        self.operator(name, cost);
    }

    /// An edge that leads away from the operator named last.
    pub(crate) fn output(&mut self, edge: EdgeId) {
        self.outputs.push((edge, self.operators.len().saturating_sub(1)));
    }
}

/// All of a job that can be looked at while it runs.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) workers: Vec<WorkerSite>,
    pub(crate) tasks: Vec<TaskSite>,
    pub(crate) edges: Vec<EdgeSite>,
}

#[derive(Debug)]
pub(crate) struct WorkerSite {
    pub(crate) meter: Arc<WorkerMeter>,
}

#[derive(Debug)]
pub(crate) struct TaskSite {
    pub(crate) instance: Instance,
    pub(crate) survey: Survey,
    pub(crate) meter: Arc<TaskMeter>,
    /// The task that it was cut off from.
    pub(crate) cut_from: Option<usize>,
    /// It has gone back to that.
    pub(crate) is_back: bool,
}

#[derive(Debug)]
pub(crate) struct EdgeSite {
    pub(crate) meter: Arc<EdgeMeter>,
}

impl Layout {
    /// For each edge the operators that it leads away from and to, if there are any.
    pub(crate) fn ends(&self) -> Vec<(Option<OperatorName>, Option<OperatorName>)> {
        let mut ends = vec![(None, None); self.edges.len()];
        for TaskSite { survey, .. } in &self.tasks {
            for (EdgeId(edge), operator) in &survey.outputs {
                ends[*edge].0 = survey.operators.get(*operator).copied();
            }
            for EdgeId(edge) in &survey.inputs {
                ends[*edge].1 = survey.operators.first().copied();
            }
        }
        ends
    }

    /// The number of the task that writes to an edge, and the operator it leads away from.
    pub(crate) fn writing_task(&self, edge: EdgeId) -> Option<(usize, OperatorName)> {
        self.tasks.iter().enumerate().find_map(|(number, task)| {
            let (_, operator) = task.survey.outputs.iter().find(|(id, _)| *id == edge)?;
            Some((number, *task.survey.operators.get(*operator)?))
        })
    }

    /// The number of the task that reads from an edge.
    pub(crate) fn reading_task(&self, edge: EdgeId) -> Option<usize> {
        self.tasks.iter().position(|task| task.survey.inputs.contains(&edge))
    }

    /// The task that writes to an edge and the operator it leads away from.
    pub(crate) fn writer_of(&self, edge: EdgeId) -> Option<(&TaskSite, OperatorName)> {
        self.writing_task(edge).map(|(task, operator)| (&self.tasks[task], operator))
    }

    /// The task that reads from an edge and the first operator it leads to.
    pub(crate) fn reader_of(&self, edge: EdgeId) -> Option<(&TaskSite, OperatorName)> {
        let task = &self.tasks[self.reading_task(edge)?];
        Some((task, *task.survey.operators.first()?))
    }
}

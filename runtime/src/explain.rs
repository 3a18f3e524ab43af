//! How a job is laid out, for people to read: as text, and as diagrams.

use std::fmt::{self, Write};

use crate::{
    operator_name::OperatorName,
    report::Decision,
    survey::{EdgeId, EdgeSite, Layout, TaskSite},
};

/// How a job is laid out: what runs in one loop, what runs on which worker, and what passes between.
///
/// As text by [`Display`](fmt::Display), as a diagram by [`graphviz`](Self::graphviz) and [`mermaid`](Self::mermaid).
///
/// ```
/// use nacreous::prelude::*;
///
/// let graph = Graph::new();
/// let numbers = graph.iter(0..10_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
/// numbers.map(|n| n * 2).named("double").boxed().filter(|n| n % 3 == 0).discard();
///
/// let plan = graph.plan(JobOptions::default())?;
/// let text = plan.explain().to_string();
/// assert!(text.starts_with("worker 0\n  task 0: iter → event_time → double ⇒ filter → discard\n"), "{text}");
/// plan.start()?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// By number.
    pub tasks: Vec<ExplainedTask>,
    /// In the order in which they were made.
    pub edges: Vec<ExplainedEdge>,
    /// The core that each worker was given, if it was given one: not before the job runs.
    pub cores: Vec<Option<usize>>,
    /// What was tried to make the job faster, and what came of it, with [`Tier::Auto`](crate::Tier::Auto).
    pub decisions: Vec<Decision>,
}

/// What runs as one task: its operators are never in each other's way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedTask {
    /// Its loops, in the order in which records meet them, and the operators in each. Between two loops records are handed
    /// on in batches ([`Stream::boxed`](crate::Stream::boxed)); within one they are not gathered at all.
    pub loops: Vec<Vec<OperatorName>>,
    /// The worker that it runs on.
    pub worker: usize,
    /// It was cut off another task, and has been put together with that again.
    pub is_back: bool,
    /// Which it is of the parallel tasks of these operators, from zero.
    pub instance: usize,
    /// Records that it has taken in so far.
    pub records_in: u64,
    /// What its operators were found to take, in picoseconds a record, in the order of the loops: with
    /// [`Tier::Auto`](crate::Tier::Auto), once they have been timed. What a source takes is part of what comes after it.
    pub costs_ps: Vec<Option<u64>>,
}

/// An edge from one task to another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedEdge {
    /// The number of the task that writes to it.
    pub from: usize,
    /// The number of the task that reads from it.
    pub to: usize,
    /// The operator that it leads away from.
    pub operator: OperatorName,
    /// Records that have passed so far.
    pub records: u64,
}

impl Explanation {
    pub(crate) fn of(layout: &Layout, cores: Vec<Option<usize>>, decisions: Vec<Decision>) -> Self {
        let edge = |(number, site): (usize, &EdgeSite)| {
            let (from, operator) = layout.writing_task(EdgeId(number))?;
            let to = layout.reading_task(EdgeId(number))?;
            Some(ExplainedEdge { from, to, operator, records: site.meter.received().records() })
        };
        let edges: Vec<_> = layout.edges.iter().enumerate().filter_map(edge).collect();
        let task = |(number, site): (usize, &TaskSite)| {
            let by_edges: u64 = edges.iter().filter(|edge| edge.to == number).map(|edge| edge.records).sum();
            ExplainedTask {
                loops: site.survey.loops().map(<[_]>::to_vec).collect(),
                worker: site.instance.worker,
                is_back: site.is_back,
                instance: site.instance.number,
                records_in: site.meter.counts().records_in + by_edges,
                costs_ps: site.survey.costs.iter().map(|cost| cost.as_ref()?.per_record_ps()).collect(),
            }
        };
        let tasks = layout.tasks.iter().enumerate().map(task).collect();
        Self { tasks, edges, cores, decisions }
    }

    /// The tasks of a worker, with their numbers.
    fn tasks_of(&self, worker: usize) -> impl Iterator<Item = (usize, &ExplainedTask)> {
        let there = move |task: &ExplainedTask| task.worker == worker && !task.is_back;
        self.tasks.iter().enumerate().filter(move |(_, task)| there(task))
    }

    /// A worker and its core.
    fn worker(&self, worker: usize) -> String {
        match self.cores.get(worker).copied().flatten() {
            Some(core) => format!("worker {worker} (core {core})"),
            None => format!("worker {worker}"),
        }
    }

    /// The job as a directed graph for Graphviz (`dot -Tsvg`): a cluster for each worker, a node for each task.
    pub fn graphviz(&self) -> String {
        let mut dot = String::from("digraph job {\n  rankdir=LR;\n  node [shape=box];\n");
        for worker in 0..self.cores.len() {
            let _ = writeln!(dot, "  subgraph cluster_{worker} {{\n    label=\"{}\";", self.worker(worker));
            for (number, task) in self.tasks_of(worker) {
                let _ = writeln!(dot, "    t{number} [label=\"{}\"];", task.lines(in_dot, "\\n⇒ "));
            }
            dot.push_str("  }\n");
        }
        for ExplainedEdge { from, to, records, .. } in &self.edges {
            let _ = writeln!(dot, "  t{from} -> t{to} [label=\"{records}\"];");
        }
        dot.push_str("}\n");
        dot
    }

    /// The job as a flowchart for Mermaid: a subgraph for each worker, a node for each task.
    pub fn mermaid(&self) -> String {
        let mut chart = String::from("flowchart LR\n");
        for worker in 0..self.cores.len() {
            let _ = writeln!(chart, "  subgraph w{worker}[\"{}\"]", self.worker(worker));
            for (number, task) in self.tasks_of(worker) {
                let _ = writeln!(chart, "    t{number}[\"{}\"]", task.lines(in_mermaid, "<br/>⇒ "));
            }
            chart.push_str("  end\n");
        }
        for ExplainedEdge { from, to, records, .. } in &self.edges {
            let _ = writeln!(chart, "  t{from} -->|{records}| t{to}");
        }
        chart
    }
}

impl ExplainedTask {
    /// What its operators take, if that is known.
    fn write_costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "    takes ";
        for (name, cost) in self.loops.iter().flatten().zip(&self.costs_ps) {
            if let Some(ps) = cost {
                write!(f, "{before}{}.{:02} ns for {}", ps / 1_000, ps % 1_000 / 10, name.short())?;
                before = ", ";
            }
        }
        if before == ", " { writeln!(f, " a record") } else { Ok(()) }
    }

    /// Its operators, with something between loops.
    fn lines(&self, quoted: impl Fn(&str) -> String, between: &str) -> String {
        let chain = |operators: &Vec<OperatorName>| {
            operators.iter().map(|name| quoted(name.short())).collect::<Vec<_>>().join(" → ")
        };
        self.loops.iter().map(chain).collect::<Vec<_>>().join(between)
    }
}

/// What may stand between quotation marks in Graphviz.
fn in_dot(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}

/// What may stand between quotation marks in Mermaid.
fn in_mermaid(text: &str) -> String {
    text.replace('#', "#35;")
        .replace('"', "#quot;")
        .replace('<', "#lt;")
        .replace('>', "#gt;")
        .replace('\n', " ")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for worker in 0..self.cores.len() {
            writeln!(f, "{}", self.worker(worker))?;
            for (number, task) in self.tasks_of(worker) {
                writeln!(f, "  task {number}: {}", task.lines(str::to_owned, " ⇒ "))?;
                writeln!(f, "    {} records in", task.records_in)?;
                task.write_costs(f)?;
                for name in task.loops.iter().flatten() {
                    if let Some(explanation) = name.explanation() {
                        writeln!(f, "    {}: {explanation}", name.short())?;
                    }
                }
                for edge in self.edges.iter().filter(|edge| edge.from == number) {
                    let ExplainedEdge { to, operator, records, .. } = edge;
                    let (worker, from) = (self.tasks[*to].worker, operator.short());
                    writeln!(f, "    {from} to task {to} on worker {worker}: {records} records")?;
                }
            }
        }
        self.decisions.iter().try_for_each(|decision| writeln!(f, "{decision}"))?;
        f.write_str("→ in one loop; ⇒ in batches, within a task\n")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Monoid,
        algorithm::{TwoStacks, using},
        prelude::*,
    };

    #[test]
    fn windows_say_how_they_are_put_together() {
        let sliding = || Sliding::new(Duration::from_nanos(10), Duration::from_nanos(5)).expect("windows");
        let explained = |build: &dyn Fn(&Graph)| {
            let graph = Graph::new();
            build(&graph);
            let plan = graph.plan(JobOptions::default()).expect("a plan");
            let text = plan.explain().to_string();
            plan.start().expect("a job").wait().expect("it ends");
            let line = text.lines().find_map(|line| line.trim().strip_prefix("aggregate: "));
            line.expect("it is said").to_owned()
        };
        let keyed = |graph: &Graph| {
            let numbers =
                graph.iter(0..3_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
            numbers.key_by(|n| *n)
        };
        let group = explained(&|graph| _ = keyed(graph).window(sliding()).aggregate(count()).0.discard());
        assert_eq!(group, "a running accumulator for each key, as the aggregate is a group");
        let of = |n: &i64| *n;
        let other = explained(&|graph| _ = keyed(graph).window(sliding()).aggregate(max(of)).0.discard());
        assert_eq!(other, "DABA Lite for each key, as the aggregate is not known to be a group");
        let chosen = explained(&|graph| {
            keyed(graph).window(sliding()).aggregate(using(TwoStacks, max(of))).0.discard();
        });
        assert_eq!(chosen, "two stacks for each key, as chosen");
        let kept = explained(&|graph| {
            keyed(graph).window(sliding()).allowed_lateness(Duration::MAX).aggregate(max(of)).0.discard();
        });
        assert_eq!(kept, "a finger tree for each key, of which windows can be asked for again");
        let tumbling = Sliding::tumbling(Duration::from_nanos(10)).expect("windows");
        let one = explained(&|graph| _ = keyed(graph).window(tumbling).aggregate(max(of)).0.discard());
        assert_eq!(one, "each window is one slice: nothing is put together");
        let ordered = "a finger tree of records for each key, as the aggregate is not known to commute";
        let moves = explained(&|graph| _ = keyed(graph).window(sliding()).aggregate(Moves).0.discard());
        assert_eq!(moves, ordered);
        let tumbling = Sliding::tumbling(Duration::from_nanos(10)).expect("windows");
        let kept = tumbling;
        let moves =
            explained(&|graph| _ = keyed(graph).window(tumbling).aggregate((count(), Moves)).0.discard());
        assert_eq!(moves, ordered);
        let moves = explained(&|graph| {
            keyed(graph).window(kept).allowed_lateness(Duration::MAX).aggregate(Moves).0.discard();
        });
        assert_eq!(moves, ordered);
        let early = explained(&|graph| {
            let trigger = crate::every_records(2).expect("a trigger");
            keyed(graph).window(sliding()).early(trigger).aggregate(max(of)).0.discard();
        });
        assert_eq!(early, "each window by itself, of records in order of event time");
    }

    /// The first and the last: one behind the other.
    #[derive(Clone)]
    struct Moves;

    impl Aggregate<i64> for Moves {
        type Acc = (i64, i64);
        type Out = (i64, i64);
        type Algebra = Monoid;

        fn lift(&self, value: &i64, _: Timestamp) -> (i64, i64) {
            (*value, *value)
        }

        fn combine(&self, acc: &mut (i64, i64), later: &(i64, i64)) {
            acc.1 = later.1;
        }

        fn finish(&self, acc: (i64, i64)) -> (i64, i64) {
            acc
        }
    }

    #[test]
    fn what_has_a_meaning_in_a_diagram_is_written_so_that_it_has_none() {
        assert_eq!(in_dot("a \"b\" \\ c\nd"), "a \\\"b\\\" \\\\ c d");
        assert_eq!(in_mermaid("a \"b\" <#>\nd"), "a #quot;b#quot; #lt;#35;#gt; d");
    }
}

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{Resident, State, Worker};
use crate::{
    control::Event,
    downstream::{Change, Knife, Manner, Stand},
    job::Tier,
    meter::{EdgeMeter, TaskMeter},
    plan::{Instance, PlannedTask},
    survey::{EdgeId, EdgeSite, Survey, TaskSite},
    switching::{Order, Switchboard},
    task::Task,
};

/// What a worker does about orders to change its tasks.
pub(super) struct Switches<'a> {
    worker: &'a Worker,
    board: Option<&'a Switchboard>,
    /// How many orders it has seen.
    seen: u64,
    restless: Option<Random>,
}

impl<'a> Switches<'a> {
    pub(super) fn of(worker: &'a Worker) -> Self {
        let restless = match worker.watch.tier {
            Tier::Restless { seed } => Some(Random(seed ^ ((worker.index as u64 + 1) << 32))),
            _ => None,
        };
        Self { worker, board: worker.watch.switchboard.as_ref(), seen: 0, restless }
    }

    /// Whether tasks may still come from other workers.
    pub(super) fn may_bring_tasks(&self) -> bool {
        self.board.is_some_and(|board| !board.is_closed())
    }

    /// Carries out what has been ordered; whether there was anything.
    pub(super) fn obey(&mut self, tasks: &mut Vec<Resident>) -> bool {
        let Some(board) = self.board else { return false };
        let mut orders = board.take(self.worker.index, &mut self.seen);
        if let Some(random) = &mut self.restless {
            orders.extend(tasks.iter().filter_map(|task| random.order(task, board)));
        }
        let any = !orders.is_empty();
        orders.into_iter().for_each(|order| self.carry_out(order, board, tasks));
        any
    }

    fn carry_out(&self, order: Order, board: &Switchboard, tasks: &mut Vec<Resident>) {
        let (number, act): (usize, &mut dyn FnMut(&mut Resident)) = match order {
            Order::Adopt(planned) => return tasks.push(self.worker.settle_in(planned)),
            Order::Move { task, to } => return self.give_away(task, to, board, tasks),
            Order::GoOn { task, manner } => (task, &mut move |task| {
                task.manner = Some(manner);
                task.planned.task.change(&mut Change::go_on(manner));
                self.surveyed(task);
            }),
            Order::Cut { task, at, to } => (task, &mut move |task| self.cut(task, at, to, board)),
            Order::Recall { task } => (task, &mut recall),
        };
        let found = tasks.iter_mut().find(|task| task.planned.number == number);
        if let Some(task) = found.filter(|task| task.state == State::Running) {
            self.guarded(task, act);
        }
    }

    /// Does something to a task; whether it did not panic. (What has gathered between two of its operators is handed on first.)
    fn guarded(&self, resident: &mut Resident, act: impl FnOnce(&mut Resident)) -> bool {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(resident))) else { return true };
        self.worker.panicked(panic);
        resident.state = State::Leaving { sound: false };
        false
    }

    /// Makes a task of its own of what is behind a joint.
    fn cut(&self, resident: &mut Resident, at: usize, to: usize, board: &Switchboard) {
        let PlannedTask { task, meter, number } = &mut resident.planned;
        if !task.can_be_cut() {
            return;
        }
        let edge_meter = Arc::new(EdgeMeter::new());
        let edge = {
            let mut layout = self.worker.watch.layout();
            layout.edges.push(EdgeSite { meter: Arc::clone(&edge_meter) });
            EdgeId(layout.edges.len() - 1)
        };
        let knife = Knife {
            batch: self.worker.watch.batch,
            wakers: board.wakers(),
            from: self.worker.index,
            to,
            edge,
            meter: &edge_meter,
        };
        // What has gathered is handed on first, by functions of the user's, which may want to look at the layout: it must not
        // be locked.
        let mut change = Change::Cut { at, knife: &knife, stand: Stand::BEGIN, task: None };
        task.change(&mut change);
        let Change::Cut { task: Some(tail), .. } = change else { return };
        let (tail_survey, head_survey) = (survey_of(&*tail), survey_of(&**task));
        let mut layout = self.worker.watch.layout();
        let tail = PlannedTask { task: tail, meter: Arc::new(TaskMeter::new()), number: layout.tasks.len() };
        let instance = Instance { worker: to, is_fixed: false, ..layout.tasks[*number].instance };
        layout.tasks.push(TaskSite {
            instance,
            survey: tail_survey,
            meter: Arc::clone(&tail.meter),
            cut_from: Some(*number),
            is_back: false,
        });
        layout.tasks[*number].survey = head_survey;
        drop(layout);
        // The other one is going to say what became of its records.
        meter.publish(&task.counts(), task.standing());
        self.worker.mailbox.post(Event::Began);
        board.leave(to, Order::Adopt(tail));
    }

    /// Makes known what a task is made of now.
    fn surveyed(&self, resident: &Resident) {
        let PlannedTask { task, number, .. } = &resident.planned;
        self.worker.watch.layout().tasks[*number].survey = survey_of(&**task);
    }

    fn give_away(&self, number: usize, to: usize, board: &Switchboard, tasks: &mut Vec<Resident>) {
        let running = |task: &Resident| task.planned.number == number && task.state == State::Running;
        let Some(index) = tasks.iter().position(running).filter(|_| to != self.worker.index) else { return };
        let leaves = |task: &mut Resident| task.planned.task.change(&mut Change::MoveTo(to));
        if tasks[index].rejoining || !self.guarded(&mut tasks[index], leaves) {
            return;
        }
        let Resident { planned, blocked, .. } = tasks.remove(index);
        if blocked {
            planned.meter.unblocked(self.worker.now_ns());
        }
        self.worker.watch.layout().tasks[number].instance.worker = to;
        board.leave(to, Order::Adopt(planned));
    }

    /// Takes note if what was cut off a task has come back to it.
    #[inline]
    pub(super) fn look_at(&self, resident: &mut Resident) {
        if resident.rejoining && survey_of(&*resident.planned.task).is_whole() {
            self.rejoined(resident);
        }
    }

    #[cold]
    fn rejoined(&self, resident: &mut Resident) {
        resident.rejoining = false;
        if let Some(manner) = resident.manner {
            let order = Order::GoOn { task: resident.planned.number, manner };
            if let Some(board) = self.board {
                board.leave(self.worker.index, order);
            }
        }
        let number = resident.planned.number;
        let mut layout = self.worker.watch.layout();
        layout.tasks[number].survey = survey_of(&*resident.planned.task);
        for site in 0..layout.tasks.len() {
            // What was cut off what was cut off has a higher number, and has come back as well.
            let from = layout.tasks[site].cut_from;
            layout.tasks[site].is_back |=
                from.is_some_and(|from| from == number || layout.tasks[from].is_back);
        }
    }
}

fn recall(resident: &mut Resident) {
    let mut change = Change::Recall { asked: false };
    resident.planned.task.change(&mut change);
    resident.rejoining |= matches!(change, Change::Recall { asked: true });
}

fn survey_of(task: &dyn Task) -> Survey {
    let mut survey = Survey::default();
    task.survey(&mut survey);
    survey
}

/// Orders at random, for tests. (An xorshift generator: nothing depends on how good it is.)
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn order(&mut self, task: &Resident, board: &Switchboard) -> Option<Order> {
        let workers = board.wakers().len();
        let task = task.planned.number;
        Some(match self.below(16) {
            0 => Order::GoOn { task, manner: Manner::FUSED },
            1 => Order::GoOn { task, manner: Manner::STEPWISE },
            2 => Order::GoOn { task, manner: Manner::TIMED },
            3 | 4 => Order::Cut { task, at: self.below(8), to: self.below(workers) },
            5 => Order::Recall { task },
            6 => Order::Move { task, to: self.below(workers) },
            _ => return None,
        })
    }
}

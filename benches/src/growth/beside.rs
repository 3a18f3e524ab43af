//! Memory made on a thread beside the one that needs it, as a job's control thread makes it.

use std::{sync::mpsc, thread};

use nacreous_channels::{
    idle::{Idle, Parker, Strategy, Waker},
    spsc::{self, Receiver, Sender},
};
use nacreous_operators::{Block, Supplies, Supply};

/// How many blocks may have been asked for at a time.
const UNDER_WAY: usize = 16;

/// Supplies that one thread beside serves.
pub(super) struct MadeBeside {
    makers: mpsc::Sender<Box<dyn Make>>,
    thread: Waker,
}

/// Runs `body` with a thread beside it, until `body` has dropped what it made with its supplies.
pub(super) fn run<R>(body: impl FnOnce(MadeBeside) -> R) -> R {
    let (send_maker, makers) = mpsc::channel();
    let parker = Parker::new();
    let thread = parker.waker();
    thread::scope(|scope| {
        scope.spawn(move || make_all(&makers, parker));
        let result = body(MadeBeside { makers: send_maker, thread: thread.clone() });
        thread.wake();
        result
    })
}

/// What the thread does: goes through all makers, until there can be no more errands.
fn make_all(incoming: &mpsc::Receiver<Box<dyn Make>>, parker: Parker) {
    let mut idle = Idle::new(parker);
    let mut makers = Vec::new();
    loop {
        let (before, is_closed) = (makers.len(), is_closed(incoming, &mut makers));
        let mut has_made = before < makers.len();
        makers.retain_mut(|maker| {
            // Asked before: what is closed then has no errand to come.
            let is_closed = maker.is_closed();
            has_made |= maker.make();
            !is_closed
        });
        if is_closed && makers.is_empty() {
            return;
        }
        if has_made {
            idle.reset();
        } else {
            idle.wait(Strategy::FRUGAL);
        }
    }
}

/// Takes in new makers; whether no more can come.
fn is_closed(incoming: &mpsc::Receiver<Box<dyn Make>>, makers: &mut Vec<Box<dyn Make>>) -> bool {
    loop {
        match incoming.try_recv() {
            Ok(maker) => makers.push(maker),
            Err(error) => return error == mpsc::TryRecvError::Disconnected,
        }
    }
}

impl Supplies for MadeBeside {
    fn supply<B: Block>(&mut self) -> Box<dyn Supply<B>> {
        let (send_errand, errands) = spsc::channel(UNDER_WAY);
        let (send_block, blocks) = spsc::channel(UNDER_WAY);
        let maker = Maker { errands, blocks: send_block };
        self.makers.send(Box::new(maker)).expect("the thread stays as long as there are supplies");
        Box::new(Customer { errands: send_errand, blocks, thread: self.thread.clone() })
    }
}

/// What one thread leaves to the other.
enum Errand<B: Block> {
    Make(B::Want),
    Free(B),
}

/// On the thread that needs blocks.
struct Customer<B: Block> {
    errands: Sender<Errand<B>>,
    blocks: Receiver<B>,
    thread: Waker,
}

impl<B: Block> Supply<B> for Customer<B> {
    fn ask(&mut self, want: B::Want) -> bool {
        let asked = self.errands.push(Errand::Make(want)).is_ok();
        self.thread.wake();
        asked
    }

    fn take(&mut self) -> Option<B> {
        self.blocks.pop()
    }

    fn give_back(&mut self, block: B) {
        let _ = self.errands.push(Errand::Free(block));
        self.thread.wake();
    }
}

/// On the thread beside.
trait Make: Send {
    /// Does what there is to do; whether there was anything.
    fn make(&mut self) -> bool;

    /// Whether nobody can ask for anything more.
    fn is_closed(&self) -> bool;
}

struct Maker<B: Block> {
    errands: Receiver<Errand<B>>,
    blocks: Sender<B>,
}

impl<B: Block> Make for Maker<B> {
    fn make(&mut self) -> bool {
        let mut has_made = false;
        while let Some(errand) = self.errands.pop() {
            has_made = true;
            match errand {
                // An operator has no more than two under way, and takes them.
                Errand::Make(want) => drop(self.blocks.push(B::make(want))),
                Errand::Free(block) => drop(block),
            }
        }
        has_made
    }

    fn is_closed(&self) -> bool {
        self.errands.is_closed()
    }
}

//! Memory for the state of operators: asked for on data threads, made and freed by the control thread.

use nacreous_channels::spsc::{self, Receiver, Sender};
use nacreous_operators::{Block, Supply};

use crate::bell::Bell;

/// How many blocks an operator may have asked for at a time.
const UNDER_WAY: usize = 16;

/// The control thread's side of a supply.
pub(crate) trait Provide: Send {
    /// Makes what has been asked for, and frees what has been handed back.
    fn serve(&mut self);
}

/// What a data thread leaves to the control thread.
enum Errand<B: Block> {
    Make(B::Want),
    Free(B),
}

/// The data thread's side of a supply.
struct Customer<B: Block> {
    errands: Sender<Errand<B>>,
    blocks: Receiver<B>,
    control: Bell,
}

struct Provider<B: Block> {
    errands: Receiver<Errand<B>>,
    blocks: Sender<B>,
    /// A block for which there was no room.
    held: Option<B>,
    worker: Bell,
}

/// A supply of blocks for an operator on `worker`, provided by `control`.
pub(crate) fn supply<B: Block>(worker: Bell, control: Bell) -> (Box<dyn Supply<B>>, Box<dyn Provide>) {
    let (send_errand, errands) = spsc::channel(UNDER_WAY);
    let (send_block, blocks) = spsc::channel(UNDER_WAY);
    let customer = Customer { errands: send_errand, blocks, control };
    (Box::new(customer), Box::new(Provider { errands, blocks: send_block, held: None, worker }))
}

impl<B: Block> Supply<B> for Customer<B> {
    fn ask(&mut self, want: B::Want) -> bool {
        let asked = self.errands.push(Errand::Make(want)).is_ok();
        self.control.ring();
        asked
    }

    fn take(&mut self) -> Option<B> {
        let block = self.blocks.pop();
        if block.is_some() {
            // It may hold more, for which there was no room.
            self.control.ring();
        }
        block
    }

    /// Frees it here if the control thread has fallen far behind.
    fn give_back(&mut self, block: B) {
        let _ = self.errands.push(Errand::Free(block));
        self.control.ring();
    }
}

impl<B: Block> Provider<B> {
    /// False if there is no room for it now.
    fn hand_over(&mut self, block: B) -> bool {
        self.held = self.blocks.push(block).err().map(|full| full.0);
        self.worker.ring();
        self.held.is_none()
    }
}

impl<B: Block> Provide for Provider<B> {
    fn serve(&mut self) {
        if let Some(block) = self.held.take()
            && !self.hand_over(block)
        {
            return;
        }
        while let Some(errand) = self.errands.pop() {
            match errand {
                Errand::Make(want) => {
                    if !self.hand_over(B::make(want)) {
                        return;
                    }
                }
                Errand::Free(block) => {
                    drop(block);
                    // It may have wanted to ask for something, and found no room to.
                    self.worker.ring();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nacreous_channels::idle::Parker;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Numbered(u32);

    impl Block for Numbered {
        type Want = u32;

        fn make(want: u32) -> Self {
            Self(want)
        }
    }

    #[test]
    fn blocks_come_in_the_order_asked_for_and_none_is_lost_when_nobody_takes_them() {
        let bell = || Bell::new(Parker::new().waker());
        let (mut customer, mut provider) = supply::<Numbered>(bell(), bell());
        let mut asked = 0;
        for _ in 0..4 {
            while customer.ask(asked) {
                asked += 1;
            }
            provider.serve();
        }
        assert!(asked > 20, "more than fit at once");
        for expected in 0..asked {
            provider.serve();
            assert_eq!(customer.take(), Some(Numbered(expected)));
        }
        assert_eq!(customer.take(), None);
        customer.give_back(Numbered(7));
        provider.serve();
    }
}

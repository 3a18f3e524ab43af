//! For tests: values of which it is known how often each was dropped.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

/// How often each entry was dropped.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Rc<RefCell<Vec<u32>>>);

/// A value that takes note of its drop, and panics then if it is told to.
pub(crate) struct Entry {
    pub(crate) number: usize,
    panics: bool,
    ledger: Ledger,
}

impl Ledger {
    pub(crate) fn entry(&self, panics: bool) -> Entry {
        let mut drops = self.0.borrow_mut();
        drops.push(0);
        Entry { number: drops.len() - 1, panics, ledger: self.clone() }
    }

    pub(crate) fn drops(&self) -> Vec<u32> {
        self.0.borrow().clone()
    }

    #[track_caller]
    pub(crate) fn assert_each_dropped_once(&self, made: usize) {
        assert_eq!(self.drops(), vec![1; made]);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.0.borrow_mut()[self.number] += 1;
        assert!(!self.panics, "this entry panics when it is dropped");
    }
}

/// Whether it does.
pub(crate) fn panics(action: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(action)).is_err()
}

//! A barrier between a store and a load after it, whose price is paid by the side that passes it rarely.
//!
//! # Protocol
//! Each of two threads stores to one place, passes the barrier, and loads from the place that the other one
//! stores to: then at least one of them sees the other's store. The frequent side passes `light`, the rare side
//! `heavy`. Where the kernel can make all running threads of the process pass a barrier (`membarrier` on Linux),
//! `heavy` asks it to, and `light` only keeps the compiler from reordering. Elsewhere both are fences.
//!
//! | edge | from | to | hands over | loom model |
//! |---|---|---|---|---|
//! | `store-load` | `Barrier::light` | `Barrier::heavy` | that one side sees what the other stored before | `whoever_parks_is_woken` |
//!
//! Anything weaker than `SeqCst` lets both loads return old values: an acquire-release fence orders neither side's
//! store before its own load. The model knows no `membarrier` and checks the fences; that the system call stands
//! in for them is its documented purpose.

use crate::sync::{Ordering, fence};

/// Which kind of barrier both sides use. They must agree, so it is decided once for each pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Barrier {
    /// The kernel helps: `light` need not fence.
    lopsided: bool,
}

impl Barrier {
    pub(super) fn new() -> Self {
        Self { lopsided: kernel::is_willing() }
    }

    /// For the side that passes often.
    #[inline(always)]
    pub(super) fn light(self) {
        if self.lopsided {
            // ORDERING(store-load): SeqCst; unproved: it binds only the compiler, and the kernel's barrier in `heavy` does the rest, which no model knows
            std::sync::atomic::compiler_fence(Ordering::SeqCst);
        } else {
            // ORDERING(store-load): SeqCst; pairs with Barrier::heavy
            fence(Ordering::SeqCst);
        }
    }

    /// For the side that passes rarely.
    ///
    /// # Cost
    /// With the kernel's help, a system call that interrupts each core on which a thread of the process runs.
    pub(super) fn heavy(self) {
        if self.lopsided {
            kernel::barrier();
        } else {
            // ORDERING(store-load): SeqCst; pairs with Barrier::light
            fence(Ordering::SeqCst);
        }
    }
}

#[cfg(all(target_os = "linux", not(loom), not(miri)))]
mod kernel {
    use std::sync::OnceLock;

    /// Whether the kernel has agreed to help; asked once.
    pub(super) fn is_willing() -> bool {
        static WILLING: OnceLock<bool> = OnceLock::new();
        *WILLING.get_or_init(|| call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
    }

    pub(super) fn barrier() {
        let passed = call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        assert!(passed, "the kernel agreed to help, and membarrier cannot fail after that");
    }

    fn call(command: libc::c_int) -> bool {
        // SAFETY: membarrier takes numbers and touches no memory.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
mod kernel {
    pub(super) fn is_willing() -> bool {
        false
    }

    pub(super) fn barrier() {
        unreachable!("asked for only where the kernel is willing")
    }
}

//! The one place that knows whether the code runs for real or inside a loom model.

#[cfg(loom)]
pub(crate) use self::modelled::*;
#[cfg(not(loom))]
pub(crate) use self::real::*;

#[cfg(not(loom))]
mod real {
    pub(crate) use std::{
        hint,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
        },
        thread,
    };

    /// `std`'s cell with loom's interface, which lets a model see each access.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
            access(self.0.get())
        }

        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }
}

#[cfg(loom)]
mod modelled {
    pub(crate) use loom::{
        cell::UnsafeCell,
        hint,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
        },
    };

    pub(crate) mod thread {
        pub(crate) use loom::thread::{Thread, current, yield_now};

        /// A model knows no time: only a waker ends the park.
        pub(crate) fn park_timeout(_: std::time::Duration) {
            loom::thread::park();
        }
    }
}

//! Watches the system calls of a thread.
//!
//! # Protocol
//! `SELECTOR` is a byte of the thread that the kernel reads at each system call: `BLOCK` has it raise SIGSYS instead.
//! The thread writes it, and so does its signal handler, which runs on the thread itself: so it is atomic for the
//! compiler's sake alone.

use std::{
    io, mem, ptr,
    sync::{
        Once,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
};

const PR_SET_SYSCALL_USER_DISPATCH: libc::c_int = 59;
const PR_SYS_DISPATCH_OFF: libc::c_ulong = 0;
const PR_SYS_DISPATCH_ON: libc::c_ulong = 1;

const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

/// The bytes of the instruction that calls the system.
const SYSCALL_BYTES: libc::greg_t = 2;

thread_local! {
    static SELECTOR: AtomicU8 = const { AtomicU8::new(ALLOW) };
    /// The number of the call that was made while the thread was watched.
    static CAUGHT: AtomicI64 = const { AtomicI64::new(NONE) };
}

const NONE: i64 = -1;

/// Begins to watch this thread.
pub(super) fn watch() -> io::Result<()> {
    static HANDLED: Once = Once::new();
    HANDLED.call_once(handle_signals);
    CAUGHT.with(|caught| caught.store(NONE, Ordering::Relaxed));
    dispatch(PR_SYS_DISPATCH_ON, SELECTOR.with(AtomicU8::as_ptr))?;
    SELECTOR.with(|selector| selector.store(BLOCK, Ordering::Relaxed));
    Ok(())
}

/// Ends it, and says which call was made meanwhile, if one was.
pub(super) fn unwatch() -> Option<i64> {
    SELECTOR.with(|selector| selector.store(ALLOW, Ordering::Relaxed));
    dispatch(PR_SYS_DISPATCH_OFF, ptr::null_mut()).expect("what was turned on can be turned off");
    let caught = CAUGHT.with(|caught| caught.load(Ordering::Relaxed));
    (caught != NONE).then_some(caught)
}

fn dispatch(mode: libc::c_ulong, selector: *mut u8) -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: the kernel reads the selector as long as dispatch is on. It is a thread's own, and each thread that
    // turns dispatch on turns it off, or ends, which does that too.
    let outcome = unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, zero, zero, selector) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn handle_signals() {
    // SAFETY: all zeros are an action: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_call;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the action is a whole one, and its handler does nothing that a signal handler may not.
    let outcome = unsafe { libc::sigaction(libc::SIGSYS, &raw const action, ptr::null_mut()) };
    assert_eq!(outcome, 0, "cannot handle SIGSYS: {}", io::Error::last_os_error());
}

/// A system call was about to be made. It only touches the thread's own cells and the registers that it returns to.
extern "C" fn on_call(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // First of all: to return from here is a system call.
    SELECTOR.with(|selector| selector.store(ALLOW, Ordering::Relaxed));
    // SAFETY: for a handler with SA_SIGINFO the kernel passes the thread's context, which nobody else touches.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let call = registers[libc::REG_RAX as usize];
    CAUGHT.with(|caught| caught.store(call, Ordering::Relaxed));
    // Back to the instruction: the kernel has left the call's number and arguments where they were.
    registers[libc::REG_RIP as usize] -= SYSCALL_BYTES;
}

//! Who is who in a graph, and who is to blame when a user's function panics.

use std::{cell::Cell, fmt, mem, panic::Location};

/// Names an operator by what it is, where in the user's source it was added to the graph, and the name it was given
/// there, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorName {
    // These two by thin references: names are part of errors, which are to be small.
    kind: &'static &'static str,
    at: &'static Location<'static>,
    label: Option<&'static str>,
    explanation: Option<&'static &'static str>,
}

/// The number of an operator in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OperatorId(pub(crate) usize);

impl OperatorName {
    #[track_caller]
    pub(crate) fn here(kind: &'static &'static str) -> Self {
        Self { kind, at: Location::caller(), label: None, explanation: None }
    }

    /// The same, with a name given by the user.
    pub(crate) fn labelled(self, label: &'static str) -> Self {
        Self { label: Some(label), ..self }
    }

    /// The same, with how it works.
    pub(crate) fn explained(self, explanation: &'static &'static str) -> Self {
        Self { explanation: Some(explanation), ..self }
    }

    /// How it works, where that depends on what it was given: what windows are put together of, say.
    pub fn explanation(&self) -> Option<&'static str> {
        self.explanation.copied()
    }

    /// The name that the user gave it, or else what it is.
    pub(crate) fn short(&self) -> &'static str {
        self.label.unwrap_or(self.kind)
    }

    /// The name that the user gave it.
    pub fn label(&self) -> Option<&'static str> {
        self.label
    }

    /// The method that added it: `map`, `key_by`, `aggregate`, …
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The place in the user's source where it was added.
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label {
            Some(label) => write!(f, "`{}` \"{label}\" ({})", self.kind, self.at),
            None => write!(f, "`{}` ({})", self.kind, self.at),
        }
    }
}

thread_local! {
    /// The operator whose function is being unwound on this thread.
    static CULPRIT: Cell<Option<OperatorName>> = const { Cell::new(None) };
}

/// While it lives, a panic on this thread is put down to an operator, unless one further in was blamed already.
///
/// Costs nothing unless there is a panic: it is only ever dropped by unwinding. (A guard rather than a
/// function that takes a closure: the compiler does not inline a chain of closures into one loop.)
#[must_use]
pub(crate) struct Blame<'a>(&'a OperatorName);

impl<'a> Blame<'a> {
    #[inline(always)]
    pub(crate) fn on(name: &'a OperatorName) -> Self {
        Self(name)
    }

    /// The operator has returned: nothing to blame it for.
    #[inline(always)]
    pub(crate) fn lift(self) {
        mem::forget(self);
    }
}

impl Drop for Blame<'_> {
    #[cold]
    fn drop(&mut self) {
        CULPRIT.with(|culprit| culprit.set(culprit.get().or(Some(*self.0))));
    }
}

/// The operator blamed since this was last asked on this thread.
pub(crate) fn take_culprit() -> Option<OperatorName> {
    CULPRIT.take()
}

//! Methods that are not there, so that the compiler says what to do first.
//!
//! No stream has the traits that they ask for. They are out of sight in the documentation.

use std::hash::Hash;

use nacreous_operators::{Keyed, Record};

use super::{Ended, KeyedStream, SourceStream, SourceStreams, Stream, WindowedStream};
use crate::{plan::FromPort, sink::Collected, source::Source};

/// Something that cannot be, and so can become anything.
#[diagnostic::on_unimplemented(
    message = "windows are kept for each key, and this stream has none yet",
    label = "call `key_by` first",
    note = "for windows over all records, give them all one key: `.key_by(|_| ())`"
)]
pub trait HasKeys: Sized {
    /// Never called.
    fn never<T>(self) -> T;
}

/// Something that cannot be, and so can become anything.
#[diagnostic::on_unimplemented(
    message = "it is not known yet when the records of this source happened",
    label = "call `event_time` or `arrival_time` first",
    note = "`event_time` takes a function that reads the time of a record, and how far out of order records come"
)]
pub trait HasTime: Sized {
    /// Never called.
    fn never<T>(self) -> T;
}

type Of<S> = <S as Source>::Item;
type KeyedFromPort<K, T> = KeyedStream<K, T, FromPort<Keyed<K, T>>>;
type WindowedFromPort<K, T> = WindowedStream<K, T, FromPort<Keyed<K, T>>>;

#[doc(hidden)]
impl<T: Send + 'static, U> Stream<T, U> {
    pub fn window<W>(self, _: W) -> WindowedFromPort<(), T>
    where
        Self: HasKeys,
    {
        self.never()
    }
}

#[doc(hidden)]
impl<S: Source> SourceStream<S> {
    pub fn map<O: Send + 'static, F: FnMut(Of<S>) -> O>(self, _: F) -> Stream<O>
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn filter<F: FnMut(&Of<S>) -> bool>(self, _: F) -> Stream<Of<S>>
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn key_by<K: Hash, F: FnMut(&Of<S>) -> K>(self, _: F) -> KeyedFromPort<K, Of<S>>
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn window<W>(self, _: W) -> WindowedFromPort<(), Of<S>>
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn for_each<F: FnMut(Record<Of<S>>)>(self, _: F) -> Ended
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn to<K>(self, _: K) -> Ended
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn collect(self) -> Collected<Of<S>>
    where
        Self: HasTime,
    {
        self.never()
    }
}

/// What one is most likely to begin with.
#[doc(hidden)]
impl<S: Source> SourceStreams<S> {
    pub fn map<O: Send + 'static, F: FnMut(Of<S>) -> O>(self, _: F) -> Stream<O>
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn filter<F: FnMut(&Of<S>) -> bool>(self, _: F) -> Stream<Of<S>>
    where
        Self: HasTime,
    {
        self.never()
    }

    pub fn key_by<K: Hash, F: FnMut(&Of<S>) -> K>(self, _: F) -> KeyedFromPort<K, Of<S>>
    where
        Self: HasTime,
    {
        self.never()
    }
}

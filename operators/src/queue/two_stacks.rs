use super::{
    Combine, Rows,
    rows::{Keep, Spot},
    stretches::{Ring, Spots},
};

/// Two stacks in a row: what is before `turned` is replaced by what comes from there to `turned`.
///
/// Less to do than [`DabaLite`](super::DabaLite) on average, but all of it at once when the older stack is used up.
#[derive(Debug)]
pub struct TwoStacks<A> {
    front: Spot,
    turned: Spot,
    end: Spot,
    /// What comes from `turned` to the end.
    newest: Option<A>,
}

impl<A: Clone + Send + 'static> Keep<A> for TwoStacks<A> {
    fn begin(spot: Spot) -> Self {
        Self { front: spot, turned: spot, end: spot, newest: None }
    }

    #[inline]
    fn ends(&self) -> (Spot, Spot) {
        (self.front, self.end)
    }

    #[inline]
    fn insert(&mut self, rows: &mut Rows<A>, slice: i64, value: A, by: &impl Combine<A>) {
        match &mut self.newest {
            Some(newest) => by.combine(newest, &value),
            None => self.newest = Some(value.clone()),
        }
        self.end = rows.push(self.end, slice, value);
    }

    #[inline]
    fn evict(&mut self, rows: &mut Rows<A>, by: &impl Combine<A>) {
        if self.front == self.turned {
            let mut last = rows.before(self.end);
            while last != self.front {
                let before = rows.before(last);
                let joined = by.joined(rows.at(before), rows.at(last));
                rows.put(before, joined);
                last = before;
            }
            (self.turned, self.newest) = (self.end, None);
        }
        (self.front, _) = rows.pop(self.front);
    }

    #[inline]
    fn query(&self, rows: &Rows<A>, by: &impl Combine<A>) -> Option<A> {
        let oldest = if self.front == self.turned { None } else { Some(rows.at(self.front)) };
        match (oldest, &self.newest) {
            (Some(oldest), Some(newest)) => Some(by.joined(oldest, newest)),
            (one, other) => one.or(other.as_ref()).cloned(),
        }
    }
}

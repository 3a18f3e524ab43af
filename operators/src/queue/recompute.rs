use super::{
    Combine, Rows,
    rows::{Keep, Spot},
    stretches::{Ring, Spots},
};

/// Puts all values together whenever it is asked: what the other ways are measured against.
#[derive(Debug)]
pub struct Recompute {
    front: Spot,
    end: Spot,
}

impl<A: Clone + Send + 'static> Keep<A> for Recompute {
    fn begin(spot: Spot) -> Self {
        Self { front: spot, end: spot }
    }

    fn ends(&self) -> (Spot, Spot) {
        (self.front, self.end)
    }

    fn insert(&mut self, rows: &mut Rows<A>, slice: i64, value: A, _: &impl Combine<A>) {
        self.end = rows.push(self.end, slice, value);
    }

    fn evict(&mut self, rows: &mut Rows<A>, _: &impl Combine<A>) {
        (self.front, _) = rows.pop(self.front);
    }

    fn query(&self, rows: &Rows<A>, by: &impl Combine<A>) -> Option<A> {
        let mut acc = rows.at(self.front).clone();
        let mut next = rows.after(self.front);
        while next != self.end {
            by.combine(&mut acc, rows.at(next));
            next = rows.after(next);
        }
        Some(acc)
    }
}

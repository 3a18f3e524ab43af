use super::{
    Combine, Rows,
    rows::{Keep, Spot},
    stretches::Ring,
};

/// One accumulator, to which values are added as they come in and from which they are taken as they leave: for groups.
#[derive(Debug)]
pub struct Running<A> {
    front: Spot,
    end: Spot,
    /// What the values come to, if there are any.
    acc: Option<A>,
}

impl<A: Clone + Send + 'static> Keep<A> for Running<A> {
    fn begin(spot: Spot) -> Self {
        Self { front: spot, end: spot, acc: None }
    }

    #[inline]
    fn ends(&self) -> (Spot, Spot) {
        (self.front, self.end)
    }

    #[inline]
    fn insert(&mut self, rows: &mut Rows<A>, slice: i64, value: A, by: &impl Combine<A>) {
        match &mut self.acc {
            Some(acc) => by.combine(acc, &value),
            None => self.acc = Some(value.clone()),
        }
        self.end = rows.push(self.end, slice, value);
    }

    #[inline]
    fn evict(&mut self, rows: &mut Rows<A>, by: &impl Combine<A>) {
        let (front, value) = rows.pop(self.front);
        self.front = front;
        // What is left of the last value may be no zero that anything else could be added to.
        if front == self.end {
            self.acc = None;
        } else if let Some(acc) = &mut self.acc {
            by.subtract(acc, &value);
        }
    }

    #[inline]
    fn query(&self, _: &Rows<A>, _: &impl Combine<A>) -> Option<A> {
        self.acc.clone()
    }
}

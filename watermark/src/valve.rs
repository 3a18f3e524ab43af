use crate::Watermark;

/// Merges the watermarks of several inputs: `out = max(previous, min over the inputs not yet finished)`.
///
/// It can always name the input that holds the merged watermark back, which is the answer to "why has this
/// window not fired?".
#[derive(Debug, Clone)]
pub struct Valve {
    inputs: Vec<Watermark>,
    merged: Watermark,
}

impl Valve {
    /// A valve over this many inputs, none of which has promised anything yet.
    ///
    /// # Panics
    /// If there is no input: the minimum over nothing would end the stream at once.
    pub fn new(inputs: usize) -> Self {
        assert!(inputs > 0, "a valve needs an input");
        Self { inputs: vec![Watermark::MIN; inputs], merged: Watermark::MIN }
    }

    /// Takes note of an input's watermark; the merged watermark if that moved it.
    ///
    /// An input that has finished says [`Watermark::END`]. A watermark lower than the input's last one is
    /// an old promise that still holds: it changes nothing.
    ///
    /// # Panics
    /// If `input` is out of range.
    ///
    /// # Cost
    /// One pass over the inputs.
    pub fn advance(&mut self, input: usize, watermark: Watermark) -> Option<Watermark> {
        self.inputs[input] = self.inputs[input].max(watermark);
        let least = self.inputs.iter().copied().min().expect("a valve has an input");
        (least > self.merged).then(|| {
            self.merged = least;
            least
        })
    }

    /// What an input has promised.
    ///
    /// # Panics
    /// If `input` is out of range.
    #[inline]
    pub fn of(&self, input: usize) -> Watermark {
        self.inputs[input]
    }

    /// The merged watermark.
    pub fn merged(&self) -> Watermark {
        self.merged
    }

    /// The input that holds the merged watermark back: the first of those with the least watermark.
    pub fn held_by(&self) -> usize {
        let by_watermark = self.inputs.iter().enumerate().min_by_key(|(_, watermark)| **watermark);
        by_watermark.expect("a valve has an input").0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn at(nanos: i64) -> Watermark {
        Watermark::at(Timestamp::from_nanos(nanos))
    }

    #[test]
    fn the_slowest_input_decides_and_is_named() {
        let mut valve = Valve::new(2);
        assert_eq!(valve.advance(0, at(10)), None);
        assert_eq!(valve.held_by(), 1);
        assert_eq!(valve.advance(1, at(4)), Some(at(4)));
        assert_eq!(valve.advance(1, at(3)), None, "an older promise changes nothing");
        assert_eq!(valve.advance(1, Watermark::END), Some(at(10)));
        assert_eq!(valve.held_by(), 0);
        assert_eq!(valve.advance(0, Watermark::END), Some(Watermark::END));
        assert_eq!(valve.merged(), Watermark::END);
    }
}

use super::side::{Link, Node, Side, Stretch};

/// Counts the distinct keys of a window, where there is a limit on them.
///
/// A partition at a time, as a key lies in one of them only: a table of those seen in it so far, chained by hash.
#[derive(Default)]
pub(super) struct Census {
    /// The last key seen with each of so many hashes.
    heads: Vec<u32>,
    seen: Vec<Seen>,
    /// How many were seen in the partitions before.
    before: usize,
}

/// A key that has been seen, and the one with such a hash that was seen before it.
struct Seen {
    at: Holder,
    next: u32,
}

/// The first record with a key.
#[derive(Clone, Copy)]
enum Holder {
    Left(Link),
    Right(Link),
}

const NONE: u32 = u32::MAX;

impl Census {
    /// Begins with a window.
    pub(super) fn begin(&mut self) {
        self.seen.clear();
        self.before = 0;
    }

    /// How many distinct keys the window has, as far as it has been counted.
    pub(super) fn keys(&self) -> usize {
        self.before + self.seen.len()
    }

    /// Counts the keys of a further partition, but few more than `most` altogether.
    pub(super) fn count<K: Eq, L, R>(
        &mut self,
        (left, lefts): (&Side<K, L>, &[Stretch]),
        (right, rights): (&Side<K, R>, &[Stretch]),
        most: usize,
    ) {
        self.before = self.keys();
        self.seen.clear();
        let chunks = lefts.len() + rights.len();
        self.heads.clear();
        self.heads.resize((chunks * super::side::CHUNK_LENGTH).max(1).next_power_of_two(), NONE);
        let key_at = |holder| match holder {
            Holder::Left(link) => &left.node(link).key,
            Holder::Right(link) => &right.node(link).key,
        };
        for stretch in lefts {
            for (node, link) in counted(left.nodes(*stretch), *stretch) {
                self.see(&node.key, node.hash, Holder::Left(link), key_at, most);
            }
        }
        for stretch in rights {
            for (node, link) in counted(right.nodes(*stretch), *stretch) {
                self.see(&node.key, node.hash, Holder::Right(link), key_at, most);
            }
        }
    }

    fn see<'a, K: Eq + 'a>(
        &mut self,
        key: &K,
        hash: u32,
        at: Holder,
        key_at: impl Fn(Holder) -> &'a K,
        most: usize,
    ) {
        // The lower bits: the upper ones are those of the partition.
        let home = (hash >> 1) as usize & (self.heads.len() - 1);
        let mut next = self.heads[home];
        while let Some(seen) = self.seen.get(next as usize) {
            if key_at(seen.at) == key {
                return;
            }
            next = seen.next;
        }
        if self.keys() <= most {
            let number = u32::try_from(self.seen.len()).expect("no more keys than records");
            self.seen.push(Seen { at, next: std::mem::replace(&mut self.heads[home], number) });
        }
    }
}

/// The records of a chunk that count in the window, and where they lie.
fn counted<K, T>(nodes: &[Node<K, T>], stretch: Stretch) -> impl Iterator<Item = (&Node<K, T>, Link)> {
    let places = nodes.iter().enumerate().map(move |(place, node)| (node, stretch.link(place)));
    places.filter(move |(node, _)| node.missed <= stretch.closed)
}

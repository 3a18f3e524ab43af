//! Nothing can be done with records before it is known when they happened.
use nacreous::prelude::*;
use nacreous::sink;

fn main() {
    let graph = Graph::new();
    let (counts, _) = graph
        .iter(0..9_i64)
        .key_by(|n| n % 3)
        .window(Sliding::tumbling(std::time::Duration::from_secs(1)).unwrap())
        .aggregate(count());
    counts.discard();
    graph.iter(0..9_i64).map(|n| n + 1).discard();
    graph.iter(0..9_i64).window(Sliding::tumbling(std::time::Duration::from_secs(1)).unwrap());
    graph.iter(0..9_i64).to(sink::handed(5).0);
    graph.iters([0..9_i64, 9..18]).map(|n| n + 1).discard();
}

use nacreous_benches::{rings::Record, two_threads};
use nacreous_channels::spsc;
use std::hint;
fn main() {
    let n: u64 = 16 << 20;
    macro_rules! go {
        ($name:expr, $slots:expr, $s:ident, $r:ident, $push:expr, $pop:expr) => {{
            let mut best = vec![];
            for _ in 0..5 {
                let ($s, $r) = $slots;
                let mut push = $push;
                let mut pop = $pop;
                let (t, _d) = two_threads::run(
                    move || {
                        for i in 0..n {
                            while push(Record::new(i)) {
                                hint::spin_loop();
                            }
                        }
                    },
                    move || {
                        let mut d = 0u64;
                        for _ in 0..n {
                            loop {
                                if let Some(x) = pop() {
                                    d = d.wrapping_add(Record::digest(&x));
                                    break;
                                }
                                hint::spin_loop();
                            }
                        }
                        d
                    },
                );
                best.push(n as f64 / t.as_secs_f64() / 1e6);
            }
            best.sort_by(f64::total_cmp);
            println!("{}: {:.0?}", $name, best);
        }};
    }
    for slots in [8192usize, 16384, 32768] {
        go!(
            format!("ours {slots}"),
            spsc::channel(slots),
            s,
            r,
            {
                let mut s = s;
                move |x| s.push(x).is_err()
            },
            {
                let mut r = r;
                move || r.pop()
            }
        );
        go!(
            format!("rtrb {slots}"),
            rtrb::RingBuffer::new(slots),
            s,
            r,
            {
                let mut s = s;
                move |x| s.push(x).is_err()
            },
            {
                let mut r = r;
                move || r.pop().ok()
            }
        );
        go!(
            format!("arrayqueue {slots}"),
            {
                let q = std::sync::Arc::new(crossbeam_queue::ArrayQueue::new(slots));
                (q.clone(), q)
            },
            s,
            r,
            { move |x| s.push(x).is_err() },
            { move || r.pop() }
        );
        go!(
            format!("ring push {slots}"),
            spsc::ring(slots, Record::default),
            s,
            r,
            {
                let mut s = s;
                move |x| s.push(x).is_err()
            },
            {
                let mut r = r;
                move || r.pop()
            }
        );
    }
}

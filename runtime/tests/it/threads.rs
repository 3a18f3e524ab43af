//! The threads of this process, as the operating system lists them.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// The names of threads that begin so.
pub(crate) fn named(prefix: &str) -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).filter(|name| name.starts_with(prefix)).collect()
}

/// Those that are left once they should have ended. A thread that has been joined is listed for a moment longer: that
/// is waited for.
pub(crate) fn left(prefix: &str) -> Vec<String> {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let left = named(prefix);
        if left.is_empty() || Instant::now() > patience {
            return left;
        }
        thread::yield_now();
    }
}

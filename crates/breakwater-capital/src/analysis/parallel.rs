//! Work over years in pieces of fixed length: the answers, in the order of the pieces, do not depend on the threads.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// Years of a piece.
pub(crate) const PIECE: usize = 4096;

/// `work` on each piece of `0..len`, by so many threads; answers in order.
pub(crate) fn pieces<R: Send>(
    len: usize,
    threads: usize,
    work: impl Fn(std::ops::Range<usize>) -> R + Sync,
) -> Vec<R> {
    each(len.div_ceil(PIECE), threads, |i| work(i * PIECE..((i + 1) * PIECE).min(len)))
}

/// `work` on each of `0..count`, by so many threads; answers in order.
pub(crate) fn each<R: Send>(count: usize, threads: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
    let one = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let answer = work(index);
            // A thread that panicked takes the scope with it: nobody sees the poison.
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
        }
    };
    if threads <= 1 {
        one();
    } else {
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(one))));
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|d| d.0);
    done.into_iter().map(|d| d.1).collect()
}

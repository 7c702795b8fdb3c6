//! The contracts against their twin: the same random operations on both, every amount compared.
//!
//! The contracts run as they are deployed, linked and wired, on an EVM in memory.
//! A plain account stands in the rung's place, so that any measurement can be asserted; everything else is real.
//! After each operation both sides must have done it or refused it alike (the error's name and arguments), logged
//! the same events in the same order, and tell the same words of what was touched.
//! Every fifty operations and at the end all words are compared, and at the end a third copy, rebuilt from the
//! contracts' logs alone.
//!
//! `BREAKWATER_LONG=1` also runs the tests whose names begin with `long_`.
// A difference stops the test where it is found.
#![allow(clippy::unwrap_used)]

mod act;
mod chain;
mod duel;
mod logs;
mod read;
mod reverts;
mod run;
mod stage;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use duel::Tally;
use stage::Stage;

/// Operations of one sequence.
const STEPS: usize = 1_250;
/// Sequences of an ordinary run.
const SEEDS: u64 = 8;
/// Sequences of a long run.
const LONG_SEEDS: u64 = 800;

/// Plays the seeds on all cores; panics with the first report.
fn play_all(seeds: std::ops::Range<u64>) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let results = Mutex::new((Tally::default(), None::<String>));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let stage = Stage::set();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || results.lock().unwrap().1.is_some() {
                        return;
                    }
                    match run::play(&stage, seed, STEPS) {
                        Ok(tally) => results.lock().unwrap().0.add(&tally),
                        Err(report) => results.lock().unwrap().1 = Some(report),
                    }
                }
            });
        }
    });
    let (tally, report) = results.into_inner().unwrap();
    if let Some(report) = report {
        panic!("{report}");
    }
    tally
}

#[test]
fn ten_thousand_operations_agree() {
    let tally = play_all(0..SEEDS);
    let (done, refused): (u64, u64) = (tally.done.values().sum(), tally.refused.values().sum());
    println!(
        "{done} done and {refused} refused alike, {} words compared\n{:#?}\n{:#?}\n{:#?}",
        tally.words, tally.done, tally.refused, tally.events
    );
}

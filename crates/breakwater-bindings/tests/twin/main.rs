//! The contracts against their twin: the same random operations on both, every amount compared.
//!
//! The contracts run as they are deployed, linked and wired, on an EVM in memory.
//! A plain account stands in the rung's place, so that any measurement can be asserted; everything else is real.
//! Treaties and recoveries, certificates with their committees' signatures, posted rates and fees take part; vaults of
//! idle capital, bonds of reporters, votes of the assembly, feeds and routes do not: their twins are arithmetic alone.
//! After each operation both sides must have done it or refused it alike (the error's name and arguments), logged
//! the same events in the same order, and tell the same words of what was touched.
//! Every fifty operations and at the end all words are compared, and at the end a third copy, rebuilt from the
//! contracts' logs alone.
//!
//! `BREAKWATER_LONG=1` also runs the tests whose names begin with `long_`, `BREAKWATER_SEEDS` says of how many
//! sequences; `BREAKWATER_SHRINK=0` tells of a difference without looking for a shorter sequence that shows it.
// A difference stops the test where it is found.
#![allow(clippy::unwrap_used)]

mod act;
mod certificates;
mod chain;
mod coverage;
mod duel;
mod gas;
mod holders;
mod logs;
mod read;
mod reverts;
mod run;
mod spoil;
mod stage;
mod touched;
mod treaties;
mod tries;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use duel::Tally;
use stage::Stage;

/// Operations of one sequence.
const STEPS: usize = 2_000;
/// Sequences of an ordinary run, and how many they are chosen from.
const SEEDS: usize = 10;
const SCOUTED: u64 = 160;
/// The same of a long run, whose sequences are deeper.
const LONG_STEPS: usize = 5_000;
const LONG_SEEDS: u64 = 20;

/// Plays the seeds on all cores; panics with the first report.
fn play_all(seeds: &[u64], steps: usize) -> Tally {
    let (started, report) = (Instant::now(), Mutex::new(None::<String>));
    let tallies = on_all_cores(seeds, |stage, seed| {
        if report.lock().unwrap().is_some() {
            return Tally::default();
        }
        match run::play(stage, seed, steps) {
            Ok(tally) => {
                println!("seed {seed}: {steps} operations agree");
                tally
            }
            Err(told) => {
                *report.lock().unwrap() = Some(told);
                Tally::default()
            }
        }
    });
    if let Some(report) = report.into_inner().unwrap() {
        panic!("{report}");
    }
    let played = (seeds.len() * steps) as f64;
    println!("{:.0} operations a second", played / started.elapsed().as_secs_f64());
    let mut sum = Tally::default();
    tallies.values().for_each(|tally| sum.add(tally));
    sum
}

/// One stage for each core, and each seed on one of them.
fn on_all_cores(seeds: &[u64], play: impl Fn(&Stage, u64) -> Tally + Sync) -> BTreeMap<u64, Tally> {
    let (next, tallies) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let stage = Stage::set();
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tally = play(&stage, *seed);
                    tallies.lock().unwrap().insert(*seed, tally);
                }
            });
        }
    });
    tallies.into_inner().unwrap()
}

#[test]
fn twenty_thousand_operations_agree() {
    // The twin alone is fast, so it looks for sequences that together meet everything.
    let candidates: Vec<u64> = (0..SCOUTED).collect();
    let scouted = on_all_cores(&candidates, |stage, seed| run::scout(stage, seed, STEPS));
    let tally = play_all(&coverage::choose(&scouted, SEEDS), STEPS);
    tell(&tally);
    coverage::check(&tally);
}

#[test]
fn long_a_hundred_thousand_operations_agree() {
    if std::env::var_os("BREAKWATER_LONG").is_none() {
        println!("SKIPPED 1 test (long_a_hundred_thousand_operations_agree): BREAKWATER_LONG is not set");
        return;
    }
    let asked = std::env::var("BREAKWATER_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds: Vec<u64> = (SCOUTED..SCOUTED + asked.unwrap_or(LONG_SEEDS)).collect();
    tell(&play_all(&seeds, LONG_STEPS));
}

fn tell(tally: &Tally) {
    let (done, refused): (u64, u64) = (tally.done.values().sum(), tally.refused.values().sum());
    println!("{done} operations done and {refused} refused alike, {} words compared", tally.words);
    println!("done: {:?}\nrefused: {:?}\nlogged: {:?}", tally.done, tally.refused, tally.events);
    println!("branches: {:#?}", tally.branches);
}

/// What the comparison would say if one side were wrong.
mod finds {
    use alloy::primitives::U256;
    use breakwater_policy::ops::Op;
    use breakwater_policy::words::Part;
    use breakwater_policy::{Event, Refusal};

    use crate::duel::Duel;
    use crate::reverts;
    use crate::stage::Stage;

    fn duel() -> Duel {
        Duel::open(&Stage::set()).unwrap()
    }

    #[test]
    fn a_word_that_is_one_off() {
        let mut duel = duel();
        assert_eq!(duel.compare_all(), Ok(()));
        let pool = *duel.world.pools.keys().next().unwrap();
        duel.world.pools.get_mut(&pool).unwrap().layers[2] += 1;
        let told = duel.compare_all().unwrap_err();
        assert!(told.starts_with(&format!("{}/layer/2: twin", Part::Pool(pool))), "{told}");
    }

    #[test]
    fn a_total_that_is_one_off() {
        let mut duel = duel();
        let pool = *duel.world.pools.keys().next().unwrap();
        duel.world.pools.get_mut(&pool).unwrap().last_epoch += 1;
        let told = duel.compare_all().unwrap_err();
        assert!(told.starts_with(&format!("{}/epochDone: twin", Part::Pool(pool))), "{told}");
    }

    #[test]
    fn what_only_one_side_does() {
        let mut duel = duel();
        let pool = *duel.world.pools.keys().next().unwrap();
        let caller = duel.stage.scene.users[0];
        let account = duel.stage.scene.users[1];
        duel.world.pools.get_mut(&pool).unwrap().owed.insert(account, 5);
        let told = duel.step(&Op::Withdraw { caller, pool, account }).unwrap_err();
        assert!(told.starts_with("the twin did it, the contracts refuse"), "{told}");
    }

    #[test]
    fn a_log_that_is_missing_from_a_replay() {
        let mut duel = duel();
        assert_eq!(duel.compare_replay(), Ok(()));
        let index = duel.logs.iter().position(|log| matches!(log.event, Event::CuratorLocked { .. }));
        duel.logs.remove(index.unwrap());
        let told = duel.compare_replay().unwrap_err();
        assert!(told.contains("/locked: twin"), "{told}");
    }

    #[test]
    fn an_argument_of_an_error_that_is_one_off() {
        let caller = Stage::set().scene.users[0];
        let op = Op::Cancel { caller, id: 7 };
        let refusal = Refusal::StillOwed { id: 7, due: 3, paid: 2 };
        let mut data = reverts::expected(&op, &refusal);
        assert!(reverts::agrees(&op, &refusal, &data));
        assert_eq!(U256::from_be_slice(&data[36..68]), U256::from(3));
        data[67] = 4;
        assert!(!reverts::agrees(&op, &refusal, &data));
        assert!(!reverts::agrees(&op, &Refusal::Frozen { id: 7 }, &data));
    }
}

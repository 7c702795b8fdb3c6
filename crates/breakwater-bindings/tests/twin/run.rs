//! Random sequences, and what is told about one on which the sides differ.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use breakwater_policy::World;
use breakwater_policy::ops::{Clock, Generator, Op, Scene};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::duel::{Duel, Tally};
use crate::spoil::spoil;
use crate::stage::Stage;

/// Operations between two comparisons of everything.
const EVERYTHING: usize = 50;
/// Of a hundred operations, those with something wrong in them.
const SPOILED: u32 = 7;
/// How long a failing sequence is shortened.
const SHRINKING: Duration = Duration::from_secs(60);
/// Operations that name what comes after them: without one of these, later ids mean something else.
const NAMING: [&str; 5] = ["Buy", "MakeTreaty", "Open", "Pass", "Split"];

/// What comes next in the sequence of one seed.
struct Sequence {
    random: SmallRng,
    generator: Generator,
}

impl Sequence {
    fn new(scene: &Scene, seed: u64) -> Self {
        let (users, treaties) = (scene.users.clone(), scene.treaties.clone());
        let generator = Generator { users, refusals: true, treaties };
        Self { random: SmallRng::seed_from_u64(seed), generator }
    }

    fn next(&mut self, world: &World, clock: Clock) -> Op {
        let op = self.generator.next(&mut || self.random.next_u64(), world, clock);
        let spoiled = self.random.random_range(0..100) < SPOILED;
        if spoiled { spoil(&op, &self.generator.users, &mut self.random) } else { op }
    }
}

/// Plays one seed on the twin alone, which takes a hundredth of the time, and tells what the contracts will meet.
pub(crate) fn scout(stage: &Stage, seed: u64, steps: usize) -> Tally {
    let (mut world, mut clock, mut tally) = (stage.world(), stage.chain.clock(), Tally::default());
    let mut sequence = Sequence::new(&stage.scene, seed);
    let mut opening = stage.scene.opening().into_iter();
    for _ in 0..steps + opening.len() {
        let op = opening.next().unwrap_or_else(|| sequence.next(&world, clock));
        let Ok(logs) = op.apply(&mut world, &mut clock) else { continue };
        *tally.done.entry(op.name()).or_default() += 1;
        tally.note(&world, &logs.iter().collect::<Vec<_>>());
    }
    tally
}

/// Plays one seed.
///
/// # Errors
/// A report of the first difference, with the shortest sequence that was found to show one.
pub(crate) fn play(stage: &Stage, seed: u64, steps: usize) -> Result<Tally, String> {
    let mut duel = Duel::open(stage)?;
    let mut sequence = Sequence::new(&stage.scene, seed);
    let mut ops: Vec<Op> = Vec::new();
    let result = loop {
        if ops.len() == steps {
            break duel.compare_all().and_then(|()| duel.compare_replay());
        }
        ops.push(sequence.next(&duel.world, duel.clock));
        let result = step(&mut duel, &ops, ops.len().is_multiple_of(EVERYTHING));
        if result.is_err() {
            break result;
        }
    };
    match result {
        Ok(()) => Ok(duel.tally),
        Err(what) => Err(report(stage, seed, &ops, &what)),
    }
}

fn step(duel: &mut Duel, ops: &[Op], everything: bool) -> Result<(), String> {
    let Some(op) = ops.last() else { return Ok(()) };
    // What one side cannot even express, the other must not do either: a panic is a difference like any other.
    catch_unwind(AssertUnwindSafe(|| {
        duel.step(op)?.ok();
        if everything { duel.compare_all() } else { Ok(()) }
    }))
    .unwrap_or_else(|_| Err("a panic, whose message is printed above".to_owned()))
}

/// Plays a list of operations, comparing everything after each from index `from` on; answers where and how the
/// sides differ.
fn failure(stage: &Stage, ops: &[Op], from: usize) -> Option<(usize, String)> {
    let mut duel = match Duel::open(stage) {
        Ok(duel) => duel,
        Err(what) => return Some((0, what)),
    };
    for i in 0..ops.len() {
        if let Err(what) = step(&mut duel, &ops[..=i], i >= from) {
            return Some((i, what));
        }
    }
    duel.compare_replay().err().map(|what| (ops.len().saturating_sub(1), what))
}

fn report(stage: &Stage, seed: u64, ops: &[Op], what: &str) -> String {
    // The last comparison of everything was good.
    let good = (ops.len().saturating_sub(1) / EVERYTHING) * EVERYTHING;
    let (index, first) = failure(stage, ops, good).unwrap_or((ops.len() - 1, what.to_owned()));
    if std::env::var("BREAKWATER_SHRINK").is_ok_and(|value| value == "0") {
        return format!("seed {seed}, operation {index}: {:?}\n{first}\n", ops[index.min(ops.len() - 1)]);
    }
    let short = shorten(stage, ops[..=index.min(ops.len() - 1)].to_vec());
    let (_, shown) = failure(stage, &short, 0).unwrap_or((0, first.clone()));
    let mut text = format!(
        "seed {seed}, operation {index}: {:?}\n{first}\n\n{} operations after the opening show: {shown}\n",
        ops[index.min(ops.len() - 1)],
        short.len()
    );
    for (i, op) in short.iter().enumerate() {
        text.push_str(&format!("{i:>4} {op:?}\n"));
    }
    text
}

/// Leaves out what the difference does not need, in ever smaller pieces.
fn shorten(stage: &Stage, mut ops: Vec<Op>) -> Vec<Op> {
    let started = Instant::now();
    let names: BTreeSet<String> = ops.iter().map(Op::name).collect();
    for name in names.iter().filter(|name| !NAMING.contains(&name.as_str())) {
        if started.elapsed() > SHRINKING {
            return ops;
        }
        let rest: Vec<Op> = ops.iter().filter(|op| op.name() != *name).cloned().collect();
        if let Some((index, _)) = failure(stage, &rest, rest.len().saturating_sub(1)) {
            ops = rest[..(index + 1).min(rest.len())].to_vec();
        }
    }
    let mut size = ops.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < ops.len() {
            if started.elapsed() > SHRINKING {
                return ops;
            }
            let rest: Vec<Op> = ops[..at].iter().chain(&ops[(at + size).min(ops.len())..]).cloned().collect();
            match failure(stage, &rest, rest.len().saturating_sub(1)) {
                Some((index, _)) => ops = rest[..(index + 1).min(rest.len())].to_vec(),
                None => at += size,
            }
        }
        size /= 2;
    }
    ops
}

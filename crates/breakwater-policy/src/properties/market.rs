//! A market in play, with a history that is kept beside the world's own.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use breakwater_primitives::Time;

use crate::events::{Event, Log};
use crate::ops::{Clock, Generator, Op, Scene};
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::world::World;

/// splitmix64: small, and good enough to choose operations with.
pub(super) struct Source(pub(super) u64);

impl Source {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A change of a policy's sum in force.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) policy: u64,
    pub(super) time: Time,
    pub(super) less: u128,
}

pub(super) struct Market {
    pub(super) scene: Scene,
    pub(super) world: World,
    pub(super) clock: Clock,
    pub(super) source: Source,
    pub(super) generator: Generator,
    pub(super) made: Vec<Pool>,
    pub(super) logs: Vec<Log>,
    pub(super) changes: Vec<Change>,
    pub(super) sums: Vec<u128>,
    pub(super) done: BTreeMap<String, u64>,
    pub(super) refused: BTreeMap<String, u64>,
}

impl Market {
    /// The sample market after its opening.
    pub(super) fn open(seed: u64) -> Self {
        let scene = Scene::sample();
        let world = scene.world().expect("the sample can be listed");
        let mut market = Self {
            clock: scene.clock,
            source: Source(seed),
            generator: Generator {
                users: scene.users.clone(),
                refusals: true,
                treaties: scene.treaties.clone(),
            },
            made: world.pools.values().cloned().collect(),
            logs: Vec::new(),
            changes: Vec::new(),
            sums: Vec::new(),
            done: BTreeMap::new(),
            refused: BTreeMap::new(),
            world,
            scene,
        };
        for op in market.scene.opening() {
            market.act(&op).unwrap_or_else(|refusal| panic!("{op:?}: {refusal}"));
        }
        market
    }

    /// One random operation.
    pub(super) fn step(&mut self) -> (Op, Result<(), Refusal>) {
        let Self { source, generator, world, clock, .. } = self;
        let op = generator.next(&mut || source.next(), world, *clock);
        let result = self.act(&op);
        (op, result)
    }

    pub(super) fn act(&mut self, op: &Op) -> Result<(), Refusal> {
        match op.apply(&mut self.world, &mut self.clock) {
            Ok(logs) => {
                *self.done.entry(op.name()).or_default() += 1;
                self.remember(&logs);
                self.logs.extend(logs);
                Ok(())
            }
            Err(refusal) => {
                *self.refused.entry(format!("{} {}", op.name(), refusal.name())).or_default() += 1;
                Err(refusal)
            }
        }
    }

    fn remember(&mut self, logs: &[Log]) {
        for log in logs {
            let policy_of = |id: u64| self.world.policies.get(id).expect("logged").policy;
            match log.event {
                Event::Bought { policy, .. } => self.sums.push(policy.sum),
                // Both have the same cover, so what was in force before is that of both.
                Event::SplitOff { id, policy, .. } => {
                    self.sums[id as usize - 1] -= policy.sum;
                    self.sums.push(policy.sum);
                }
                Event::Lowered { id, sum, .. } => {
                    let before = self.sum_now(id);
                    let after = sum - policy_of(id).paid;
                    self.changes.push(Change { policy: id, time: log.time, less: before - after });
                }
                Event::Cancelled { id, .. } => {
                    let less = self.sum_now(id);
                    self.changes.push(Change { policy: id, time: log.time, less });
                }
                Event::Settled { id, paid, .. } => {
                    self.changes.push(Change { policy: id, time: log.time, less: paid });
                }
                _ => {}
            }
        }
    }

    /// What is left of a policy's sum after all changes.
    fn sum_now(&self, id: u64) -> u128 {
        let gone: u128 = self.changes.iter().filter(|c| c.policy == id).map(|c| c.less).sum();
        self.sums[id as usize - 1] - gone
    }

    /// Sums in force at `time`, counted policy by policy.
    pub(super) fn count_in_force(&self, pool: Address, product: alloy_primitives::B256, time: Time) -> u128 {
        let mut gone = vec![0u128; self.sums.len()];
        for change in self.changes.iter().filter(|change| change.time <= time) {
            gone[change.policy as usize - 1] += change.less;
        }
        let policies = self.world.policies.list.iter().zip(&self.sums).zip(&gone);
        policies
            .filter(|((holding, _), _)| {
                let policy = &holding.policy;
                policy.pool == pool
                    && policy.product == product
                    && policy.inception <= time
                    && time < policy.expiry
            })
            .map(|((_, sum), gone)| sum - gone)
            .sum()
    }
}

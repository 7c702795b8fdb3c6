//! Contracts and twin side by side: one operation on both, and everything that must then be the same.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;
use breakwater_policy::ops::{Ceded, Clock, Op};
use breakwater_policy::pool::Pool;
use breakwater_policy::words::{Part, Words};
use breakwater_policy::{Event, Log, Refusal, World};

use crate::chain::{Done, Failure};
use crate::coverage;
use crate::logs::Logged;
use crate::read::Difference;
use crate::reverts;
use crate::stage::Stage;
use crate::touched::touched;

/// Both sides, and what has been seen of them.
pub(crate) struct Duel {
    pub(crate) stage: Stage,
    pub(crate) world: World,
    pub(crate) clock: Clock,
    pub(crate) tally: Tally,
    /// Pools as they were made, for the replay.
    made: Vec<Pool>,
    /// Logs of the contracts alone, as the twin's events.
    pub(crate) logs: Vec<Log>,
    /// Every part that either side ever named.
    seen: BTreeSet<Part>,
}

/// What a run consisted of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) done: BTreeMap<String, u64>,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) events: BTreeMap<String, u64>,
    pub(crate) branches: BTreeMap<String, u64>,
    pub(crate) words: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.done, &other.done),
            (&mut self.refused, &other.refused),
            (&mut self.events, &other.events),
            (&mut self.branches, &other.branches),
        ];
        for (sum, more) in sums {
            more.iter().for_each(|(name, count)| *sum.entry(name.clone()).or_default() += count);
        }
        self.words += other.words;
    }

    /// Counts the events of an operation and the branches that they show.
    pub(crate) fn note(&mut self, world: &World, logs: &[&Log]) {
        for log in logs {
            let name = format!("{:?}", log.event);
            let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
            *self.events.entry(name).or_default() += 1;
        }
        for branch in coverage::branches(world, logs) {
            *self.branches.entry(branch.to_owned()).or_default() += 1;
        }
    }
}

impl Duel {
    /// Both sides after the opening of the sample market.
    pub(crate) fn open(stage: &Stage) -> Result<Self, String> {
        let stage = stage.clone();
        let world = stage.world();
        let mut duel = Self {
            clock: stage.chain.clock(),
            tally: Tally::default(),
            made: world.pools.values().cloned().collect(),
            logs: Vec::new(),
            seen: BTreeSet::new(),
            world,
            stage,
        };
        duel.take_logs();
        for op in duel.stage.scene.opening() {
            match duel.step(&op)? {
                Ok(()) => {}
                Err(refusal) => return Err(format!("the opening is refused: {op:?}: {refusal}")),
            }
        }
        duel.compare_all()?;
        Ok(duel)
    }

    /// One operation on both sides. The inner result is what both agreed on.
    pub(crate) fn step(&mut self, op: &Op) -> Result<Result<(), Refusal>, String> {
        let chain = self.stage.act(op);
        let twin = op.apply(&mut self.world, &mut self.clock);
        match (twin, chain) {
            (Ok(_), None) => {
                *self.tally.done.entry(op.name()).or_default() += 1;
                Ok(Ok(()))
            }
            (Ok(logs), Some(Ok(done))) => {
                *self.tally.done.entry(op.name()).or_default() += 1;
                self.compare_done(op, logs, &done)?;
                Ok(Ok(()))
            }
            (Err(refusal), Some(Err(Failure::Reverted(data)))) if reverts::agrees(op, &refusal, &data) => {
                *self.tally.refused.entry(format!("{} {}", op.name(), refusal.name())).or_default() += 1;
                Ok(Err(refusal))
            }
            (Err(refusal), Some(Err(failure))) => {
                let expected = alloy::primitives::Bytes::from(reverts::expected(op, &refusal));
                Err(format!("the twin refuses with {refusal:?} ({expected}), the contracts with {failure:?}"))
            }
            (Ok(_), Some(Err(failure))) => Err(format!("the twin did it, the contracts refuse: {failure:?}")),
            (Err(refusal), _) => Err(format!("the contracts did it, the twin refuses: {refusal:?}")),
        }
    }

    fn compare_done(&mut self, op: &Op, twin: Vec<Log>, done: &Done) -> Result<(), String> {
        let chain = self.take_logs();
        let twin: Vec<Logged> = twin.into_iter().map(Logged::of_twin).collect();
        for i in 0..twin.len().max(chain.len()) {
            if twin.get(i) != chain.get(i) {
                return Err(format!("log {i}:\n  twin  {:?}\n  chain {:?}", twin.get(i), chain.get(i)));
            }
        }
        let events: Vec<&Event> = twin.iter().map(|logged| &logged.log.event).collect();
        if let Some(expected) = answer(op, &events) {
            let got = U256::from_be_slice(&done.answer);
            if got != expected {
                return Err(format!("answer: twin {expected}, chain {got}"));
            }
        }
        let told: Vec<&Log> = twin.iter().map(|logged| &logged.log).collect();
        self.tally.note(&self.world, &told);
        let mut parts = BTreeSet::new();
        for logged in &twin {
            touched(&self.stage.scene, &logged.log, &mut parts);
        }
        self.compare_touched(&parts)
    }

    fn compare_touched(&mut self, parts: &BTreeSet<Part>) -> Result<(), String> {
        for part in parts {
            let mut twin = self.world.words_of(*part, self.clock.time);
            if let Part::Tranche(_) = part {
                // The contracts keep these two for the pool, whose totals are compared below.
                twin.retain(|name, _| !name.ends_with("/held") && !name.ends_with("/redeemable"));
            }
            let chain = self.stage.words_of(*part);
            self.compare(&twin, &chain)?;
            if let Part::Pool(pool) = part
                && let Some(difference) = self.stage.pool_differs(&self.world, *pool)
            {
                return Err(describe(&difference));
            }
        }
        self.seen.extend(parts);
        Ok(())
    }

    /// Every word of every part on both sides.
    pub(crate) fn compare_all(&mut self) -> Result<(), String> {
        let mut parts = self.world.parts();
        parts.extend(&self.seen);
        let mut twin = Words::new();
        parts.iter().for_each(|part| twin.extend(self.world.words_of(*part, self.clock.time)));
        let chain = self.stage.words(&parts);
        self.compare(&twin, &chain)?;
        match self.stage.differs(&self.world) {
            Some(difference) => Err(describe(&difference)),
            None => Ok(()),
        }
    }

    /// A third copy, from the contracts' logs alone, has the same words.
    pub(crate) fn compare_replay(&mut self) -> Result<(), String> {
        let replayed = World::replay(self.world.terms.clone(), &self.made, &self.logs)
            .map_err(|error| format!("the logs cannot be replayed: {error}"))?;
        let (twin, again) = (self.world.words(self.clock.time), replayed.words(self.clock.time));
        match Difference::first(&twin, &again) {
            Some(difference) => {
                Err(format!("rebuilt from logs ({} of them): {}", self.logs.len(), describe(&difference)))
            }
            None => Ok(()),
        }
    }

    fn compare(&mut self, twin: &Words, chain: &Words) -> Result<(), String> {
        self.tally.words += twin.len() as u64;
        match Difference::first(twin, chain) {
            Some(difference) => Err(describe(&difference)),
            None => Ok(()),
        }
    }

    /// New logs of the contracts, which are also kept for the replay.
    fn take_logs(&mut self) -> Vec<Logged> {
        let raw = std::mem::take(&mut self.stage.chain.logs);
        let logged: Vec<Logged> =
            raw.iter().filter_map(|(clock, raw)| Logged::of_chain(&self.stage.scene, *clock, raw)).collect();
        self.logs.extend(logged.iter().map(|logged| logged.log.clone()));
        logged
    }
}

fn describe(difference: &Difference) -> String {
    format!("{}: twin {}, chain {}", difference.word, difference.twin, difference.chain)
}

/// What a call must answer, by the events of the twin; none where it answers nothing.
fn answer(op: &Op, events: &[&Event]) -> Option<U256> {
    let sum = |amount: &dyn Fn(&Event) -> Option<u128>| {
        Some(U256::from(events.iter().filter_map(|event| amount(event)).sum::<u128>()))
    };
    let number = |find: &dyn Fn(&Event) -> Option<U256>| events.iter().find_map(|event| find(event));
    match op {
        Op::Buy { .. } => number(&|event| match event {
            Event::Bought { id, .. } => Some(U256::from(*id)),
            _ => None,
        }),
        Op::Split { .. } => number(&|event| match event {
            Event::SplitOff { new_id, .. } => Some(U256::from(*new_id)),
            _ => None,
        }),
        Op::Lower { .. } | Op::Cancel { .. } => sum(&|event| match event {
            Event::Lowered { refund, .. } | Event::Cancelled { refund, .. } => Some(*refund),
            _ => None,
        }),
        Op::Settle { .. } | Op::SettleBatch { .. } => sum(&|event| match event {
            Event::Settled { paid, .. } => Some(*paid),
            _ => None,
        }),
        Op::Open { .. } => number(&|event| match event {
            Event::Opened { id, .. } => Some(U256::from(*id)),
            _ => None,
        }),
        Op::Withdraw { .. } => sum(&|event| match event {
            Event::Withdrawn { amount, .. } => Some(*amount),
            _ => None,
        }),
        other => answer_of_tranche(other, events),
    }
}

fn answer_of_tranche(op: &Op, events: &[&Event]) -> Option<U256> {
    events.iter().rev().find_map(|event| match (op, event) {
        (Op::RequestDeposit { .. }, Event::DepositRequest { request_id, .. })
        | (Op::RequestRedeem { .. }, Event::RedeemRequest { request_id, .. }) => {
            Some(U256::from(*request_id))
        }
        (Op::ClaimDeposit { .. }, Event::DepositClaimed { shares, .. })
        | (Op::ClaimRecovery { .. }, Event::RecoveryClaimed { shares, .. })
        | (Op::ClaimQueuedRecovery { .. }, Event::QueuedRecoveryClaimed { shares, .. }) => Some(*shares),
        (Op::ClaimRedeem { .. }, Event::RedeemClaimed { assets, .. }) => Some(U256::from(*assets)),
        (Op::Ceded { ceded, .. }, event) => answer_of_treaty(ceded, event),
        _ => None,
    })
}

fn answer_of_treaty(ceded: &Ceded, event: &Event) -> Option<U256> {
    match (ceded, event) {
        (Ceded::MakeTreaty { .. }, Event::TreatyMade { treaty, .. }) => Some(treaty.into_word().into()),
        (Ceded::PayPremium { .. }, Event::PremiumCeded { amount, .. })
        | (Ceded::ClaimReturn { .. }, Event::ReturnClaimed { amount, .. }) => Some(U256::from(*amount)),
        (Ceded::DepositCollateral { .. }, Event::VaultDeposit { shares, .. }) => Some(*shares),
        (Ceded::RedeemCollateral { .. }, Event::VaultWithdraw { assets, .. }) => Some(U256::from(*assets)),
        _ => None,
    }
}

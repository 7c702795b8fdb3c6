//! Long random sequences.

use std::collections::BTreeMap;

use super::invariants::{check, check_cover, check_in_force, check_registry};
use super::market::Market;
use crate::events::Event;
use crate::ops::Op;
use crate::world::World;

/// Seeds of an ordinary run; `BREAKWATER_SEEDS` asks for another number.
const SEEDS: u64 = 8;
const STEPS: usize = 2_500;

/// Runs one seed; checks after every operation.
fn run(seed: u64, steps: usize) -> Market {
    let mut market = Market::open(seed);
    let mut highest: BTreeMap<u64, u128> = BTreeMap::new();
    for step in 0..steps {
        let before = step.is_multiple_of(50).then(|| market.world.clone());
        let logged = market.logs.len();
        let (op, result) = market.step();
        check_cover(&market, logged);
        if let (Some(before), Err(refusal)) = (before, &result) {
            assert!(market.world == before, "{op:?} was refused with {refusal} and changed something");
        }
        for (i, incident) in market.world.incidents.list.iter().enumerate() {
            let most = highest.entry(i as u64 + 1).or_default();
            *most = (*most).max(incident.measured.loss);
        }
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&market.world)));
        if let Err(cause) = checked {
            eprintln!("seed {seed}, step {step}: {op:#?}");
            std::panic::resume_unwind(cause);
        }
        if let Err(refusal) = &result {
            let name = refusal.name();
            assert!(name != "Arithmetic", "seed {seed}, step {step}: {op:?}: {refusal}");
        }
        if step.is_multiple_of(25) {
            check_in_force(&mut market);
            check_registry(&market, &highest);
        }
    }
    market
}

#[test]
fn any_sequence_keeps_every_invariant() {
    let mut done: BTreeMap<String, u64> = BTreeMap::new();
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    let mut events: BTreeMap<String, u64> = BTreeMap::new();
    let seeds = std::env::var("BREAKWATER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        let market = run(seed, STEPS);
        for (name, count) in &market.done {
            *done.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &market.refused {
            *refused.entry(name.clone()).or_default() += count;
        }
        for log in &market.logs {
            let name = format!("{:?}", log.event);
            let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
            *events.entry(name).or_default() += 1;
        }
        replays(&market);
    }
    let (good, bad): (u64, u64) = (done.values().sum(), refused.values().sum());
    println!("{good} done, {bad} refused\n{done:#?}\n{refused:#?}\n{events:#?}");
    assert!(good > 2 * bad, "{good} done, {bad} refused: the generator proposes too much that fails");
    for name in OPS {
        assert!(done.contains_key(*name), "{name} never succeeded");
    }
    for name in EVENTS {
        assert!(events.contains_key(*name), "{name} never happened");
    }
}

/// The world from its logs alone is the world.
fn replays(market: &Market) {
    let mut logs = market.scene_logs();
    logs.extend(market.logs.iter().cloned());
    let replayed = World::replay(market.world.terms.clone(), &market.made, &logs).expect("it fits");
    let (words, again) = (market.world.words(market.clock.time), replayed.words(market.clock.time));
    for (name, value) in &words {
        assert_eq!(again.get(name), Some(value), "{name}");
    }
    for name in again.keys() {
        assert!(words.contains_key(name), "{name} only in the replay");
    }
    assert!(words.len() > 100, "only {} words", words.len());
}

impl Market {
    /// Logs of the listings, which [`crate::ops::Scene::world`] made.
    fn scene_logs(&self) -> Vec<crate::events::Log> {
        let emitter = self.world.terms.catalog;
        let log = |event| crate::events::Log {
            emitter,
            time: self.scene.clock.time,
            block: self.scene.clock.block,
            event,
        };
        let gauges = self
            .scene
            .gauges
            .iter()
            .map(|(gauge, info)| log(Event::GaugeListed { gauge: *gauge, info: info.clone() }));
        let products =
            self.scene.products.iter().map(|(product, terms)| {
                log(Event::ProductListed { product: *product, terms: terms.clone() })
            });
        let pools = self.scene.pools.iter().map(|(pool, _, _)| log(Event::PoolRegistered { pool: *pool }));
        gauges.chain(products).chain(pools).collect()
    }
}

/// Operations that every test run must have performed.
const OPS: &[&str] = &[
    "Accrue",
    "AttachTreaty",
    "Buy",
    "Cancel",
    "Certify",
    "ClaimDeposit",
    "ClaimQueuedRecovery",
    "ClaimRecovery",
    "ClaimRedeem",
    "ClaimReturn",
    "CloseBooking",
    "DepositCollateral",
    "DetachTreaty",
    "Finalise",
    "Lock",
    "Lower",
    "Open",
    "Pass",
    "PayPremium",
    "Post",
    "ProcessRedemptions",
    "RecordPosition",
    "Recover",
    "RedeemCollateral",
    "Refuse",
    "RequestDeposit",
    "RequestRedeem",
    "Revise",
    "SetProduct",
    "Settle",
    "SettleBatch",
    "Split",
    "TransferPolicy",
    "TransferShares",
    "Unlock",
    "Withdraw",
];

/// Events that every test run must have seen.
const EVENTS: &[&str] = &[
    "Accrued",
    "BookingClosed",
    "BookingPaid",
    "BookingSettled",
    "Bought",
    "Cancelled",
    "Charged",
    "Credited",
    "Drawn",
    "FeeEarned",
    "CuratorLocked",
    "DepositsProcessed",
    "DepositsReturned",
    "ExposureReduced",
    "Filled",
    "Finalised",
    "InstantLoss",
    "LockFreed",
    "Lowered",
    "Opened",
    "Paid",
    "PoolClosed",
    "PositionPaid",
    "PositionProven",
    "ProductBooked",
    "ProductCapped",
    "QueuedRecoveryClaimed",
    "RecoveredTo",
    "RecoveryClaimed",
    "ReturnReceived",
    "RedemptionsProcessed",
    "Released",
    "Returned",
    "Revised",
    "Settled",
    "Skipped",
    "Sold",
    "Voided",
    "Withdrawn",
];

#[test]
fn an_operation_prints_its_name() {
    assert_eq!(Op::Pass { seconds: 1, blocks: 1 }.name(), "Pass");
}

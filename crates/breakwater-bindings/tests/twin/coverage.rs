//! What a run must have met, so that its silence means something.

use std::collections::{BTreeMap, BTreeSet};

use breakwater_policy::incident::Status;
use breakwater_policy::{Event, Log, World};

use crate::duel::Tally;

/// Fails with the first operation, event or branch that a run has never met.
pub(crate) fn check(tally: &Tally) {
    if let Some(name) = needed().difference(&met(tally)).next() {
        panic!("{name} was never met");
    }
    assert!(tally.refused.len() > 60, "only {} kinds of refusals", tally.refused.len());
}

/// As many of the scouted seeds as asked: first those that meet what the ones before have not, then any.
pub(crate) fn choose(scouted: &BTreeMap<u64, Tally>, count: usize) -> Vec<u64> {
    let mut open = needed();
    let mut left: BTreeMap<u64, BTreeSet<String>> =
        scouted.iter().map(|(seed, tally)| (*seed, met(tally))).collect();
    let mut chosen = Vec::new();
    while chosen.len() < count {
        // The lowest of those that meet most.
        let best = left.iter().rev().max_by_key(|(_, met)| met.intersection(&open).count());
        let Some(seed) = best.map(|(seed, _)| *seed) else { break };
        let met = left.remove(&seed).unwrap_or_default();
        open.retain(|name| !met.contains(name));
        chosen.push(seed);
    }
    chosen
}

fn needed() -> BTreeSet<String> {
    let branches = BRANCHES.iter().map(|(name, _)| *name);
    OPS.iter().chain(EVENTS).copied().chain(branches).map(str::to_owned).collect()
}

fn met(tally: &Tally) -> BTreeSet<String> {
    [&tally.done, &tally.events, &tally.branches].into_iter().flat_map(BTreeMap::keys).cloned().collect()
}

/// Branches that an operation has taken, by its logs and what the world is afterwards.
pub(crate) fn branches(world: &World, logs: &[&Log]) -> Vec<&'static str> {
    BRANCHES
        .iter()
        .filter(|(_, takes)| logs.iter().any(|log| takes(world, log)))
        .map(|(name, _)| *name)
        .collect()
}

/// Whether an event shows that a branch was taken.
type Shows = fn(&World, &Log) -> bool;

const BRANCHES: [(&str, Shows); 14] = [
    ("shortfall: more is due than is funded", |_, log| matches!(log.event, Event::PoolClosed { .. })),
    ("instant lane: paid in the dwell", |world, log| match log.event {
        Event::Settled { incident, paid, .. } => {
            paid > 0 && status(world, incident) == Some(Status::Dwelling)
        }
        _ => false,
    }),
    ("void after payment: the curator bears it", |world, log| match log.event {
        Event::InstantLoss { incident, .. } => status(world, incident) == Some(Status::Voided),
        _ => false,
    }),
    ("lowered after payment: the curator bears it", |world, log| match log.event {
        Event::InstantLoss { incident, .. } => status(world, incident) == Some(Status::Dwelling),
        _ => false,
    }),
    ("dispute lowered: less is final than was asserted", |world, log| match log.event {
        Event::Decided { id, loss, .. } => {
            world.incidents.get(id).is_some_and(|found| loss < part_at_peak(found.measured.base, found.peak))
        }
        _ => false,
    }),
    (
        "treaty short: less is covered than is owed",
        |_, log| matches!(log.event, Event::Encumbered { short_by, .. } if short_by > 0),
    ),
    ("treaty drawn for a claim", |_, log| matches!(log.event, Event::Drawn { .. })),
    ("treaty frozen: a draw fails", |_, log| matches!(log.event, Event::DrawFailed { .. })),
    (
        "treaty year: an aggregate begins above zero",
        |_, log| matches!(log.event, Event::CessionOpened { before, .. } if !before.is_zero()),
    ),
    (
        "recovery to a treaty's holders",
        |_, log| matches!(log.event, Event::ReturnReceived { to_holders: true, amount, .. } if amount > 0),
    ),
    ("recovery to surplus", |_, log| matches!(log.event, Event::RecoveredTo { layer: 0, .. })),
    ("recovery to a tranche", |_, log| matches!(log.event, Event::RecoveredTo { layer, .. } if layer > 0)),
    ("recovery fills a short booking", |_, log| matches!(log.event, Event::Filled { from: 0, .. })),
    ("owed: a transfer failed", |_, log| matches!(log.event, Event::Credited { .. })),
];

fn status(world: &World, incident: u64) -> Option<Status> {
    world.incidents.get(incident).map(|found| found.status)
}

/// floor(base · peak / 1e18): the loss of the highest measurement, on the base of the last one.
fn part_at_peak(base: u128, peak: alloy::primitives::U256) -> u128 {
    let loss = alloy::primitives::U256::from(base) * peak
        / alloy::primitives::U256::from(breakwater_primitives::WAD);
    loss.try_into().unwrap_or(base)
}

/// Operations that every run must have done.
const OPS: &[&str] = &[
    "Accrue",
    "AttachTreaty",
    "Buy",
    "Cancel",
    "ClaimDeposit",
    "ClaimQueuedRecovery",
    "ClaimRecovery",
    "ClaimRedeem",
    "ClaimReturn",
    "CloseBooking",
    "Decide",
    "DepositCollateral",
    "DetachTreaty",
    "Escalate",
    "Extend",
    "Finalise",
    "Hold",
    "Lock",
    "Lower",
    "MakeTreaty",
    "Open",
    "Overrule",
    "Pass",
    "PayPremium",
    "ProcessRedemptions",
    "RecordPosition",
    "Recover",
    "RedeemCollateral",
    "Refuse",
    "Release",
    "RequestDeposit",
    "RequestRedeem",
    "Revise",
    "SetCeiling",
    "SetProduct",
    "Settle",
    "SettleBatch",
    "SetCluster",
    "SetCredit",
    "Certify",
    "Post",
    "Split",
    "TransferCollateral",
    "TransferPolicy",
    "TransferShares",
    "Unlock",
    "Withdraw",
];

/// The rarer events, which every run must have seen.
const EVENTS: &[&str] = &[
    "BookingClosed",
    "Ceded",
    "CessionSettled",
    "Credited",
    "Decided",
    "Delayed",
    "DepositsReturned",
    "Disputed",
    "Distributed",
    "DrawFailed",
    "Drawn",
    "Extended",
    "FeeEarned",
    "Filled",
    "Held",
    "InstantLoss",
    "Outranked",
    "Overruled",
    "PoolClosed",
    "PositionPaid",
    "PremiumReceived",
    "QueuedRecoveryClaimed",
    "Recovered",
    "RecoveredTo",
    "RecoveryClaimed",
    "RedeemClaimed",
    "Released",
    "ReturnClaimed",
    "ReturnReceived",
    "Returned",
    "Settled",
    "Skipped",
    "TreatyDetached",
    "Uncounted",
    "Voided",
    "Withdrawn",
];

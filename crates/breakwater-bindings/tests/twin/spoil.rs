//! What nobody should ask for: another caller, an id that does not exist, nothing at all, far too much.
//!
//! The generator of the twin proposes what mostly succeeds; refusals must agree as well, in name and arguments.

use alloy::primitives::{Address, B256, U256};
use breakwater_policy::ops::{Ceded, Op};
use breakwater_primitives::{Block, Time};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt};

/// More than anybody has and more than any bound allows, yet nowhere near the end of a type.
const FAR_TOO_MUCH: u128 = 1 << 100;

/// The same operation with one thing wrong, which may by chance still be right.
pub(crate) fn spoil(op: &Op, users: &[Address], random: &mut SmallRng) -> Op {
    let mut op = op.clone();
    match random.random_range(0..3) {
        0 => spoil_caller(&mut op, users, random),
        1 => spoil_name(&mut op, random),
        _ => spoil_amount(&mut op, random),
    }
    op
}

fn spoil_caller(op: &mut Op, users: &[Address], random: &mut SmallRng) {
    let somebody = users[random.random_range(0..users.len())];
    match op {
        Op::Pass { .. } | Op::Refuse { .. } | Op::SetGuardian { .. } | Op::SetCeiling { .. } => {}
        Op::Hold { caller, .. }
        | Op::Escalate { caller, .. }
        | Op::Decide { caller, .. }
        | Op::Overrule { caller, .. }
        | Op::Release { caller, .. }
        | Op::Extend { caller, .. }
        | Op::Buy { caller, .. }
        | Op::Lower { caller, .. }
        | Op::Cancel { caller, .. }
        | Op::Split { caller, .. }
        | Op::TransferPolicy { caller, .. }
        | Op::Settle { caller, .. }
        | Op::SettleBatch { caller, .. }
        | Op::Open { caller, .. }
        | Op::Revise { caller, .. }
        | Op::RecordPosition { caller, .. }
        | Op::Finalise { caller, .. }
        | Op::Accrue { caller, .. }
        | Op::SetProduct { caller, .. }
        | Op::Lock { caller, .. }
        | Op::Unlock { caller, .. }
        | Op::CloseBooking { caller, .. }
        | Op::Withdraw { caller, .. }
        | Op::RequestDeposit { caller, .. }
        | Op::ClaimDeposit { caller, .. }
        | Op::RequestRedeem { caller, .. }
        | Op::ProcessRedemptions { caller, .. }
        | Op::ClaimRedeem { caller, .. }
        | Op::ClaimRecovery { caller, .. }
        | Op::ClaimQueuedRecovery { caller, .. }
        | Op::TransferShares { caller, .. }
        | Op::Signed { caller, .. }
        | Op::Ceded { caller, .. } => *caller = somebody,
    }
}

/// Another id, gauge, product, pool, or nobody.
fn spoil_name(op: &mut Op, random: &mut SmallRng) {
    let other = |id: u64, random: &mut SmallRng| match random.random_range(0..4) {
        0 => 0,
        1 => id + 1,
        2 => id.saturating_sub(1),
        _ => u64::from(random.next_u32()),
    };
    let unknown = B256::from(U256::from(random.next_u64()));
    match op {
        Op::Buy { purchase, .. } => match random.random_range(0..5) {
            0 => purchase.product = unknown,
            1 => purchase.pool = Address::from_word(unknown),
            2 => purchase.to = Address::ZERO,
            3 => purchase.position = Address::ZERO,
            _ => purchase.expiry = Time(other(purchase.expiry.0, random)),
        },
        Op::Lower { id, .. }
        | Op::Cancel { id, .. }
        | Op::Finalise { id, .. }
        | Op::Hold { id, .. }
        | Op::Escalate { id, .. }
        | Op::Decide { id, .. }
        | Op::Overrule { id, .. }
        | Op::Release { id, .. }
        | Op::Extend { id, .. } => *id = other(*id, random),
        Op::TransferPolicy { id, to, .. } | Op::Split { id, to, .. } => match random.random_range(0..2) {
            0 => *id = other(*id, random),
            _ => *to = Address::ZERO,
        },
        Op::Settle { id, incident, .. } => match random.random_range(0..2) {
            0 => *id = other(*id, random),
            _ => *incident = other(*incident, random),
        },
        Op::SettleBatch { ids, incident, .. } => match random.random_range(0..2) {
            0 => ids.iter_mut().for_each(|id| *id = other(*id, random)),
            _ => *incident = other(*incident, random),
        },
        Op::Open { gauge, .. } => *gauge = unknown,
        Op::Revise { id, .. } => *id = other(*id, random),
        Op::RecordPosition { id, .. } => *id = other(*id, random),
        Op::SetProduct { product, .. } => *product = unknown,
        Op::CloseBooking { incident, .. } => *incident = other(*incident, random),
        Op::Withdraw { account, .. } => *account = Address::from_word(unknown),
        Op::RequestDeposit { controller, .. } | Op::RequestRedeem { controller, .. } => {
            *controller = Address::ZERO;
        }
        Op::ClaimDeposit { request_id, controller, .. } | Op::ClaimRedeem { request_id, controller, .. } => {
            match random.random_range(0..2) {
                0 => *request_id = other(*request_id, random),
                _ => *controller = Address::from_word(unknown),
            }
        }
        Op::ClaimRecovery { incident, account, .. } => match random.random_range(0..2) {
            0 => *incident = other(*incident, random),
            _ => *account = Address::from_word(unknown),
        },
        Op::ClaimQueuedRecovery { incident, request_id, .. } => match random.random_range(0..2) {
            0 => *incident = other(*incident, random),
            _ => *request_id = other(*request_id, random),
        },
        Op::TransferShares { to, .. } => *to = Address::ZERO,
        Op::Ceded { ceded, .. } => spoil_ceded_name(ceded, &mut |id| other(id, random)),
        _ => {}
    }
}

/// Nothing, or far too much; measurements that are none.
fn spoil_amount(op: &mut Op, random: &mut SmallRng) {
    let amount = if random.random_range(0..2) == 0 { 0 } else { FAR_TOO_MUCH };
    match op {
        Op::Buy { purchase, .. } => purchase.sum = amount,
        Op::Lower { new_sum, .. } => *new_sum = amount,
        Op::Split { sum_off, .. } => *sum_off = amount,
        Op::Open { measured, .. } | Op::Revise { measured, .. } => match random.random_range(0..5) {
            0 => measured.base = 0,
            1 => measured.loss = measured.base + 1,
            2 => measured.reading = measured.onset,
            3 => measured.after_time = measured.onset_time,
            _ => measured.reading = Block(measured.reading.0 + u64::from(random.next_u32() % 1_000)),
        },
        Op::Hold { undisputed: loss, .. } | Op::Decide { loss, .. } | Op::Overrule { loss, .. } => {
            *loss = amount;
        }
        Op::RecordPosition { lost, value, .. } => (*lost, *value) = (amount, FAR_TOO_MUCH),
        Op::SetProduct { cap, .. } => *cap = amount,
        Op::Lock { shares, .. }
        | Op::Unlock { shares, .. }
        | Op::RequestRedeem { shares, .. }
        | Op::TransferShares { shares, .. } => *shares = U256::from(amount),
        Op::RequestDeposit { assets, .. } => *assets = amount,
        Op::Ceded { ceded, .. } => spoil_ceded_amount(ceded, amount),
        _ => {}
    }
}

/// Another incident, a pool that is none, nobody. Who is no treaty is not asked: nothing answers there.
fn spoil_ceded_name(ceded: &mut Ceded, other: &mut impl FnMut(u64) -> u64) {
    match ceded {
        Ceded::MakeTreaty { cedant, .. } => *cedant = Address::with_last_byte(0x77),
        Ceded::AttachTreaty { treaty, .. }
        | Ceded::DetachTreaty { treaty, .. }
        | Ceded::PayPremium { treaty, .. } => *treaty = Address::with_last_byte(0x77),
        Ceded::TransferCollateral { to, .. } => *to = Address::ZERO,
        Ceded::ClaimReturn { incident, .. } | Ceded::Recover { incident, .. } => *incident = other(*incident),
        Ceded::DepositCollateral { .. } | Ceded::RedeemCollateral { .. } => {}
    }
}

fn spoil_ceded_amount(ceded: &mut Ceded, amount: u128) {
    match ceded {
        Ceded::MakeTreaty { terms, .. } => match amount {
            0 => terms.limit = 0,
            _ => terms.notice = 1 << 31,
        },
        Ceded::DepositCollateral { assets, .. } => *assets = amount,
        Ceded::RedeemCollateral { shares, .. } | Ceded::TransferCollateral { shares, .. } => {
            *shares = U256::from(amount);
        }
        Ceded::Recover { amount: given, .. } => *given = amount,
        _ => {}
    }
}

//! Random operations: the same sequences drive the twin's own properties and its comparison with the contracts.
//!
//! A sequence is a list of [`Op`]s, each complete in itself, so that a failing one can be printed, cut and replayed.
//! [`Generator::next`] looks at the world to propose something that mostly succeeds; what is refused is a finding of
//! its own, because both sides must refuse it by the same name.

mod certificates;
mod ladder;
mod losses;
mod random;
mod scene;
mod treaties;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, Time, Wad};

pub use certificates::Signed;
pub use random::Generator;
pub use scene::{CURATOR, GUARDIAN, RUNGS, Scene, sample_configs, sample_gauges, sample_products};
pub use treaties::Ceded;

use crate::context::{Context, Effects};
use crate::events::Log;
use crate::incident::{Measurement, Rung};
use crate::policies::Purchase;
use crate::refusal::Refusal;
use crate::world::World;

/// Where a sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Time of the block in the making.
    pub time: Time,
    /// Its number.
    pub block: Block,
}

/// One operation by one caller, or the passing of time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the entry point of its name, with its arguments")]
pub enum Op {
    /// Time passes; at least one block does.
    Pass {
        seconds: u64,
        blocks: u64,
    },
    /// From now on the asset refuses (or accepts) an account.
    Refuse {
        asset: Address,
        account: Address,
        refused: bool,
    },
    /// By who may: the timelock.
    SetGuardian {
        guardian: Address,
    },
    SetCeiling {
        rung: Rung,
        asset: Address,
        ceiling: u128,
    },
    Hold {
        caller: Address,
        id: u64,
        undisputed: u128,
    },
    Escalate {
        caller: Address,
        id: u64,
    },
    Decide {
        caller: Address,
        id: u64,
        loss: u128,
    },
    Overrule {
        caller: Address,
        id: u64,
        loss: u128,
    },
    Release {
        caller: Address,
        id: u64,
    },
    Extend {
        caller: Address,
        id: u64,
        seconds: u64,
    },
    Buy {
        caller: Address,
        purchase: Purchase,
    },
    Lower {
        caller: Address,
        id: u64,
        new_sum: u128,
    },
    Cancel {
        caller: Address,
        id: u64,
    },
    Split {
        caller: Address,
        id: u64,
        sum_off: u128,
        to: Address,
    },
    TransferPolicy {
        caller: Address,
        id: u64,
        to: Address,
    },
    Settle {
        caller: Address,
        id: u64,
        incident: u64,
    },
    SettleBatch {
        caller: Address,
        ids: Vec<u64>,
        incident: u64,
    },
    Open {
        caller: Address,
        gauge: B256,
        rung: Rung,
        opener: Address,
        measured: Measurement,
    },
    Revise {
        caller: Address,
        id: u64,
        measured: Measurement,
    },
    RecordPosition {
        caller: Address,
        id: u64,
        account: Address,
        lost: u128,
        value: u128,
    },
    Finalise {
        caller: Address,
        id: u64,
    },
    Accrue {
        caller: Address,
        pool: Address,
    },
    SetProduct {
        caller: Address,
        pool: Address,
        product: B256,
        cap: u128,
        floor_rate: Wad,
    },
    Lock {
        caller: Address,
        pool: Address,
        shares: U256,
    },
    Unlock {
        caller: Address,
        pool: Address,
        shares: U256,
    },
    CloseBooking {
        caller: Address,
        pool: Address,
        incident: u64,
    },
    Withdraw {
        caller: Address,
        pool: Address,
        account: Address,
    },
    RequestDeposit {
        caller: Address,
        pool: Address,
        layer: usize,
        assets: u128,
        controller: Address,
    },
    ClaimDeposit {
        caller: Address,
        pool: Address,
        layer: usize,
        request_id: u64,
        controller: Address,
    },
    RequestRedeem {
        caller: Address,
        pool: Address,
        layer: usize,
        shares: U256,
        controller: Address,
    },
    ProcessRedemptions {
        caller: Address,
        pool: Address,
        layer: usize,
    },
    ClaimRedeem {
        caller: Address,
        pool: Address,
        layer: usize,
        request_id: u64,
        controller: Address,
    },
    ClaimRecovery {
        caller: Address,
        pool: Address,
        layer: usize,
        incident: u64,
        account: Address,
    },
    ClaimQueuedRecovery {
        caller: Address,
        pool: Address,
        layer: usize,
        incident: u64,
        request_id: u64,
        controller: Address,
    },
    TransferShares {
        caller: Address,
        pool: Address,
        layer: usize,
        to: Address,
        shares: U256,
    },
    /// What committees and governance say.
    Signed {
        caller: Address,
        signed: Signed,
    },
    /// Treaties and recoveries.
    Ceded {
        caller: Address,
        ceded: Ceded,
    },
}

impl Op {
    /// Who calls; zero where nobody does.
    pub fn caller(&self) -> Address {
        match self {
            Self::Pass { .. } | Self::Refuse { .. } | Self::SetGuardian { .. } | Self::SetCeiling { .. } => {
                Address::ZERO
            }
            Self::Hold { caller, .. }
            | Self::Escalate { caller, .. }
            | Self::Decide { caller, .. }
            | Self::Overrule { caller, .. }
            | Self::Release { caller, .. }
            | Self::Extend { caller, .. }
            | Self::Buy { caller, .. }
            | Self::Lower { caller, .. }
            | Self::Cancel { caller, .. }
            | Self::Split { caller, .. }
            | Self::TransferPolicy { caller, .. }
            | Self::Settle { caller, .. }
            | Self::SettleBatch { caller, .. }
            | Self::Open { caller, .. }
            | Self::Revise { caller, .. }
            | Self::RecordPosition { caller, .. }
            | Self::Finalise { caller, .. }
            | Self::Accrue { caller, .. }
            | Self::SetProduct { caller, .. }
            | Self::Lock { caller, .. }
            | Self::Unlock { caller, .. }
            | Self::CloseBooking { caller, .. }
            | Self::Withdraw { caller, .. }
            | Self::RequestDeposit { caller, .. }
            | Self::ClaimDeposit { caller, .. }
            | Self::RequestRedeem { caller, .. }
            | Self::ProcessRedemptions { caller, .. }
            | Self::ClaimRedeem { caller, .. }
            | Self::ClaimRecovery { caller, .. }
            | Self::ClaimQueuedRecovery { caller, .. }
            | Self::TransferShares { caller, .. }
            | Self::Signed { caller, .. }
            | Self::Ceded { caller, .. } => *caller,
        }
    }

    /// Name of the variant.
    pub fn name(&self) -> String {
        let debug = match self {
            Self::Ceded { ceded, .. } => format!("{ceded:?}"),
            Self::Signed { signed, .. } => format!("{signed:?}"),
            _ => format!("{self:?}"),
        };
        debug.split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    /// Performs the operation; answers its logs.
    ///
    /// # Errors
    /// What the world refuses it for; then nothing has changed.
    pub fn apply(&self, world: &mut World, clock: &mut Clock) -> Result<Vec<Log>, Refusal> {
        let at = Context { time: clock.time, block: clock.block, caller: self.caller() };
        match self.clone() {
            Self::Pass { seconds, blocks } => {
                *clock = Clock { time: clock.time.plus(seconds), block: clock.block.plus(blocks) };
                Ok(Vec::new())
            }
            Self::Refuse { asset, account, refused } => {
                world.ledger.set_blocked(asset, account, refused);
                Ok(Vec::new())
            }
            Self::Buy { purchase, .. } => world.buy(at, purchase).map(logs),
            Self::Lower { id, new_sum, .. } => world.lower(at, id, new_sum).map(logs),
            Self::Cancel { id, .. } => world.cancel(at, id).map(logs),
            Self::Split { id, sum_off, to, .. } => world.split(at, id, sum_off, to).map(logs),
            Self::TransferPolicy { id, to, .. } => world.transfer_policy(at, id, to).map(logs),
            Self::Settle { id, incident, .. } => world.settle(at, id, incident).map(logs),
            Self::SettleBatch { ids, incident, .. } => world.settle_batch(at, &ids, incident).map(logs),
            Self::Open { gauge, rung, opener, measured, .. } => {
                world.open(at, gauge, rung, opener, measured).map(logs)
            }
            Self::Revise { id, measured, .. } => world.revise(at, id, measured).map(logs),
            Self::RecordPosition { id, account, lost, value, .. } => {
                world.record_position(at, id, account, lost, value).map(logs)
            }
            Self::Finalise { id, .. } => world.finalise(at, id).map(logs),
            Self::SetGuardian { guardian } => world.set_guardian(at, guardian).map(logs),
            Self::SetCeiling { rung, asset, ceiling } => {
                world.set_ceiling(at, rung, asset, ceiling).map(logs)
            }
            Self::Hold { id, undisputed, .. } => world.hold(at, id, undisputed).map(logs),
            Self::Escalate { id, .. } => world.escalate(at, id).map(logs),
            Self::Decide { id, loss, .. } => world.decide(at, id, loss).map(logs),
            Self::Overrule { id, loss, .. } => world.overrule(at, id, loss).map(logs),
            Self::Release { id, .. } => world.release(at, id).map(logs),
            Self::Extend { id, seconds, .. } => world.extend(at, id, seconds).map(logs),
            other => other.apply_to_pool(world, at),
        }
    }

    fn apply_to_pool(self, world: &mut World, at: Context) -> Result<Vec<Log>, Refusal> {
        match self {
            Self::Accrue { pool, .. } => world.accrue(at, pool).map(logs),
            Self::SetProduct { pool, product, cap, floor_rate, .. } => {
                world.set_product(at, pool, product, cap, floor_rate).map(logs)
            }
            Self::Lock { pool, shares, .. } => world.lock(at, pool, shares).map(logs),
            Self::Unlock { pool, shares, .. } => world.unlock(at, pool, shares).map(logs),
            Self::CloseBooking { pool, incident, .. } => world.close_booking(at, pool, incident).map(logs),
            Self::Withdraw { pool, account, .. } => world.withdraw(at, pool, account).map(logs),
            Self::RequestDeposit { caller, pool, layer, assets, controller } => {
                world.request_deposit(at, pool, layer, assets, controller, caller).map(logs)
            }
            Self::ClaimDeposit { pool, layer, request_id, controller, .. } => {
                world.claim_deposit(at, pool, layer, request_id, controller).map(logs)
            }
            Self::RequestRedeem { caller, pool, layer, shares, controller } => {
                world.request_redeem(at, pool, layer, shares, controller, caller).map(logs)
            }
            Self::ProcessRedemptions { pool, layer, .. } => {
                world.process_redemptions(at, pool, layer).map(logs)
            }
            Self::ClaimRedeem { pool, layer, request_id, controller, .. } => {
                world.claim_redeem(at, pool, layer, request_id, controller).map(logs)
            }
            Self::ClaimRecovery { pool, layer, incident, account, .. } => {
                world.claim_recovery(at, pool, layer, incident, account).map(logs)
            }
            Self::ClaimQueuedRecovery { pool, layer, incident, request_id, controller, .. } => {
                world.claim_queued_recovery(at, pool, layer, incident, request_id, controller).map(logs)
            }
            Self::TransferShares { pool, layer, to, shares, .. } => {
                world.transfer_shares(at, pool, layer, to, shares).map(logs)
            }
            Self::Ceded { ceded, .. } => ceded.apply(world, at),
            Self::Signed { signed, .. } => signed.apply(world, at),
            // All others were taken by `apply`.
            _ => Ok(Vec::new()),
        }
    }
}

fn logs<T>(effects: Effects<T>) -> Vec<Log> {
    effects.logs
}

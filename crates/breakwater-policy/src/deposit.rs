//! Deposits: asked for in one epoch, priced after it, claimed at any time.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use breakwater_primitives::{Block, DAY, MathError, mul_div_floor};

use crate::context::Cx;
use crate::events::Event;
use crate::exposure::{add, take};
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::tranche::DEPOSITS;

/// Epochs of deposits that one accrual takes into a tranche at most.
pub const BATCHES_MAX: usize = 8;
/// Seconds after the end of its epoch until a deposit that was not taken in may be fetched.
pub const PATIENCE: u64 = 30 * DAY;

/// All deposits that were asked for in one epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deposits {
    /// Pool units.
    pub assets: u128,
    /// What became of them.
    pub state: DepositState,
    /// Who asked, by controller.
    pub requests: BTreeMap<Address, DepositRequest>,
}

/// What became of an epoch's deposits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DepositState {
    /// Not priced yet.
    #[default]
    Pending,
    /// They became this many shares in this block.
    Processed {
        /// All shares of the epoch.
        shares: U256,
        /// When they were minted.
        block: Block,
    },
    /// They go back when claimed.
    Returned,
}

/// One controller's part of an epoch's deposits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DepositRequest {
    /// Pool units.
    pub assets: u128,
    /// When it was claimed.
    pub claimed: Option<Block>,
}

impl Deposits {
    /// Shares of one request, zero unless processed.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn shares_of(&self, request: &DepositRequest) -> Result<U256, MathError> {
        match self.state {
            DepositState::Processed { shares, .. } if self.assets > 0 => {
                mul_div_floor(shares, U256::from(request.assets), U256::from(self.assets))
            }
            _ => Ok(U256::ZERO),
        }
    }

    /// Shares that stood unclaimed under `controller` at the end of `block`.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn unclaimed_at(&self, controller: Address, block: Block) -> Result<U256, MathError> {
        let (DepositState::Processed { block: minted, .. }, Some(request)) =
            (self.state, self.requests.get(&controller))
        else {
            return Ok(U256::ZERO);
        };
        let standing = minted <= block && request.claimed.is_none_or(|claimed| claimed > block);
        if standing { self.shares_of(request) } else { Ok(U256::ZERO) }
    }
}

impl Pool {
    /// `requestDeposit` of a tranche; answers the epoch.
    pub(crate) fn request_deposit(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        layer: usize,
        assets: u128,
        controller: Address,
        owner: Address,
    ) -> Result<u64, Refusal> {
        if assets == 0 {
            return Err(Refusal::ZeroAmount);
        }
        if controller.is_zero() {
            return Err(Refusal::ZeroAddress);
        }
        if owner != cx.caller {
            return Err(Refusal::NotOwner { owner, caller: cx.caller });
        }
        self.accrue(cx)?;
        if self.closed_at.is_some() || self.tranche(layer).is_worthless(self.layers[layer]) {
            return Err(Refusal::TrancheIsClosed);
        }
        ledger.transfer(self.config.asset, owner, self.address, U256::from(assets))?;
        let request_id = cx.time.epoch(self.config.epoch);
        self.tranche_mut(layer).record_deposit(request_id, controller, assets)?;
        let emitter = self.tranche(layer).address;
        cx.emit(emitter, Event::DepositRequest { controller, owner, request_id, sender: cx.caller, assets });
        Ok(request_id)
    }

    /// `claimDeposit`: sends shares, or assets where the deposit came back.
    pub(crate) fn claim_deposit(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        layer: usize,
        request_id: u64,
        controller: Address,
    ) -> Result<U256, Refusal> {
        self.accrue(cx)?;
        let ends = request_id.saturating_add(1).saturating_mul(self.config.epoch);
        let tranche = self.tranche_mut(layer);
        let nothing = Refusal::NothingToClaim { request_id, controller };
        let Some(deposits) = tranche.deposits.get_mut(&request_id) else {
            return Err(nothing);
        };
        if deposits.state == DepositState::Pending {
            if cx.time.0 < ends.saturating_add(PATIENCE) {
                return Err(Refusal::NotProcessed { request_id });
            }
            deposits.state = DepositState::Returned;
            let assets = deposits.assets;
            cx.emit(tranche.address, Event::DepositsReturned { request_id, assets });
        }
        let state = deposits.state;
        let Some(request) = deposits.requests.get_mut(&controller).filter(|r| r.claimed.is_none()) else {
            return Err(nothing);
        };
        request.claimed = Some(cx.block);
        let request = *request;
        let shares = deposits.shares_of(&request)?;
        let address = tranche.address;
        if state == DepositState::Returned {
            tranche.held = take(tranche.held, request.assets)?;
            cx.emit(address, Event::DepositClaimed { controller, request_id, shares });
            self.send(cx, ledger, controller, request.assets)?;
        } else {
            tranche.move_shares(cx, *DEPOSITS, controller, shares)?;
            cx.emit(address, Event::DepositClaimed { controller, request_id, shares });
        }
        Ok(shares)
    }

    /// Prices all deposits of epochs before `epoch`, oldest first, or sends them on their way back.
    pub(crate) fn process_deposits(&mut self, cx: &mut Cx, layer: usize, epoch: u64) -> Result<(), Refusal> {
        let waiting: Vec<(u64, u128)> = self
            .tranche(layer)
            .deposits
            .range(..epoch)
            .filter(|(_, deposits)| deposits.state == DepositState::Pending)
            .map(|(id, deposits)| (*id, deposits.assets))
            .take(BATCHES_MAX)
            .collect();
        for (request_id, assets) in waiting {
            let emitter = self.tranche(layer).address;
            let closed = self.closed_at.is_some() || self.tranche(layer).is_worthless(self.layers[layer]);
            let wanted = self.tranche(layer).to_shares(assets, self.layers[layer])?;
            if closed || wanted.is_zero() {
                self.tranche_mut(layer).set_deposits(request_id, DepositState::Returned);
                cx.emit(emitter, Event::DepositsReturned { request_id, assets });
                continue;
            }
            let shares = self.tranche_mut(layer).mint(cx, *DEPOSITS, wanted)?;
            self.deposits_processed(layer, request_id, assets, shares, cx.block)?;
            cx.emit(emitter, Event::DepositsProcessed { request_id, assets, shares });
        }
        Ok(())
    }

    pub(crate) fn deposits_processed(
        &mut self,
        layer: usize,
        request_id: u64,
        assets: u128,
        shares: U256,
        block: Block,
    ) -> Result<(), Refusal> {
        self.layers[layer] = add(self.layers[layer], assets)?;
        let tranche = self.tranche_mut(layer);
        tranche.held = take(tranche.held, assets)?;
        tranche.set_deposits(request_id, DepositState::Processed { shares, block });
        Ok(())
    }
}

impl crate::tranche::Tranche {
    pub(crate) fn record_deposit(
        &mut self,
        request_id: u64,
        controller: Address,
        assets: u128,
    ) -> Result<(), MathError> {
        self.held = add(self.held, assets)?;
        let deposits = self.deposits.entry(request_id).or_default();
        deposits.assets = add(deposits.assets, assets)?;
        let request = deposits.requests.entry(controller).or_default();
        request.assets = add(request.assets, assets)?;
        Ok(())
    }

    pub(crate) fn set_deposits(&mut self, request_id: u64, state: DepositState) {
        if let Some(deposits) = self.deposits.get_mut(&request_id) {
            deposits.state = state;
        }
    }
}

//! Redemptions: requests cannot be taken back, stop earning, stay slashable, and are paid by cohort.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use breakwater_primitives::{BPS, Block, MathError, Time, U256Ext, mul_div_ceil, mul_div_floor};

use crate::context::Cx;
use crate::events::Event;
use crate::exposure::{add, take};
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::trace::Trace;
use crate::tranche::Tranche;

/// All requests that mature together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohort {
    /// Shares of all requests; does not fall.
    pub requested: U256,
    /// Shares not burned yet, by block.
    pub remaining: Trace,
    /// Most that the remaining shares are paid, pool units.
    pub cap: u128,
    /// Paid to the cohort so far, pool units.
    pub paid: u128,
    /// Epoch in which it was looked at last.
    pub looked_at: u64,
    /// Block in which shares were burned first.
    pub first_burn: Option<Block>,
    /// Shares by controller, by block.
    pub requests: BTreeMap<Address, Trace>,
    /// Pool units claimed by controller.
    pub claimed: BTreeMap<Address, u128>,
}

impl Cohort {
    /// What `controller` may claim now, pool units.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn claimable(&self, controller: Address) -> Result<u128, MathError> {
        if self.requested.is_zero() {
            return Ok(0);
        }
        let shares = self.requests.get(&controller).map(Trace::latest).unwrap_or_default();
        let all = mul_div_floor(shares, U256::from(self.paid), self.requested)?.to_u128()?;
        Ok(all.saturating_sub(self.claimed.get(&controller).copied().unwrap_or_default()))
    }

    /// Shares that stood under `controller` at the end of `block`.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn standing_at(&self, controller: Address, block: Block) -> Result<U256, MathError> {
        let shares = self.requests.get(&controller).map(|trace| trace.at(block.0)).unwrap_or_default();
        if self.first_burn.is_none_or(|burned| burned > block) || self.requested.is_zero() {
            return Ok(shares);
        }
        mul_div_floor(self.remaining.at(block.0), shares, self.requested)
    }

    pub(crate) fn request(
        &mut self,
        block: Block,
        controller: Address,
        shares: U256,
        value: u128,
    ) -> Result<(), MathError> {
        self.requested = self.requested.plus(shares)?;
        self.remaining.set(block.0, self.remaining.latest().plus(shares)?);
        self.cap = add(self.cap, value)?;
        let request = self.requests.entry(controller).or_default();
        request.set(block.0, request.latest().plus(shares)?);
        Ok(())
    }

    pub(crate) fn pay(
        &mut self,
        block: Block,
        epoch: u64,
        burned: U256,
        paid: u128,
    ) -> Result<(), MathError> {
        self.remaining.set(block.0, self.remaining.latest().minus(burned)?);
        self.paid = add(self.paid, paid)?;
        self.looked_at = epoch;
        if !burned.is_zero() && self.first_burn.is_none() {
            self.first_burn = Some(block);
        }
        Ok(())
    }
}

impl Tranche {
    /// The oldest cohort with shares left, if it is payable in `epoch` and was not looked at in it.
    pub fn payable_cohort(&self, epoch: u64) -> Option<u64> {
        let (id, cohort) = self.cohorts.iter().find(|(_, cohort)| !cohort.remaining.latest().is_zero())?;
        (*id <= epoch && cohort.looked_at != epoch).then_some(*id)
    }
}

/// What an operation paid to the cohorts of layers 1 to 3; none: no cohort was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Exits(pub(crate) [Option<u128>; 4]);

impl Exits {
    pub(crate) fn add(&mut self, layer: usize, paid: Option<u128>) -> Result<(), MathError> {
        if let Some(paid) = paid {
            self.0[layer] = Some(add(self.0[layer].unwrap_or_default(), paid)?);
        }
        Ok(())
    }
}

impl Pool {
    /// `requestRedeem` of a tranche; answers the cohort.
    pub(crate) fn request_redeem(
        &mut self,
        cx: &mut Cx,
        layer: usize,
        shares: U256,
        controller: Address,
        owner: Address,
    ) -> Result<u64, Refusal> {
        if controller.is_zero() {
            return Err(Refusal::ZeroAddress);
        }
        if owner != cx.caller {
            return Err(Refusal::NotOwner { owner, caller: cx.caller });
        }
        self.accrue(cx)?;
        let value = self.tranche(layer).to_assets(shares, self.layers[layer])?;
        if value == 0 {
            return Err(Refusal::ZeroAmount);
        }
        let address = self.tranche(layer).address;
        self.transfer_shares(cx, layer, owner, address, shares)?;
        let request_id = cx.time.plus(self.config.cooldown).epoch(self.config.epoch) + 2;
        self.redeem_requested(cx.block, layer, request_id, controller, shares, value)?;
        cx.emit(address, Event::RedeemRequest { controller, owner, request_id, sender: cx.caller, shares });
        Ok(request_id)
    }

    /// The book-keeping of a request; the shares have moved already.
    pub(crate) fn redeem_requested(
        &mut self,
        block: Block,
        layer: usize,
        request_id: u64,
        controller: Address,
        shares: U256,
        value: u128,
    ) -> Result<(), Refusal> {
        let cohort = self.tranche_mut(layer).cohorts.entry(request_id).or_default();
        Ok(cohort.request(block, controller, shares, value)?)
    }

    /// `processRedemptions` of a tranche; answers what its cohorts were paid, by the accrual on the way too.
    pub(crate) fn process_redemptions(&mut self, cx: &mut Cx, layer: usize) -> Result<u128, Refusal> {
        let epoch = cx.time.epoch(self.config.epoch);
        let mut exits = self.accrue(cx)?;
        if !self.dwells() {
            exits.add(layer, self.pay_cohort(cx, layer, epoch)?)?;
        }
        exits.0[layer].ok_or(Refusal::NothingMatured { epoch })
    }

    /// Pays the oldest payable cohort as far as the pool allows; none if no cohort is to be looked at.
    pub(crate) fn pay_cohort(
        &mut self,
        cx: &mut Cx,
        layer: usize,
        epoch: u64,
    ) -> Result<Option<u128>, Refusal> {
        let Some(request_id) = self.tranche(layer).payable_cohort(epoch) else {
            return Ok(None);
        };
        let assets = self.layers[layer];
        let tranche = self.tranche(layer);
        let Some(cohort) = tranche.cohorts.get(&request_id) else {
            return Ok(None);
        };
        let shares = cohort.remaining.latest();
        let want = tranche.to_assets(shares, assets)?.min(cohort.cap);
        if want == 0 && tranche.is_worthless(assets) {
            // Dust may leave for nothing, but a layer that may come back is waited for.
            self.tranche_mut(layer).cohorts.entry(request_id).or_default().looked_at = epoch;
            return Ok(Some(0));
        }
        let paid = want.min(self.exitable(layer, cx.time)?);
        let burned =
            if want == 0 { shares } else { mul_div_ceil(shares, U256::from(paid), U256::from(want))? };
        let address = tranche.address;
        if !burned.is_zero() {
            self.tranche_mut(layer).burn(cx, address, burned)?;
        }
        self.redemptions_processed(cx.block, layer, request_id, epoch, burned, paid)?;
        let remaining = shares - burned;
        cx.emit(address, Event::RedemptionsProcessed { request_id, shares: burned, assets: paid, remaining });
        Ok(Some(paid))
    }

    /// The book-keeping of a payment to a cohort; the shares are burned already.
    pub(crate) fn redemptions_processed(
        &mut self,
        block: Block,
        layer: usize,
        request_id: u64,
        epoch: u64,
        burned: U256,
        paid: u128,
    ) -> Result<(), Refusal> {
        self.layers[layer] = take(self.layers[layer], paid)?;
        let assets = self.layers[layer];
        let tranche = self.tranche_mut(layer);
        tranche.redeemable = add(tranche.redeemable, paid)?;
        let cohort = tranche.cohorts.entry(request_id).or_default();
        cohort.pay(block, epoch, burned, paid)?;
        let remaining = cohort.remaining.latest();
        // What could not be paid rolls on and is worth what it is worth now.
        let cap = tranche.to_assets(remaining, assets)?;
        tranche.cohorts.entry(request_id).or_default().cap = cap;
        Ok(())
    }

    /// `claimRedeem`: sends what was paid for a request.
    pub(crate) fn claim_redeem(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        layer: usize,
        request_id: u64,
        controller: Address,
    ) -> Result<u128, Refusal> {
        let tranche = self.tranche_mut(layer);
        let cohort = tranche.cohorts.get_mut(&request_id);
        let assets = cohort.as_ref().map_or(Ok(0), |cohort| cohort.claimable(controller))?;
        let Some(cohort) = cohort.filter(|_| assets > 0) else {
            return Err(Refusal::NothingToClaim { request_id, controller });
        };
        let claimed = cohort.claimed.entry(controller).or_default();
        *claimed = add(*claimed, assets)?;
        tranche.redeemable = take(tranche.redeemable, assets)?;
        let emitter = tranche.address;
        cx.emit(emitter, Event::RedeemClaimed { controller, request_id, assets });
        self.send(cx, ledger, controller, assets)?;
        Ok(assets)
    }

    /// What may leave a layer now: capital that no exposure needs, and for the first two what leaves the
    /// subordination intact.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn exitable(&self, layer: usize, now: Time) -> Result<u128, MathError> {
        let capital = self.capital()?;
        let needed = mul_div_ceil(U256::from(self.exposure), U256::from(BPS), self.exit_leverage(now)?)?;
        let free = U256::from(capital).saturating_sub(needed).to_u128()?;
        if layer > 2 {
            return Ok(free);
        }
        let below = add(self.layers[1], self.layers[2])?;
        let first_two = U256::from(below).times(U256::from(BPS))?;
        // Surplus belongs to nobody who could leave, so it does not hold the last junior back.
        let kept = self.config.subordination.wide().times(U256::from(add(below, self.layers[3])?))?;
        let rest = U256::from(BPS).minus(self.config.subordination.wide())?;
        let above = mul_div_floor(first_two.saturating_sub(kept), U256::from(1), rest)?.to_u128()?;
        Ok(free.min(above))
    }
}

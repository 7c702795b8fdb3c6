//! What an incident gives back belongs to those who held shares at the end of the block before it opened.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use breakwater_primitives::{Block, MathError, U256Ext, mul_div_floor};

use crate::booking::Booking;
use crate::context::Cx;
use crate::events::Event;
use crate::exposure::add;
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::tranche::{RECOVERIES, Tranche};
use crate::waterfall::Layers;

/// Recovery shares of one tranche.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recoveries {
    /// Shares minted for an incident, ever.
    pub shares: BTreeMap<u64, U256>,
    /// What an account claimed for its balance.
    pub claimed: BTreeMap<(u64, Address), U256>,
    /// What was claimed for (incident, request, controller).
    pub claimed_queued: BTreeMap<(u64, u64, Address), U256>,
}

impl Recoveries {
    pub(crate) fn minted(&mut self, incident: u64, shares: U256) -> Result<(), MathError> {
        let total = self.shares.entry(incident).or_default();
        *total = total.plus(shares)?;
        Ok(())
    }
}

impl Tranche {
    /// V: shares at the end of `block` that stood for somebody.
    pub fn standing_supply_at(&self, block: Block) -> U256 {
        self.supply_at(block).saturating_sub(self.balance_at(*RECOVERIES, block))
    }

    /// What `account` has recovered of an incident whose booking opened in `opened`, all in all.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn recovered(&self, incident: u64, opened: Block, account: Address) -> Result<U256, MathError> {
        if self.is_queue(account) {
            return Ok(U256::ZERO);
        }
        self.part(incident, opened, self.balance_at(account, opened.before()))
    }

    /// The same for what stood under a request then.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn recovered_queued(
        &self,
        incident: u64,
        opened: Block,
        request_id: u64,
        controller: Address,
    ) -> Result<U256, MathError> {
        let at = opened.before();
        let queued =
            self.cohorts.get(&request_id).map_or(Ok(U256::ZERO), |c| c.standing_at(controller, at))?;
        let waiting =
            self.deposits.get(&request_id).map_or(Ok(U256::ZERO), |d| d.unclaimed_at(controller, at))?;
        self.part(incident, opened, queued.plus(waiting)?)
    }

    fn part(&self, incident: u64, opened: Block, standing: U256) -> Result<U256, MathError> {
        let shares = self.recoveries.shares.get(&incident).copied().unwrap_or_default();
        let all = self.standing_supply_at(opened.before());
        if shares.is_zero() || all.is_zero() {
            return Ok(U256::ZERO);
        }
        mul_div_floor(shares, standing, all)
    }
}

impl Booking {
    /// Who gets `amount` that came back: senior, treaties, mezzanine, junior, surplus, each at most what it bore less
    /// what came back before; what is more than was borne is surplus. Answers the layers' parts and the treaties'.
    fn recover(&mut self, amount: u128) -> Result<(Layers, u128), MathError> {
        let (mut had, mut left) = (self.recovered, amount);
        self.recovered = add(had, amount)?;
        let mut part = |bore: u128| {
            let before = had.min(bore);
            let part = left.min(bore - before);
            had -= before;
            left -= part;
            part
        };
        let senior = part(self.charged[3]);
        let treaties = part(self.drawn);
        let mezzanine = part(self.charged[2]);
        let junior = part(self.charged[1]);
        Ok(([left, junior, mezzanine, senior], treaties))
    }
}

impl Pool {
    /// Brings `amount` back to a tranche's layer; returns the recovery shares minted.
    ///
    /// A tranche that had no shares then gives it to surplus; one whose shares are worth next to nothing takes it
    /// into its price.
    pub(crate) fn give_back(
        &mut self,
        cx: &mut Cx,
        layer: usize,
        incident: u64,
        opened: Block,
        amount: u128,
    ) -> Result<U256, Refusal> {
        if layer == 0 || self.tranche(layer).standing_supply_at(opened.before()).is_zero() {
            self.layers[0] = self.layers[0].saturating_add(amount);
            return Ok(U256::ZERO);
        }
        let assets = self.layers[layer];
        let tranche = self.tranche_mut(layer);
        let mut minted = U256::ZERO;
        if !tranche.is_worthless(assets) {
            let wanted = tranche.to_recovery_shares(amount, assets)?;
            minted = tranche.mint(cx, *RECOVERIES, wanted)?;
            tranche.recoveries.minted(incident, minted)?;
        }
        self.layers[layer] = assets.saturating_add(amount);
        Ok(minted)
    }

    /// `claimRecovery`: by anyone, to `account`.
    pub(crate) fn claim_recovery(
        &mut self,
        cx: &mut Cx,
        layer: usize,
        incident: u64,
        account: Address,
    ) -> Result<U256, Refusal> {
        let opened = self.opened_at(incident);
        let all = self.tranche(layer).recovered(incident, opened, account)?;
        let claimed = self.tranche_mut(layer).recoveries.claimed.entry((incident, account)).or_default();
        let shares = all.saturating_sub(*claimed);
        if shares.is_zero() {
            return Err(Refusal::NothingToRecover { incident, account });
        }
        *claimed = all;
        let emitter = self.pay_recovery(cx, layer, account, shares)?;
        cx.emit(emitter, Event::RecoveryClaimed { incident, account, shares });
        Ok(shares)
    }

    /// `claimQueuedRecovery`: the same for what stood under a request.
    pub(crate) fn claim_queued_recovery(
        &mut self,
        cx: &mut Cx,
        layer: usize,
        incident: u64,
        request_id: u64,
        controller: Address,
    ) -> Result<U256, Refusal> {
        let opened = self.opened_at(incident);
        let all = self.tranche(layer).recovered_queued(incident, opened, request_id, controller)?;
        let key = (incident, request_id, controller);
        let claimed = self.tranche_mut(layer).recoveries.claimed_queued.entry(key).or_default();
        let shares = all.saturating_sub(*claimed);
        if shares.is_zero() {
            return Err(Refusal::NothingToRecover { incident, account: controller });
        }
        *claimed = all;
        let emitter = self.pay_recovery(cx, layer, controller, shares)?;
        cx.emit(emitter, Event::QueuedRecoveryClaimed { incident, request_id, controller, shares });
        Ok(shares)
    }

    fn pay_recovery(
        &mut self,
        cx: &mut Cx,
        layer: usize,
        to: Address,
        shares: U256,
    ) -> Result<Address, Refusal> {
        let tranche = self.tranche_mut(layer);
        let address = tranche.address;
        tranche.move_shares(cx, *RECOVERIES, to, shares)?;
        if layer == 1 && to == self.config.curator {
            self.locked = self.locked.plus(shares)?;
            cx.emit(self.address, Event::CuratorLocked { shares: self.locked });
        }
        Ok(address)
    }

    /// `recover`: money came back for a closed booking; it goes back up the line in which the loss was borne.
    pub(crate) fn recover(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        incident: u64,
        amount: u128,
    ) -> Result<(), Refusal> {
        self.accrue(cx)?;
        let booking = self.bookings.get(&incident).ok_or(Refusal::UnknownBooking { incident })?;
        let opened = booking.opened_at;
        if !booking.closed {
            return Err(Refusal::BookingIsOpen { incident });
        }
        if amount == 0 {
            return Err(Refusal::ZeroAmount);
        }
        ledger.transfer(self.config.asset, cx.caller, self.address, U256::from(amount))?;
        // As if surplus had it: what it fills is surplus's again if that booking is lowered.
        let mut give = [amount, 0, 0, 0];
        self.fill_shorts(cx, 0, &mut give)?;
        let left = give[0];
        let event = Event::Recovered { incident, from: cx.caller, amount, filled: amount - left };
        cx.emit(self.address, event);
        let (mut give, to_treaties) = self.open_booking(incident, cx.block).recover(left)?;
        if to_treaties > 0 {
            let kept = self.give_treaties(cx, ledger, incident, to_treaties)?;
            give[0] = add(give[0], kept)?;
        }
        for layer in (0..4).rev().filter(|layer| give[*layer] > 0) {
            let amount = give[layer];
            let recovery_shares = self.give_back(cx, layer, incident, opened, amount)?;
            cx.emit(self.address, Event::RecoveredTo { incident, layer, amount, recovery_shares });
        }
        Ok(())
    }

    fn opened_at(&self, incident: u64) -> Block {
        self.bookings.get(&incident).map_or(Block(0), |booking| booking.opened_at)
    }
}

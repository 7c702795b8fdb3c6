//! What anyone does with treaties: makes them, puts collateral in, takes it out, collects premium and recoveries.

use alloy_primitives::{Address, U256};
use breakwater_primitives::{BPS, Bps, DAY, U256Ext, YEAR, mul_div_floor};

use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::exposure::{add, take};
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::treaty::{Terms, Treaty};
use crate::world::World;

/// Longest term of a treaty in seconds.
const LONGEST: u64 = 5 * YEAR;
/// Longest notice in seconds.
const NOTICE: u64 = 365 * DAY;

impl Terms {
    /// Refuses terms outside the ranges of `make`, in its order.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`].
    pub fn check(&self) -> Result<(), Refusal> {
        let within = |field: &'static str, holds: bool, got: u128| {
            if holds { Ok(()) } else { Err(Refusal::OutOfRange { field, got }) }
        };
        within("shareBps", self.share.get() != 0 && self.share <= Bps::ONE, self.share.get().into())?;
        within("premiumBps", self.premium <= Bps::ONE, self.premium.get().into())?;
        within("limit", self.limit != 0, self.limit)?;
        // Parts of an aggregate overlap when an earlier loss of the year grows: together they stay in the layer.
        let layer = mul_div_floor(U256::from(self.limit), self.share.wide(), U256::from(BPS))?.to_u128()?;
        let most = if self.aggregate { layer } else { u128::MAX };
        within("yearlyLimit", self.yearly_limit != 0 && self.yearly_limit <= most, self.yearly_limit)?;
        let ends = self.end > self.start && self.end.since(self.start) <= LONGEST;
        within("end", ends, self.end.0.into())?;
        within("notice", self.notice <= NOTICE, self.notice.into())
    }
}

impl World {
    /// `make` of the treaty factory; `treaty` is the account that the chain gives it.
    ///
    /// # Errors
    /// [`Refusal::NotAPool`], [`Refusal::OutOfRange`].
    pub fn make_treaty(
        &mut self,
        context: Context,
        treaty: Address,
        cedant: Address,
        terms: Terms,
    ) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let pool = world.pools.get_mut(&cedant).ok_or(Refusal::NotAPool { pool: cedant })?;
            terms.check()?;
            pool.ceding.treaties.insert(treaty, Treaty::new(terms));
            cx.emit(world.terms.treaties, Event::TreatyMade { treaty, cedant, terms });
            Ok(())
        })
    }

    /// `attachTreaty` of a pool.
    ///
    /// # Errors
    /// See docs/capital.md, "Errors".
    pub fn attach_treaty(
        &mut self,
        context: Context,
        pool: Address,
        treaty: Address,
    ) -> Result<Effects, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| pool.attach_treaty(cx, treaty))
    }

    /// `detachTreaty` of a pool.
    ///
    /// # Errors
    /// See docs/capital.md, "Errors".
    pub fn detach_treaty(
        &mut self,
        context: Context,
        pool: Address,
        treaty: Address,
    ) -> Result<Effects, Refusal> {
        self.in_pool(context, pool, |pool, ledger, cx| pool.detach_treaty(cx, ledger, treaty))
    }

    /// `payPremium` of a pool; answers what was sent.
    ///
    /// # Errors
    /// [`Refusal::NotAPool`].
    pub fn pay_premium(
        &mut self,
        context: Context,
        pool: Address,
        treaty: Address,
    ) -> Result<Effects<u128>, Refusal> {
        self.in_pool(context, pool, |pool, ledger, cx| {
            pool.accrue(cx)?;
            pool.pay_premium(cx, ledger, treaty)
        })
    }

    /// `recover` of a pool.
    ///
    /// # Errors
    /// See docs/capital.md, "Errors".
    pub fn recover(
        &mut self,
        context: Context,
        pool: Address,
        incident: u64,
        amount: u128,
    ) -> Result<Effects, Refusal> {
        self.in_pool(context, pool, |pool, ledger, cx| pool.recover(cx, ledger, incident, amount))
    }

    /// `deposit` of a treaty by and for the caller; answers shares.
    ///
    /// # Errors
    /// [`Refusal::ERC4626ExceededMaxDeposit`] and those of the asset.
    pub fn treaty_deposit(
        &mut self,
        context: Context,
        treaty: Address,
        assets: u128,
    ) -> Result<Effects<U256>, Refusal> {
        self.in_treaty(context, treaty, |pool, ledger, cx| pool.treaty_deposit(cx, ledger, treaty, assets))
    }

    /// `redeem` of a treaty by and for the caller; answers assets.
    ///
    /// # Errors
    /// [`Refusal::ERC4626ExceededMaxRedeem`] and those of the asset.
    pub fn treaty_redeem(
        &mut self,
        context: Context,
        treaty: Address,
        shares: U256,
    ) -> Result<Effects<u128>, Refusal> {
        self.in_treaty(context, treaty, |pool, ledger, cx| pool.treaty_redeem(cx, ledger, treaty, shares))
    }

    /// `transfer` of a treaty's shares by their owner.
    ///
    /// # Errors
    /// [`Refusal::ERC20InsufficientBalance`], [`Refusal::ZeroAddress`].
    pub fn treaty_transfer(
        &mut self,
        context: Context,
        treaty: Address,
        to: Address,
        shares: U256,
    ) -> Result<Effects, Refusal> {
        self.in_treaty(context, treaty, |pool, _, cx| {
            if to.is_zero() {
                return Err(Refusal::ZeroAddress);
            }
            pool.ceding.made(treaty)?.move_shares(cx, treaty, cx.caller, to, shares)
        })
    }

    /// `claimReturn` of a treaty; answers what was sent.
    ///
    /// # Errors
    /// [`Refusal::NothingReturned`] and those of the asset.
    pub fn claim_return(
        &mut self,
        context: Context,
        treaty: Address,
        incident: u64,
    ) -> Result<Effects<u128>, Refusal> {
        self.in_treaty(context, treaty, |pool, ledger, cx| {
            let account = cx.caller;
            let asset = pool.config.asset;
            let found = pool.ceding.made(treaty)?;
            let amount = found.claimable(incident, account)?;
            if amount == 0 {
                return Err(Refusal::NothingReturned { incident, account });
            }
            found.claimed(incident, account, amount);
            cx.emit(treaty, Event::ReturnClaimed { incident, account, amount });
            ledger.transfer(asset, treaty, account, U256::from(amount))?;
            Ok(amount)
        })
    }

    /// The pool that a treaty was made for.
    pub fn cedant_of(&self, treaty: Address) -> Option<Address> {
        self.pools.values().find(|pool| pool.ceding.treaties.contains_key(&treaty)).map(|pool| pool.address)
    }

    fn in_treaty<T>(
        &mut self,
        context: Context,
        treaty: Address,
        act: impl FnOnce(&mut Pool, &mut Ledger, &mut Cx) -> Result<T, Refusal>,
    ) -> Result<Effects<T>, Refusal> {
        let pool = self.cedant_of(treaty).ok_or(Refusal::NotATreaty { treaty })?;
        self.in_pool(context, pool, act)
    }
}

impl Pool {
    /// Collects the premium first, so that nobody buys into what others earned.
    fn treaty_deposit(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        treaty: Address,
        assets: u128,
    ) -> Result<U256, Refusal> {
        self.accrue(cx)?;
        self.pay_premium(cx, ledger, treaty)?;
        let (asset, dwelling, receiver) = (self.config.asset, self.dwells(), cx.caller);
        let cedant = receiver == self.address;
        let found = self.ceding.made(treaty)?;
        let supply = found.shares.supply();
        let open = found.takes_deposits(cx.time, dwelling, supply) && !cedant;
        let max = if open { u128::MAX - found.assets } else { 0 };
        if assets > max {
            let (assets, max) = (U256::from(assets), U256::from(max));
            return Err(Refusal::ERC4626ExceededMaxDeposit { receiver, assets, max });
        }
        let shares = found.to_shares(assets, supply)?;
        ledger.transfer(asset, cx.caller, treaty, U256::from(assets))?;
        found.assets = add(found.assets, assets)?;
        found.move_shares(cx, treaty, Address::ZERO, receiver, shares)?;
        cx.emit(treaty, Event::VaultDeposit { sender: cx.caller, owner: receiver, assets, shares });
        Ok(shares)
    }

    /// Collects the premium first, so that nobody leaves his part of it behind.
    fn treaty_redeem(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        treaty: Address,
        shares: U256,
    ) -> Result<u128, Refusal> {
        self.accrue(cx)?;
        self.pay_premium(cx, ledger, treaty)?;
        let (asset, dwelling, owner) = (self.config.asset, self.dwells(), cx.caller);
        let attached = self.ceding.line.contains(&treaty);
        let found = self.ceding.made(treaty)?;
        let leaves = found.lets_out(cx.time, attached, dwelling);
        let max = if leaves { found.shares.balance(owner) } else { U256::ZERO };
        if shares > max {
            return Err(Refusal::ERC4626ExceededMaxRedeem { owner, shares, max });
        }
        let assets = found.to_assets(shares, found.shares.supply())?;
        found.move_shares(cx, treaty, owner, Address::ZERO, shares)?;
        found.assets = take(found.assets, assets)?;
        ledger.transfer(asset, treaty, owner, U256::from(assets))?;
        cx.emit(treaty, Event::VaultWithdraw { sender: owner, receiver: owner, owner, assets, shares });
        Ok(assets)
    }
}

impl Treaty {
    fn move_shares(
        &mut self,
        cx: &mut Cx,
        emitter: Address,
        from: Address,
        to: Address,
        shares: U256,
    ) -> Result<(), Refusal> {
        self.shares.apply(cx.block, from, to, shares)?;
        cx.emit(emitter, Event::ShareTransfer { from, to, shares });
        Ok(())
    }
}

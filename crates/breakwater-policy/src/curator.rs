//! What the curator may do: caps and floor rates, and the lock behind them.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use breakwater_primitives::{MathError, Time, U256Ext, Wad};

use crate::context::Cx;
use crate::events::Event;
use crate::exposure::{Pending, ProductBook, add};
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::terms::Product;

/// Most products of one gauge in one pool: a booking walks all of them.
pub const PRODUCTS_MAX: usize = 4;

impl Pool {
    /// `setProduct`: lowering a cap or raising a floor rate acts at once, anything else after cooldown and two
    /// epochs. Answers whether this is the gauge's first product here.
    pub(crate) fn set_product(
        &mut self,
        cx: &mut Cx,
        catalog: &BTreeMap<B256, Product>,
        product: B256,
        cap: u128,
        floor_rate: Wad,
    ) -> Result<bool, Refusal> {
        self.only_curator(cx)?;
        if let Some(closed_at) = self.closed_at {
            return Err(Refusal::PoolIsClosed { closed_at });
        }
        self.accrue(cx)?;
        let first = !self.products.contains_key(&product) && self.underwrite(catalog, product)?;
        let delay = self.config.cooldown + 2 * self.config.epoch;
        let book = self.products.get_mut(&product).ok_or(Refusal::UnknownProduct { product })?;
        let raises = cap > book.setting(cx.time).cap;
        let waiting = Pending { cap, floor_rate, at: cx.time.plus(delay) };
        let waits = book.set(cx.time, waiting);
        let gauge = book.gauge;
        if raises {
            self.check_lock(self.locked, 0)?;
        }
        let effective_at = if waits { waiting.at } else { cx.time };
        cx.emit(self.address, Event::ProductCapped { product, gauge, cap, floor_rate, effective_at });
        Ok(first)
    }

    /// `lock`: puts more of the curator's junior behind his caps and the instant lane.
    pub(crate) fn lock(&mut self, cx: &mut Cx, shares: U256) -> Result<(), Refusal> {
        self.only_curator(cx)?;
        if shares.is_zero() {
            return Err(Refusal::ZeroAmount);
        }
        self.accrue(cx)?;
        let balance = self.tranche(1).balance(cx.caller);
        if balance.saturating_sub(self.locked) < shares {
            return Err(Refusal::SharesLocked { locked: self.locked, left: balance });
        }
        self.locked = self.locked.plus(shares)?;
        cx.emit(self.address, Event::CuratorLocked { shares: self.locked });
        Ok(())
    }

    /// `unlock`: what stays must be worth the curator's part of the caps and all instant payments that dwell.
    pub(crate) fn unlock(&mut self, cx: &mut Cx, shares: U256) -> Result<(), Refusal> {
        self.only_curator(cx)?;
        if shares.is_zero() {
            return Err(Refusal::ZeroAmount);
        }
        let Some(left) = self.locked.checked_sub(shares) else {
            return Err(Refusal::LockTooSmall { needed: shares, value: self.locked });
        };
        self.accrue(cx)?;
        self.check_lock(left, self.instant_outstanding()?)?;
        self.locked = left;
        cx.emit(self.address, Event::CuratorLocked { shares: left });
        Ok(())
    }

    /// Sum of the caps that the curator asked for, in force or not.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn cap_sum(&self) -> Result<u128, MathError> {
        self.products.values().try_fold(0, |sum, book| add(sum, book.asked_cap()))
    }

    /// Instant payments of the incidents that dwell or are disputed.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn instant_outstanding(&self) -> Result<u128, MathError> {
        let dwelling = self.bookings.values().filter(|booking| !booking.freed);
        dwelling.map(|booking| booking.instant_paid).try_fold(0, add)
    }

    /// What the curator's lock is worth, pool units.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn lock_value(&self, shares: U256) -> Result<u128, MathError> {
        self.tranche(1).to_assets(shares, self.layers[1])
    }

    fn check_lock(&self, shares: U256, least: u128) -> Result<(), Refusal> {
        // Cover that was sold under a cap stays in force when the cap is lowered.
        let caps = if self.closed_at.is_some() { 0 } else { self.cap_sum()?.max(self.exposure) };
        let needed = self.config.curator_share.ceil_of(caps)?.max(least);
        let value = self.lock_value(shares)?;
        if value < needed {
            return Err(Refusal::LockTooSmall { needed: U256::from(needed), value: U256::from(value) });
        }
        Ok(())
    }

    fn underwrite(&mut self, catalog: &BTreeMap<B256, Product>, product: B256) -> Result<bool, Refusal> {
        let terms = catalog.get(&product).ok_or(Refusal::UnknownProduct { product })?;
        if terms.asset != self.config.asset {
            return Err(Refusal::WrongAsset { expected: self.config.asset, got: terms.asset });
        }
        let products = self.gauges.entry(terms.gauge).or_default();
        if products.len() == PRODUCTS_MAX {
            return Err(Refusal::TooManyProducts { gauge: terms.gauge, limit: PRODUCTS_MAX });
        }
        products.push(product);
        let first = products.len() == 1;
        self.products.insert(product, ProductBook::new(terms.gauge));
        Ok(first)
    }

    fn only_curator(&self, cx: &Cx) -> Result<(), Refusal> {
        if cx.caller != self.config.curator {
            return Err(Refusal::NotCurator { caller: cx.caller });
        }
        Ok(())
    }
}

impl ProductBook {
    /// Puts in force what only tightens and lets the rest wait; answers whether something waits.
    pub(crate) fn set(&mut self, now: Time, asked: Pending) -> bool {
        let old = self.setting(now);
        let waits = asked.cap > old.cap || asked.floor_rate < old.floor_rate;
        self.cap = asked.cap.min(old.cap);
        self.floor_rate = asked.floor_rate.max(old.floor_rate);
        self.live = old.live || !waits;
        self.pending = waits.then_some(asked);
        waits
    }
}

//! One pool: its money by purpose, and how it moves with time.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{MathError, Time, U256Ext, mul_div_floor};

use crate::booking::Booking;
use crate::buckets::Buckets;
use crate::ceding::Ceding;
use crate::certificates::Certificates;
use crate::context::Cx;
use crate::events::Event;
use crate::exposure::{ProductBook, add, take};
use crate::ledger::Ledger;
use crate::price::Surge;
use crate::redeem::Exits;
use crate::refusal::Refusal;
use crate::stream::Stream;
use crate::terms::PoolConfig;
use crate::tranche::Tranche;
use crate::waterfall::Layers;

/// A pool with its three tranches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its own account.
    pub address: Address,
    /// Fixed when it was made.
    pub config: PoolConfig,
    /// 0 surplus, 1 junior, 2 mezzanine, 3 senior, pool units.
    pub layers: Layers,
    /// Junior, mezzanine, senior.
    pub tranches: [Tranche; 3],
    /// Premium still to be earned.
    pub stream: Stream,
    /// What counts against capacity, pool units.
    pub exposure: u128,
    /// Products that the curator has set.
    pub products: BTreeMap<B256, ProductBook>,
    /// Their ids by gauge, in the order of their setting.
    pub gauges: BTreeMap<B256, Vec<B256>>,
    /// Price pressure after reserves.
    pub surge: Surge,
    /// Junior shares that the curator may not move.
    pub locked: U256,
    /// What failed transfers left, pool units.
    pub owed: BTreeMap<Address, u128>,
    /// By incident.
    pub bookings: BTreeMap<u64, Booking>,
    /// Bookings that are or were short, oldest first.
    pub shorts: VecDeque<u64>,
    /// When a final incident was due more than is funded.
    pub closed_at: Option<Time>,
    /// Epoch in which deposits and redemptions were processed last.
    pub last_epoch: u64,
    /// Treaties that bear part of its losses.
    pub ceding: Ceding,
    /// What committees certified of it.
    pub certificates: Certificates,
    /// Exposure by cluster, where certificates bind it.
    pub clusters: BTreeMap<B256, Buckets>,
}

impl Pool {
    /// An empty pool made at `time`.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`].
    pub fn new(
        address: Address,
        tranches: [Address; 3],
        config: PoolConfig,
        time: Time,
    ) -> Result<Self, Refusal> {
        config.check()?;
        Ok(Self {
            address,
            layers: Layers::default(),
            tranches: tranches.map(Tranche::new),
            stream: Stream::starting(time),
            exposure: 0,
            products: BTreeMap::new(),
            gauges: BTreeMap::new(),
            surge: Surge::default(),
            locked: U256::ZERO,
            owed: BTreeMap::new(),
            bookings: BTreeMap::new(),
            shorts: VecDeque::new(),
            closed_at: None,
            last_epoch: time.epoch(config.epoch),
            ceding: Ceding::default(),
            certificates: Certificates::default(),
            clusters: BTreeMap::new(),
            config,
        })
    }

    /// Sum of the four layers.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn capital(&self) -> Result<u128, MathError> {
        self.layers.iter().try_fold(0, |sum, layer| add(sum, *layer))
    }

    /// Right-hand side of the cash identity: what the pool must at least have of its asset.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn obligations(&self) -> Result<U256, MathError> {
        let mut sum = U256::from(self.capital()?).plus(self.stream.unearned())?;
        for booking in self.bookings.values() {
            sum = sum.plus(U256::from(booking.cash().saturating_sub(booking.paid)))?;
        }
        sum = sum.plus(U256::from(self.ceding.premiums()))?;
        for owed in self.owed.values() {
            sum = sum.plus(U256::from(*owed))?;
        }
        for tranche in &self.tranches {
            sum = sum.plus(U256::from(tranche.held))?.plus(U256::from(tranche.redeemable))?;
        }
        Ok(sum)
    }

    /// The tranche of layer 1, 2 or 3; any other number counts as the nearest of them.
    pub fn tranche(&self, layer: usize) -> &Tranche {
        &self.tranches[layer.clamp(1, 3) - 1]
    }

    pub(crate) fn tranche_mut(&mut self, layer: usize) -> &mut Tranche {
        &mut self.tranches[layer.clamp(1, 3) - 1]
    }

    /// Whether a booking waits for the end of its incident's dwell.
    pub fn dwells(&self) -> bool {
        self.bookings.values().any(|booking| !booking.settled)
    }

    /// Brings earnings and exposure up to now, and once an epoch deposits and exits, unless a booking dwells.
    pub(crate) fn accrue(&mut self, cx: &mut Cx) -> Result<Exits, Refusal> {
        self.roll(cx)?;
        let mut exits = Exits::default();
        let epoch = cx.time.epoch(self.config.epoch);
        if epoch > self.last_epoch && !self.dwells() {
            self.last_epoch = epoch;
            for layer in 1..=3 {
                self.process_deposits(cx, layer, epoch)?;
                exits.add(layer, self.pay_cohort(cx, layer, epoch)?)?;
            }
        }
        Ok(exits)
    }

    /// Brings earnings and exposure up to now: nobody enters or leaves.
    pub(crate) fn roll(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let (earned, fee) = self.run_to(cx.time)?;
        self.tell_fee(cx, fee);
        if earned > 0 {
            cx.emit(self.address, Event::Accrued { time: cx.time, earned });
        }
        Ok(())
    }

    /// Earns and rolls up to `time`; returns what was earned and the curator's fee of it, pool units.
    pub(crate) fn run_to(&mut self, time: Time) -> Result<(u128, u128), Refusal> {
        let earned = self.stream.accrue(time)?;
        let fee = self.earn(time, earned)?;
        for book in self.products.values_mut() {
            let gone = book.roll(time)?;
            self.exposure = take(self.exposure, gone)?;
        }
        Ok((earned, fee))
    }

    /// Shares earned premium out: to the curator, to treaties, to surplus, the rest by weight and size of the
    /// tranches. Answers the curator's fee.
    pub(crate) fn earn(&mut self, time: Time, earned: u128) -> Result<u128, MathError> {
        let fee = self.take_fee(earned)?;
        let rest = take(earned, fee)?;
        let ceded = self.ceding.set_aside(time, rest)?;
        let parts = self.shares_of_earnings(take(rest, ceded)?)?;
        for (layer, part) in self.layers.iter_mut().zip(parts) {
            // A layer stays at its bound: no incident may fail for an absurd asset in one of its pools.
            *layer = layer.saturating_add(part);
        }
        Ok(fee)
    }

    /// The curator's part, rounded down, which he is owed; none in a closed pool.
    fn take_fee(&mut self, earned: u128) -> Result<u128, MathError> {
        if self.closed_at.is_some() {
            return Ok(0);
        }
        let owed = self.owed.values().fold(0, |sum: u128, owed| sum.saturating_add(*owed));
        let fee = self.config.curator_fee.floor_of(earned)?.min(u128::MAX - owed);
        if fee > 0 {
            let owed = self.owed.entry(self.config.curator).or_default();
            *owed = add(*owed, fee)?;
        }
        Ok(fee)
    }

    pub(crate) fn tell_fee(&self, cx: &mut Cx, amount: u128) {
        if amount > 0 {
            cx.emit(self.address, Event::FeeEarned { amount });
        }
    }

    fn shares_of_earnings(&self, earned: u128) -> Result<Layers, MathError> {
        let surplus = self.config.surplus.floor_of(earned)?;
        let rest = earned - surplus;
        let mut weights = [U256::ZERO; 3];
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight = self.config.weights[i].wide().times(U256::from(self.layers[i + 1]))?;
        }
        let all = weights[0].plus(weights[1])?.plus(weights[2])?;
        if all.is_zero() {
            return Ok([earned, 0, 0, 0]);
        }
        let junior = mul_div_floor(U256::from(rest), weights[0], all)?.to_u128()?;
        let mezzanine = mul_div_floor(U256::from(rest), weights[1], all)?.to_u128()?;
        Ok([surplus, junior, mezzanine, take(take(rest, junior)?, mezzanine)?])
    }

    /// Sends the asset; what cannot be sent becomes owed. Answers whether it was sent.
    pub(crate) fn send(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        to: Address,
        amount: u128,
    ) -> Result<bool, Refusal> {
        if amount == 0 {
            return Ok(true);
        }
        match ledger.transfer(self.config.asset, self.address, to, U256::from(amount)) {
            Ok(()) => Ok(true),
            Err(Refusal::SafeERC20FailedOperation { .. }) => {
                let owed = self.owed.entry(to).or_default();
                *owed = add(*owed, amount)?;
                cx.emit(self.address, Event::Credited { account: to, amount });
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }

    /// `withdraw`: pays out what failed transfers left.
    pub(crate) fn withdraw(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        account: Address,
    ) -> Result<u128, Refusal> {
        // What the curator earns by it is paid with the rest.
        self.accrue(cx)?;
        let amount = self.owed.remove(&account).unwrap_or_default();
        if amount == 0 {
            return Err(Refusal::NothingOwed { account });
        }
        cx.emit(self.address, Event::Withdrawn { account, amount });
        ledger.transfer(self.config.asset, self.address, account, U256::from(amount))?;
        Ok(amount)
    }

    /// Moves shares of a tranche for their owner; the curator's lock stays.
    pub(crate) fn transfer_shares(
        &mut self,
        cx: &mut Cx,
        layer: usize,
        from: Address,
        to: Address,
        shares: U256,
    ) -> Result<(), Refusal> {
        self.tranche_mut(layer).move_shares(cx, from, to, shares)?;
        let left = self.tranche(layer).balance(from);
        if layer == 1 && from == self.config.curator && left < self.locked {
            return Err(Refusal::SharesLocked { locked: self.locked, left });
        }
        Ok(())
    }
}

//! What a pool has insured of one product: now, for the cap, and at any past second, for a booking.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use breakwater_primitives::{DAY, MathError, Time, U256Ext, Wad};

use crate::trace::Trace;

/// A curator's setting that waits until underwriters could have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Cap in pool units.
    pub cap: u128,
    /// Floor rate, wad a year.
    pub floor_rate: Wad,
    /// From when it is in force.
    pub at: Time,
}

/// What a curator's settings say at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Cap in pool units.
    pub cap: u128,
    /// Floor rate, wad a year.
    pub floor_rate: Wad,
    /// Whether some setting has been in force.
    pub live: bool,
}

/// One product in one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductBook {
    /// The gauge of the product.
    pub gauge: B256,
    /// Cap in force unless a pending one has come into force.
    pub cap: u128,
    /// Floor rate in force unless a pending one has come into force.
    pub floor_rate: Wad,
    /// Whether some setting has been in force.
    pub live: bool,
    /// What waits.
    pub pending: Option<Pending>,
    /// Where it counts, once something was sold under certificates.
    pub cluster: Option<B256>,
    /// Sums that count against cap and capacity, pool units.
    pub exposure: u128,
    incepted: Trace,
    ended: Trace,
    expiring: BTreeMap<u64, u128>,
    leaving: BTreeMap<u64, u128>,
}

impl ProductBook {
    /// A product that was never set: cap and floor rate zero.
    pub fn new(gauge: B256) -> Self {
        Self {
            gauge,
            cap: 0,
            floor_rate: Wad::default(),
            live: false,
            pending: None,
            cluster: None,
            exposure: 0,
            incepted: Trace::default(),
            ended: Trace::default(),
            expiring: BTreeMap::new(),
            leaving: BTreeMap::new(),
        }
    }

    /// What is in force at `time`.
    pub fn setting(&self, time: Time) -> Setting {
        match self.pending {
            Some(Pending { cap, floor_rate, at }) if at <= time => Setting { cap, floor_rate, live: true },
            _ => Setting { cap: self.cap, floor_rate: self.floor_rate, live: self.live },
        }
    }

    /// The cap that the curator asked for last, in force or not.
    pub fn asked_cap(&self) -> u128 {
        self.pending.map_or(self.cap, |pending| pending.cap)
    }

    /// Sums whose cover includes second `time`, pool units.
    ///
    /// # Errors
    /// Underflow if ends exceed beginnings, which no sequence of the calls here makes.
    pub fn in_force(&self, time: Time) -> Result<u128, MathError> {
        let expired: u128 = self.expiring.range(..=time.day()).map(|(_, sum)| *sum).sum();
        let left = self.incepted.at(time.0).minus(self.ended.at(time.0))?;
        left.minus(U256::from(expired))?.to_u128()
    }

    /// Sums that incepted up to and including second `time`.
    pub fn incepted_by(&self, time: Time) -> U256 {
        self.incepted.at(time.0)
    }

    /// What is in force until `day` begins.
    pub fn expiring(&self, day: u64) -> u128 {
        self.expiring.get(&day).copied().unwrap_or_default()
    }

    /// Adds a sale.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub(crate) fn sell(
        &mut self,
        sum: u128,
        inception: Time,
        expiry: Time,
        window: u64,
    ) -> Result<(), MathError> {
        self.incepted.set(inception.0, self.incepted.latest().plus(U256::from(sum))?);
        self.exposure = add(self.exposure, sum)?;
        bump(&mut self.expiring, expiry.day(), sum)?;
        bump(&mut self.leaving, expiry.plus(window).day(), sum)
    }

    /// Takes `sum` off a policy; returns what of it still counted against cap and capacity.
    ///
    /// # Errors
    /// Underflow if the policy did not have that much.
    pub(crate) fn reduce(
        &mut self,
        sum: u128,
        now: Time,
        expiry: Time,
        window: u64,
    ) -> Result<u128, MathError> {
        if now < expiry {
            self.ended.set(now.0, self.ended.latest().plus(U256::from(sum))?);
            drop_from(&mut self.expiring, expiry.day(), sum)?;
        }
        if now >= expiry.plus(window) {
            return Ok(0);
        }
        drop_from(&mut self.leaving, expiry.plus(window).day(), sum)?;
        self.exposure = take(self.exposure, sum)?;
        Ok(sum)
    }

    /// Lets go of what leaves by `time`; returns how much.
    ///
    /// # Errors
    /// Underflow if buckets and exposure disagree, which no sequence of the calls here makes.
    pub(crate) fn roll(&mut self, time: Time) -> Result<u128, MathError> {
        let mut gone = 0;
        while let Some((&day, &sum)) = self.leaving.first_key_value() {
            if day.saturating_mul(DAY) > time.0 {
                break;
            }
            gone = add(gone, sum)?;
            self.leaving.remove(&day);
        }
        self.exposure = take(self.exposure, gone)?;
        Ok(gone)
    }

    /// What counts against cap and capacity at `time`, which is not before the last roll.
    pub fn exposure_at(&self, time: Time) -> u128 {
        let later = self.leaving.range(time.day().saturating_add(1)..);
        later.map(|(_, sum)| *sum).sum()
    }

    /// Sum of all buckets that have not left, which is the exposure.
    pub fn bucketed(&self) -> u128 {
        self.leaving.values().sum()
    }
}

fn bump(buckets: &mut BTreeMap<u64, u128>, day: u64, sum: u128) -> Result<(), MathError> {
    let bucket = buckets.entry(day).or_default();
    *bucket = add(*bucket, sum)?;
    Ok(())
}

fn drop_from(buckets: &mut BTreeMap<u64, u128>, day: u64, sum: u128) -> Result<(), MathError> {
    let bucket = buckets.entry(day).or_default();
    *bucket = take(*bucket, sum)?;
    if *bucket == 0 {
        buckets.remove(&day);
    }
    Ok(())
}

/// Sum in 128 bits.
pub(crate) fn add(a: u128, b: u128) -> Result<u128, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow { limit: 128, got: 129 })
}

/// Difference that may not go below zero.
pub(crate) fn take(a: u128, b: u128) -> Result<u128, MathError> {
    a.checked_sub(b).ok_or(MathError::Underflow { minuend: U256::from(a), subtrahend: U256::from(b) })
}

//! The price of cover: an actuarial floor and a cost of capital, times scarcity, times surge.
//!
//! The premium is the integral of the scarcity curve from exposure before to exposure after.
//! The integral is a difference of one function, so splitting a purchase cannot make it cheaper: each part rounds up.

use alloy_primitives::U256;
use breakwater_primitives::{
    BPS, Bps, MathError, Time, U256Ext, WAD, Wad, YEAR, mul_div_ceil, mul_div_floor,
};

use crate::terms::PoolConfig;

/// Scarcity over exposure: two linear pieces that meet at the kink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// Most exposure, pool units: floor(capital · leverage).
    pub capacity: u128,
    kink: u128,
    at_kink: U256,
    at_full: U256,
}

impl Curve {
    /// The curve of a pool with this capital.
    ///
    /// # Errors
    /// Overflow where capital times leverage exceeds 128 bits.
    pub fn new(config: &PoolConfig, capital: u128) -> Result<Self, MathError> {
        Self::levered(config, config.leverage, capital)
    }

    /// The same with another leverage than the config's.
    ///
    /// # Errors
    /// As [`Curve::new`].
    pub fn levered(config: &PoolConfig, leverage: Bps, capital: u128) -> Result<Self, MathError> {
        let capacity = leverage.floor_of(capital)?;
        let kink = config.kink.floor_of(capacity)?;
        Ok(Self {
            capacity,
            kink,
            at_kink: config.scarcity_kink.wide(),
            at_full: config.scarcity_full.wide(),
        })
    }

    /// Φ(x): scarcity integrated from zero exposure to `x`, in pool units · 1e18. `x` is at most the capacity.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn integral(&self, x: u128) -> Result<U256, MathError> {
        let one = U256::from(WAD);
        if x <= self.kink {
            return wide(x).times(one)?.plus(triangle(self.at_kink.minus(one)?, x, self.kink)?);
        }
        let below =
            wide(self.kink).times(one)?.plus(triangle(self.at_kink.minus(one)?, self.kink, self.kink)?)?;
        let above = x - self.kink;
        let slope = self.at_full.minus(self.at_kink)?;
        let rest = triangle(slope, above, self.capacity.saturating_sub(self.kink))?;
        below.plus(self.at_kink.times(wide(above))?)?.plus(rest)
    }
}

/// base = floor rate + ceil(cost of capital / leverage), wad a year.
///
/// # Errors
/// Overflow beyond 256 bits, or leverage zero, which no pool has.
pub fn base_rate(floor_rate: Wad, cost_of_capital: Wad, leverage: Bps) -> Result<U256, MathError> {
    let capital = mul_div_ceil(cost_of_capital.wide(), U256::from(BPS), leverage.wide())?;
    floor_rate.wide().plus(capital)
}

/// What `sum` more exposure costs for `term` seconds, in pool units, rounded up twice.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn premium(
    curve: &Curve,
    exposure: u128,
    sum: u128,
    base: U256,
    surge: Wad,
    term: u64,
) -> Result<U256, MathError> {
    let after = exposure.checked_add(sum).ok_or(MathError::Overflow { limit: 128, got: 129 })?;
    let area = curve.integral(after)?.minus(curve.integral(exposure)?)?;
    let yearly = mul_div_ceil(area, base, U256::from(WAD))?;
    let factor = (U256::from(WAD) + surge.wide()).times(U256::from(term))?;
    mul_div_ceil(yearly, factor, U256::from(WAD).times(U256::from(WAD))?.times(U256::from(YEAR))?)
}

/// A surge that was set at some time and halves every half-life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Surge {
    /// What it was when it was set.
    pub value: Wad,
    /// When it was set.
    pub at: Time,
}

impl Surge {
    /// The surge at `time`: whole halvings, then a straight line within a half-life, rounded up by at most one.
    pub fn now(&self, time: Time, half_life: u64) -> Wad {
        let half_life = half_life.max(1);
        let elapsed = time.since(self.at);
        let halvings = u32::try_from(elapsed / half_life).unwrap_or(u32::MAX);
        let halved = self.value.get().checked_shr(halvings).unwrap_or(0);
        let part = u128::from(halved) * u128::from(elapsed % half_life) / (2 * u128::from(half_life));
        // The part is at most half of `halved`, so it fits and the difference is not negative.
        Wad::new(halved - u64::try_from(part).unwrap_or(halved))
    }

    /// The surge after `reserved` more of `capital` was reserved: floor(slope · reserved / max(1, capital)) more,
    /// at most the most.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn raised(
        &self,
        config: &PoolConfig,
        time: Time,
        reserved: u128,
        capital: u128,
    ) -> Result<Self, MathError> {
        let more = mul_div_floor(config.surge_slope.wide(), wide(reserved), wide(capital.max(1)))?;
        let sum = self.now(time, config.surge_half_life).wide().plus(more)?;
        let most = config.surge_max.get();
        Ok(Self { value: Wad::new(u64::try_from(sum).map_or(most, |sum| sum.min(most))), at: time })
    }
}

/// floor(slope · x² / (2 · width)); zero where x is zero, whatever the width.
fn triangle(slope: U256, x: u128, width: u128) -> Result<U256, MathError> {
    if x == 0 {
        return Ok(U256::ZERO);
    }
    mul_div_floor(slope, wide(x) * wide(x), wide(width) * U256::from(2))
}

fn wide(value: u128) -> U256 {
    U256::from(value)
}

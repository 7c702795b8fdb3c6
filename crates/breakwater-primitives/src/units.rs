//! Fractions: wad for computed ones, basis points for those that people set.

use std::fmt;

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};

use crate::math::{MathError, U256Ext, mul_div_ceil, mul_div_floor};

/// One, as a wad.
pub const WAD: u64 = 1_000_000_000_000_000_000;
/// One, in basis points.
pub const BPS: u64 = 10_000;
/// Virtual shares of a tranche: shares carry six more decimals than the asset.
pub const SHARE_OFFSET: u64 = 1_000_000;

/// A fraction of 1e18.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wad(u64);

/// A fraction of 10,000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bps(u32);

impl Wad {
    /// 1e18.
    pub const ONE: Self = Self(WAD);

    /// A wad of `value` / 1e18; at most 2^64 − 1, which is above 18.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The numerator over 1e18.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The numerator over 1e18, wide.
    pub fn wide(self) -> U256 {
        U256::from(self.0)
    }

    /// floor(amount · self / 1e18).
    ///
    /// # Errors
    /// [`MathError::Overflow`] above 128 bits.
    pub fn floor_of(self, amount: u128) -> Result<u128, MathError> {
        mul_div_floor(U256::from(amount), self.wide(), U256::from(WAD))?.to_u128()
    }

    /// ceil(amount · self / 1e18).
    ///
    /// # Errors
    /// [`MathError::Overflow`] above 128 bits.
    pub fn ceil_of(self, amount: u128) -> Result<u128, MathError> {
        mul_div_ceil(U256::from(amount), self.wide(), U256::from(WAD))?.to_u128()
    }
}

impl Bps {
    /// 10,000.
    pub const ONE: Self = Self(10_000);

    /// `value` / 10,000; more than one where leverage needs it.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The numerator over 10,000.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The numerator over 10,000, wide.
    pub fn wide(self) -> U256 {
        U256::from(self.0)
    }

    /// The same fraction as a wad, exactly.
    ///
    /// # Errors
    /// [`MathError::Overflow`] above about 18.
    pub fn to_wad(self) -> Result<Wad, MathError> {
        let value = u64::from(self.0).checked_mul(WAD / BPS);
        value.map(Wad).ok_or(MathError::Overflow { limit: 64, got: 65 })
    }

    /// floor(amount · self / 10,000).
    ///
    /// # Errors
    /// [`MathError::Overflow`] above 128 bits.
    pub fn floor_of(self, amount: u128) -> Result<u128, MathError> {
        mul_div_floor(U256::from(amount), self.wide(), U256::from(BPS))?.to_u128()
    }

    /// ceil(amount · self / 10,000).
    ///
    /// # Errors
    /// [`MathError::Overflow`] above 128 bits.
    pub fn ceil_of(self, amount: u128) -> Result<u128, MathError> {
        mul_div_ceil(U256::from(amount), self.wide(), U256::from(BPS))?.to_u128()
    }
}

impl fmt::Display for Wad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:018}", self.0 / WAD, self.0 % WAD)
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_round_as_named() {
        assert_eq!(Bps::new(3_333).floor_of(10), Ok(3));
        assert_eq!(Bps::new(3_333).ceil_of(10), Ok(4));
        assert_eq!(Bps::ONE.floor_of(u128::MAX), Ok(u128::MAX));
        assert_eq!(Wad::new(WAD / 3).floor_of(9), Ok(2));
        assert_eq!(Wad::new(WAD / 3).ceil_of(9), Ok(3));
        assert!(Bps::new(20_000).floor_of(u128::MAX).is_err());
    }

    #[test]
    fn one_percent_is_the_same_in_both() {
        assert_eq!(Bps::new(100).to_wad(), Ok(Wad::new(WAD / 100)));
        assert!(Bps::new(u32::MAX).to_wad().is_err());
    }

    #[test]
    fn prints_for_people() {
        assert_eq!(Wad::new(WAD + WAD / 2).to_string(), "1.500000000000000000");
        assert_eq!(Bps::new(12_345).to_string(), "123.45 %");
    }
}

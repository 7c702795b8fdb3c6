//! Products and quotients that cannot lose bits and say which way they round.

use alloy_primitives::{U256, U512};
use thiserror::Error;

/// Why a number could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MathError {
    /// The divisor was zero.
    #[error("{dividend} was to be divided by zero")]
    ZeroDivisor {
        /// Product that was to be divided, or its low 256 bits.
        dividend: U256,
    },
    /// The result has more bits than its type.
    #[error("a result needs {got} bits and may have {limit}")]
    Overflow {
        /// Bits of the type.
        limit: u32,
        /// Bits of the result; one more than `limit` where the operation does not tell.
        got: u32,
    },
    /// A difference would be below zero.
    #[error("{subtrahend} was to be taken from {minuend}")]
    Underflow {
        /// What was there.
        minuend: U256,
        /// What was to be taken.
        subtrahend: U256,
    },
}

/// floor(a · b / c) with a 512-bit product.
///
/// # Errors
/// [`MathError::ZeroDivisor`], and [`MathError::Overflow`] if the quotient exceeds 256 bits.
pub fn mul_div_floor(a: U256, b: U256, c: U256) -> Result<U256, MathError> {
    match a.checked_mul(b) {
        Some(product) if !c.is_zero() => Ok(product / c),
        _ => wide_div(a, b, c).and_then(|(quotient, _)| narrow(quotient)),
    }
}

/// ceil(a · b / c) with a 512-bit product.
///
/// # Errors
/// As [`mul_div_floor`].
pub fn mul_div_ceil(a: U256, b: U256, c: U256) -> Result<U256, MathError> {
    let (quotient, exact) = wide_div(a, b, c)?;
    // The quotient of a 512-bit number by at least one, plus one, overflows only where c is 1 and then it is exact.
    narrow(if exact { quotient } else { quotient + U512::from(1) })
}

/// floor(sqrt(a · b)), as a geometric gauge reads its two reserves.
///
/// The product needs 512 bits, its root only 256, so this cannot fail.
pub fn sqrt_floor(a: U256, b: U256) -> U256 {
    let root = a.widening_mul::<256, 4, 512, 8>(b).root(2);
    // (2^256 - 1)^2 has a root below 2^256, so the upper four limbs are zero.
    U256::from_limbs_slice(&root.as_limbs()[..4])
}

/// Checked steps on `U256` that carry both operands in their error.
pub trait U256Ext: Sized {
    /// `self + other`.
    ///
    /// # Errors
    /// [`MathError::Overflow`].
    fn plus(self, other: U256) -> Result<U256, MathError>;
    /// `self − other`.
    ///
    /// # Errors
    /// [`MathError::Underflow`].
    fn minus(self, other: U256) -> Result<U256, MathError>;
    /// `self · other`.
    ///
    /// # Errors
    /// [`MathError::Overflow`].
    fn times(self, other: U256) -> Result<U256, MathError>;
    /// The same number in 128 bits.
    ///
    /// # Errors
    /// [`MathError::Overflow`].
    fn to_u128(self) -> Result<u128, MathError>;
}

impl U256Ext for U256 {
    fn plus(self, other: U256) -> Result<U256, MathError> {
        self.checked_add(other).ok_or(MathError::Overflow { limit: 256, got: 257 })
    }

    fn minus(self, other: U256) -> Result<U256, MathError> {
        self.checked_sub(other).ok_or(MathError::Underflow { minuend: self, subtrahend: other })
    }

    fn times(self, other: U256) -> Result<U256, MathError> {
        self.checked_mul(other).ok_or(MathError::Overflow { limit: 256, got: 257 })
    }

    fn to_u128(self) -> Result<u128, MathError> {
        u128::try_from(self).map_err(|_| MathError::Overflow { limit: 128, got: bits(self.bit_len()) })
    }
}

fn wide_div(a: U256, b: U256, c: U256) -> Result<(U512, bool), MathError> {
    if c.is_zero() {
        return Err(MathError::ZeroDivisor { dividend: a.wrapping_mul(b) });
    }
    let product = a.widening_mul::<256, 4, 512, 8>(b);
    let (quotient, rest) = product.div_rem(U512::from(c));
    Ok((quotient, rest.is_zero()))
}

fn narrow(wide: U512) -> Result<U256, MathError> {
    if wide.bit_len() > 256 {
        return Err(MathError::Overflow { limit: 256, got: bits(wide.bit_len()) });
    }
    Ok(U256::from_limbs_slice(&wide.as_limbs()[..4]))
}

/// Bit lengths of at most 512 fit any integer; saturation never happens.
fn bits(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u(value: u128) -> U256 {
        U256::from(value)
    }

    #[test]
    fn rounds_as_named() {
        assert_eq!(mul_div_floor(u(7), u(3), u(2)), Ok(u(10)));
        assert_eq!(mul_div_ceil(u(7), u(3), u(2)), Ok(u(11)));
        assert_eq!(mul_div_ceil(u(8), u(3), u(2)), Ok(u(12)));
        assert_eq!(mul_div_ceil(u(0), u(3), u(2)), Ok(u(0)));
    }

    #[test]
    fn keeps_the_whole_product() {
        let max = U256::MAX;
        assert_eq!(mul_div_floor(max, max, max), Ok(max));
        assert_eq!(mul_div_ceil(max, max - u(1), max), Ok(max - u(1)));
        // (2^256 - 1)(2^255) / 2^256 = 2^255 - 1/2
        let half = U256::from(1) << 255;
        assert_eq!(mul_div_floor(max, half, max), Ok(half));
        assert_eq!(mul_div_floor(max, u(3), u(4)), Ok((max >> 2) * u(3) + u(2)));
    }

    #[test]
    fn refuses_zero_and_overflow() {
        assert_eq!(mul_div_floor(u(5), u(2), u(0)), Err(MathError::ZeroDivisor { dividend: u(10) }));
        assert_eq!(mul_div_floor(U256::MAX, u(2), u(1)), Err(MathError::Overflow { limit: 256, got: 257 }));
        assert_eq!(
            mul_div_ceil(U256::MAX, U256::MAX, u(1)),
            Err(MathError::Overflow { limit: 256, got: 512 })
        );
        // (2^256 − 1)² / (2^256 − 2) = 2^256 + 1 / (2^256 − 2): one bit too many.
        let max = U256::MAX;
        assert_eq!(mul_div_floor(max, max, max - u(1)), Err(MathError::Overflow { limit: 256, got: 257 }));
    }

    #[test]
    fn roots_of_products() {
        assert_eq!(sqrt_floor(u(2), u(8)), u(4));
        assert_eq!(sqrt_floor(u(3), u(5)), u(3));
        assert_eq!(sqrt_floor(u(0), u(5)), u(0));
        assert_eq!(sqrt_floor(U256::MAX, U256::MAX), U256::MAX);
        assert_eq!(sqrt_floor(U256::MAX, U256::MAX - u(1)), U256::MAX - u(1));
    }

    #[test]
    fn narrows_with_the_bits_it_saw() {
        assert_eq!((U256::from(1) << 128usize).to_u128(), Err(MathError::Overflow { limit: 128, got: 129 }));
        assert_eq!(u(u128::MAX).to_u128(), Ok(u128::MAX));
        assert_eq!(u(1).minus(u(2)), Err(MathError::Underflow { minuend: u(1), subtrahend: u(2) }));
    }
}

//! What a loss makes due: deductible, event limit, loss cap. Every division rounds down, in favour of the pool.

use alloy_primitives::U256;
use breakwater_primitives::{BPS, Bps, MathError, U256Ext, WAD, mul_div_ceil, mul_div_floor};

use crate::terms::Product;

/// f: the fraction of a sum that a loss of `lambda` (wad) takes after the deductible, wad.
///
/// # Errors
/// None for a deductible below 10,000 and λ at most 1e18.
pub fn fraction(lambda: U256, deductible: Bps) -> Result<U256, MathError> {
    let kept = deductible.to_wad()?.wide();
    if lambda <= kept {
        return Ok(U256::ZERO);
    }
    let one = U256::from(WAD);
    mul_div_floor(lambda - kept, one, one.minus(kept)?)
}

/// fEff: the fraction that a pool pays on `exposure` in force, lowered so that the event limit holds.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn effective_fraction(lambda: U256, product: &Product, exposure: u128) -> Result<U256, MathError> {
    let plain = fraction(lambda, product.deductible)?;
    let limit = U256::from(product.event_limit);
    if limit.is_zero() || mul_div_floor(U256::from(exposure), plain, U256::from(WAD))? <= limit {
        return Ok(plain);
    }
    mul_div_floor(limit, U256::from(WAD), U256::from(exposure))
}

/// What is due for `lost` gauge units, pool units: the payable loss after the deductible, at most the sum left
/// times the pool's fraction. `lambda` is the incident's, above zero.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn due(
    product: &Product,
    lost: u128,
    lambda: U256,
    sum_left: u128,
    pool_fraction: U256,
) -> Result<u128, MathError> {
    let units = mul_div_floor(U256::from(lost), U256::from(product.unit_num), U256::from(product.unit_den))?;
    let by_loss = mul_div_floor(capped(units, product)?, fraction(lambda, product.deductible)?, lambda)?;
    let by_sum = mul_div_floor(U256::from(sum_left), pool_fraction, U256::from(WAD))?;
    by_loss.min(by_sum).to_u128()
}

/// lost': the gauge units that all policies on one position of this product may take together.
///
/// # Errors
/// Overflow beyond 256 bits.
pub fn registry_limit(product: &Product, lost: u128, lambda: U256) -> Result<u128, MathError> {
    let capped = capped(U256::from(lost), product)?;
    mul_div_floor(capped, fraction(lambda, product.deductible)?, lambda)?.to_u128()
}

/// Gauge units that cover `amount` pool units, rounded up: what the registry is asked for.
///
/// # Errors
/// Overflow beyond 128 bits.
pub fn to_gauge_units(product: &Product, amount: u128) -> Result<u128, MathError> {
    mul_div_ceil(U256::from(amount), U256::from(product.unit_den), U256::from(product.unit_num))?.to_u128()
}

/// Gauge units in `amount` pool units, rounded down: what the curator bore and the registry takes back.
///
/// # Errors
/// Overflow beyond 128 bits.
pub fn to_gauge_units_floor(product: &Product, amount: u128) -> Result<u128, MathError> {
    mul_div_floor(U256::from(amount), U256::from(product.unit_den), U256::from(product.unit_num))?.to_u128()
}

/// Pool units in `amount` gauge units, rounded down.
///
/// # Errors
/// Overflow beyond 128 bits.
pub fn to_pool_units(product: &Product, amount: u128) -> Result<u128, MathError> {
    mul_div_floor(U256::from(amount), U256::from(product.unit_num), U256::from(product.unit_den))?.to_u128()
}

fn capped(units: U256, product: &Product) -> Result<U256, MathError> {
    mul_div_floor(units, product.loss_cap.wide(), U256::from(BPS))
}

//! What was lost, from readings alone: the four forms, the cap on health, and the loss of one position.
//!
//! The prover, the keeper and the contracts must arrive at the same unit, so all of them read these functions.

use alloy_primitives::U256;
use breakwater_primitives::{Block, MathError, Time, U256Ext, WAD, Wad, YEAR, mul_div_ceil, mul_div_floor};

use crate::refusal::Refusal;
use crate::terms::Form;

/// What a gauge reads in one block. Amounts are in the gauge's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The block.
    pub number: Block,
    /// Its time.
    pub time: Time,
    /// Assets; geometric: floor(sqrt(reserve0 · reserve1)).
    pub assets: u128,
    /// Claims; shares for ratio and geometric.
    pub claims: u128,
}

/// The numbers of a gauge that a loss depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// How health is computed.
    pub form: Form,
    /// Smallest loss fraction that is an incident.
    pub threshold: Wad,
    /// How fast assets per share may honestly rise, wad a year.
    pub growth: Wad,
    /// When `assets0` and `shares0` were read.
    pub pinned_at: Time,
    /// Smallest claims at which a loss is defined.
    pub floor: u128,
    /// With `shares0`: health when the gauge was pinned.
    pub assets0: u128,
    /// See `assets0`.
    pub shares0: u128,
}

/// A loss and what it is a part of, in the gauge's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Usable assets (ratio, geometric) or claims (par, enumerated) at the onset.
    pub base: u128,
    /// At most `base`.
    pub loss: u128,
}

/// The shares or claims of one account at the onset and at a later block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// At the onset.
    pub before: u128,
    /// At the later block.
    pub after: u128,
}

/// What the rung records of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionLoss {
    /// What the account lost, gauge units.
    pub lost: u128,
    /// What its position was worth at the onset, gauge units.
    pub value: u128,
}

impl Loss {
    /// λ = floor(loss · 1e18 / base), wad; zero where the base is zero.
    pub fn fraction(&self) -> U256 {
        lambda(self.loss, self.base)
    }
}

/// floor(loss · 1e18 / base), wad; zero where the base is zero.
pub fn lambda(loss: u128, base: u128) -> U256 {
    // 128 bits times 60 bits cannot overflow.
    mul_div_floor(U256::from(loss), U256::from(WAD), U256::from(base)).unwrap_or_default()
}

/// cap(a): the most that the shares of a reading may honestly be worth.
///
/// # Errors
/// [`Refusal::UndefinedLoss`] before `pinned_at` or without shares then; overflow beyond 256 bits.
pub fn health_cap(health: &Health, a: &Reading) -> Result<U256, Refusal> {
    if a.time < health.pinned_at || health.shares0 == 0 {
        return Err(undefined(health, a));
    }
    let worth = mul_div_floor(wide(health.assets0), wide(a.claims), wide(health.shares0))?;
    let elapsed = U256::from(a.time.since(health.pinned_at));
    let grown = mul_div_floor(health.growth.wide(), elapsed, U256::from(YEAR))?;
    Ok(mul_div_floor(worth, U256::from(WAD).plus(grown)?, U256::from(WAD))?)
}

/// The loss from `a` to `b`, where `after_assets` are the assets at a + 1.
///
/// # Errors
/// [`Refusal::UndefinedLoss`] if claims at `a` are below the floor, there are no shares at `b`, or the usable
/// assets are zero.
pub fn loss(health: &Health, a: &Reading, after_assets: u128, b: &Reading) -> Result<Loss, Refusal> {
    if a.claims < health.floor || a.claims == 0 {
        return Err(undefined(health, a));
    }
    match health.form {
        Form::Ratio | Form::Geometric => shares_loss(health, a, after_assets, b),
        Form::Par | Form::Enumerated => Ok(claims_loss(a, b)),
    }
}

/// What a rung needs to open an incident: the onset shows half the threshold, the reading the whole of it.
///
/// # Errors
/// [`Refusal::NoOnset`], [`Refusal::BelowThreshold`] and those of [`loss`].
pub fn assess(health: &Health, a: &Reading, next: &Reading, b: &Reading) -> Result<Loss, Refusal> {
    let onset = loss(health, a, next.assets, next)?.fraction();
    let threshold = health.threshold.wide();
    let least = mul_div_ceil(threshold, U256::from(1), U256::from(2))?;
    if onset < least {
        return Err(Refusal::NoOnset { lambda: onset, least });
    }
    let found = loss(health, a, next.assets, b)?;
    if found.fraction() < threshold {
        return Err(Refusal::BelowThreshold { lambda: found.fraction(), threshold });
    }
    Ok(found)
}

/// What one account lost between `a` and `b`, any block up to the incident's reading (par and enumerated: that
/// reading). `incident_loss` is the loss of the incident's own measurement.
///
/// # Errors
/// Those of [`loss`].
pub fn position_loss(
    health: &Health,
    a: &Reading,
    after_assets: u128,
    b: &Reading,
    holding: Holding,
    incident_loss: u128,
) -> Result<PositionLoss, Refusal> {
    let kept = wide(holding.before.min(holding.after));
    let claims = wide(a.claims);
    let gauge = loss(health, a, after_assets, b)?;
    match health.form {
        Form::Ratio | Form::Geometric => {
            let value = mul_div_floor(kept, wide(gauge.base), claims)?;
            let left = mul_div_ceil(wide(holding.after), wide(b.assets), wide(b.claims))?;
            let share = mul_div_floor(kept, wide(gauge.loss), claims)?;
            let lost = value.saturating_sub(left).min(share).min(wide(incident_loss));
            Ok(PositionLoss { lost: clamp(lost), value: clamp(value) })
        }
        Form::Par | Form::Enumerated => {
            let lost = mul_div_floor(kept, wide(incident_loss), claims)?;
            Ok(PositionLoss { lost: clamp(lost), value: clamp(kept) })
        }
    }
}

fn shares_loss(health: &Health, a: &Reading, after_assets: u128, b: &Reading) -> Result<Loss, Refusal> {
    let usable = wide(a.assets).min(health_cap(health, a)?);
    if b.claims == 0 {
        return Err(undefined(health, b));
    }
    if usable.is_zero() {
        return Err(undefined(health, a));
    }
    let worth_now = mul_div_ceil(wide(b.assets), wide(a.claims), wide(b.claims))?;
    let outflow = usable.saturating_sub(wide(after_assets.min(b.assets)));
    let loss = usable.saturating_sub(worth_now).min(outflow);
    Ok(Loss { base: clamp(usable), loss: clamp(loss) })
}

fn claims_loss(a: &Reading, b: &Reading) -> Loss {
    let before = a.claims.saturating_sub(a.assets);
    let after = b.claims.saturating_sub(b.assets);
    Loss { base: a.claims, loss: after.saturating_sub(before).min(a.claims) }
}

fn undefined(health: &Health, reading: &Reading) -> Refusal {
    Refusal::UndefinedLoss { form: health.form, number: reading.number }
}

fn wide(value: u128) -> U256 {
    U256::from(value)
}

/// Values here are at most an amount of 128 bits, except a position's worth, which the record keeps saturated.
fn clamp(value: U256) -> u128 {
    let fits: Result<u128, MathError> = value.to_u128();
    fits.unwrap_or(u128::MAX)
}

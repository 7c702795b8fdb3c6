//! From the document to the contracts: accounts, units, terms.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use breakwater_policy::{
    Deployment,
    incident::Rung,
    terms::{Form, GAUGE_RUNGS, GaugeInfo, Kind, PoolConfig, Product},
};
use breakwater_primitives::{BPS, Bps, DAY, Time, WAD, Wad, YEAR};

use super::{Conduct, Options, conduct::place, report::Terms};
use crate::{fault::Fault, model::Model};

/// Days that a cover is bought for.
pub(super) const TERM_DAYS: u64 = 91;
/// Seconds of an epoch.
pub(super) const EPOCH: u64 = 7 * DAY;
/// Seconds between a request to leave and its cohort, where the document says nothing.
const COOLDOWN: u64 = 14 * DAY;
/// Underwriters of each tranche.
pub(super) const UNDERWRITERS: usize = 8;
/// Buyers of all products together, roughly, and of one at least and at most.
const BUYERS: (usize, usize, usize) = (200, 2, 4);
/// Of the capacity, what the book fills where the document's leverage is not given.
const FILLED: f64 = 0.8;
/// The curator's lock as a share of the caps, bps: the least that a pool may have.
const CURATOR_BPS: u32 = 100;
/// Seconds of a block.
pub(super) const BLOCK: u64 = 12;
/// When the stage is set; an epoch begins.
pub(super) const SET: u64 = 20_006 * DAY;

pub(super) const ASSET: Address = Address::with_last_byte(0xa5);
pub(super) const POOL: Address = Address::with_last_byte(0xb0);
pub(super) const CURATOR: Address = Address::with_last_byte(0xc1);
pub(super) const KEEPER: Address = Address::with_last_byte(0xc2);
pub(super) const RUNG: Address = Address::with_last_byte(0xf1);
const TRANCHES: [Address; 3] =
    [Address::with_last_byte(0xb1), Address::with_last_byte(0xb2), Address::with_last_byte(0xb3)];

/// A product as it is listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) id: B256,
    pub(super) gauge: B256,
    pub(super) terms: Product,
    /// The document's exposure.
    pub(super) exposure: f64,
    /// The most that can be lost, units.
    pub(super) base: u128,
    pub(super) cap: u128,
    /// Wad a year.
    pub(super) floor_rate: u64,
}

/// Everything that stays the same over all paths.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) conduct: Conduct,
    pub(super) deployment: Deployment,
    pub(super) config: PoolConfig,
    pub(super) listed: Vec<Listed>,
    /// For each product of the model its place in `listed`.
    pub(super) places: Vec<Option<usize>>,
    /// Buyers of each product.
    pub(super) buyers: usize,
    /// Capital of surplus, junior, mezzanine, senior in the document's unit.
    pub(super) layers: [f64; 4],
    /// Which layers the document's tranches became, in its order, and their names.
    pub(super) tranches: Vec<(usize, String)>,
    /// Integer units in one of the document's.
    pub(super) scale: f64,
    /// By state of the market: values, capital.
    pub(super) regimes: Vec<(f64, f64)>,
    pool: String,
    notes: Vec<String>,
}

impl Setting {
    pub(super) fn new(model: &Model, conduct: Conduct, options: &Options) -> Result<Self, Fault> {
        let pool = &model.pools[place(model, options)?];
        let here = format!("pool {:?}", pool.terms.id);
        let (layers, tranches) = layers(pool).map_err(|fault| fault.within(&here))?;
        let covers: Vec<usize> =
            pool.products.iter().copied().filter(|&i| model.portfolio.products[i].exposure > 0.0).collect();
        if covers.is_empty() {
            return Err(Fault::new(format!("{here}.products"), "no product of it has any exposure"));
        }
        let buyers = (BUYERS.0 / covers.len()).clamp(BUYERS.1, BUYERS.2);
        let book = covers.iter().fold(0.0, |sum, &i| sum + model.portfolio.products[i].exposure);
        let capital = layers.iter().fold(0.0, |sum, layer| sum + layer);
        let scale = scale(book + capital);
        let leverage = leverage(model, &covers, book / capital, options)?;
        let config = config(pool, &layers, &tranches, leverage).map_err(|fault| fault.within(&here))?;
        let charge = config.cost_of_capital.get() as f64 / WAD as f64 / (f64::from(leverage) / BPS as f64);
        let listed: Vec<Listed> = covers
            .iter()
            .enumerate()
            .map(|(place, &i)| list(model, i, place, buyers, scale, charge))
            .collect::<Result<_, _>>()?;
        let mut places = vec![None; model.products.len()];
        covers.iter().enumerate().for_each(|(place, &i)| places[i] = Some(place));
        Ok(Self {
            conduct,
            deployment: deployment(),
            config,
            listed,
            places,
            buyers,
            layers,
            tranches,
            scale,
            regimes: model.regimes.iter().map(|r| (r.tvl, r.capital)).collect(),
            pool: pool.terms.id.clone(),
            notes: notes(model, pool),
        })
    }

    /// What the document became.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            pool: self.pool.clone(),
            products: self.listed.len(),
            buyers_of_each: self.buyers,
            units_of_one: self.scale,
            leverage: f64::from(self.config.leverage.get()) / BPS as f64,
            epoch_days: self.config.epoch as f64 / DAY as f64,
            cooldown_days: self.config.cooldown as f64 / DAY as f64,
            term_days: TERM_DAYS,
            tranches: self.tranches.iter().map(|t| t.1.clone()).collect(),
            layers: self.tranches.iter().map(|t| t.0).collect(),
            conduct: self.conduct.clone(),
            notes: self.notes.clone(),
        }
    }

    /// An amount in units, rounded down.
    pub(super) fn units(&self, amount: f64) -> u128 {
        // What is below 1e16 or negative or no number at all converts without surprise.
        libm::floor(amount * self.scale) as u128
    }

    /// Units as an amount of the document.
    pub(super) fn amount(&self, units: u128) -> f64 {
        units as f64 / self.scale
    }
}

/// An account by its kind and number.
pub(super) fn account(kind: u8, number: usize) -> Address {
    let mut bytes = [0; 20];
    bytes[0] = kind;
    bytes[12..].copy_from_slice(&(number as u64).to_be_bytes());
    Address::from(bytes)
}

fn id(kind: u8, number: usize) -> B256 {
    account(kind, number).into_word()
}

/// The power of ten for which all amounts together have sixteen digits, which `f64` still counts one by one.
fn scale(total: f64) -> f64 {
    let mut scale = 1.0;
    while total * scale < 1e15 {
        scale *= 10.0;
    }
    while total * scale >= 1e16 {
        scale /= 10.0;
    }
    scale
}

/// The four layers, and which of them each tranche of the document is.
#[allow(clippy::type_complexity, reason = "two answers of one small question")]
fn layers(pool: &crate::model::Pool) -> Result<([f64; 4], Vec<(usize, String)>), Fault> {
    let places: &[usize] = match pool.terms.tranches.len() {
        1 => &[1],
        2 => &[1, 3],
        3 => &[1, 2, 3],
        count => {
            return Err(Fault::new(
                "tranche",
                format!("the contracts have one to three of them, not {count}"),
            ));
        }
    };
    let mut layers = [pool.terms.surplus, 0.0, 0.0, 0.0];
    let mut tranches = Vec::with_capacity(places.len());
    for (&place, tranche) in places.iter().zip(&pool.terms.tranches) {
        layers[place] = tranche.capital;
        tranches.push((place, tranche.id.clone()));
    }
    if layers[1] <= 0.0 {
        return Err(Fault::new(
            "tranche[0].capital",
            "the first tranche must have some: the curator locks a part of it",
        ));
    }
    Ok((layers, tranches))
}

/// Bps of capital that exposure may reach.
fn leverage(model: &Model, covers: &[usize], book: f64, options: &Options) -> Result<u32, Fault> {
    let times = match options.leverage {
        Some(times) if (1.0..=10.0).contains(&times) => times,
        Some(times) => return Err(Fault::new("leverage", format!("must be 1 to 10, got {times}"))),
        None => {
            // While a cover is bought anew its successor counts beside it.
            let products = covers.iter().map(|&i| &model.portfolio.products[i]);
            let both = products.map(|p| p.waiting_days + p.report_days).fold(0.0, f64::max);
            (book * (1.0 + both / TERM_DAYS as f64) / FILLED).clamp(1.0, 10.0)
        }
    };
    Ok(libm::ceil(times * BPS as f64) as u32)
}

fn config(
    pool: &crate::model::Pool,
    layers: &[f64; 4],
    tranches: &[(usize, String)],
    leverage: u32,
) -> Result<PoolConfig, Fault> {
    let share = pool.terms.premium_to_surplus;
    if share > 0.5 {
        return Err(Fault::new(
            "premium_to_surplus",
            format!("the contracts allow at most 0.5, got {share}"),
        ));
    }
    let exit = pool.terms.behaviour.as_ref().map_or(0.0, |b| b.exit_days);
    // A request waits for the cooldown and then one to two epochs.
    let wanted = libm::floor((exit - 1.5 * EPOCH as f64 / DAY as f64).max(0.0)) as u64 * DAY;
    let cooldown = if exit > 0.0 { wanted.clamp(EPOCH, 90 * DAY) } else { COOLDOWN };
    let first_two = (layers[1] + layers[2]) / (layers[1] + layers[2] + layers[3]);
    let premium: Vec<f64> = pool.terms.tranches.iter().map(|t| t.premium_weight).collect();
    Ok(PoolConfig {
        asset: ASSET,
        curator: CURATOR,
        epoch: EPOCH,
        cooldown,
        leverage: Bps::new(leverage),
        curator_share: Bps::new(CURATOR_BPS),
        // Half of what the document begins with, so that juniors can leave but not all of them first.
        subordination: Bps::new((libm::floor(first_two * 5_000.0) as u32).min(7_000)),
        surplus: Bps::new(libm::floor(share * BPS as f64) as u32),
        weights: weights(layers, tranches, &premium).map(Bps::new),
        cost_of_capital: Wad::new(WAD / 1_000),
        kink: Wad::new(WAD / 10 * 8),
        scarcity_kink: Wad::new(WAD / 10 * 15),
        scarcity_full: Wad::new(WAD * 3),
        surge_slope: Wad::new(WAD),
        surge_max: Wad::new(WAD * 2),
        surge_half_life: 7 * DAY,
        curator_fee: Bps::new(0),
        certified: false,
    })
}

/// Weights by which the contracts share premium out over weight times capital, so that at the start each tranche gets
/// the document's share; each at least a twentieth.
fn weights(layers: &[f64; 4], tranches: &[(usize, String)], premium: &[f64]) -> [u32; 3] {
    let mut ratios = [0.0; 3];
    let by_capital = premium.iter().all(|&w| w == 0.0);
    for ((place, _), &weight) in tranches.iter().zip(premium) {
        let capital = layers[*place];
        ratios[place - 1] = match (by_capital, capital > 0.0) {
            (true, _) => 1.0,
            (false, true) => weight / capital,
            (false, false) => 0.0,
        };
    }
    let sum = ratios.iter().fold(0.0, |sum, ratio| sum + ratio).max(f64::MIN_POSITIVE);
    let mut weights = ratios.map(|ratio| 500 + libm::floor(8_500.0 * ratio / sum) as u32);
    let rest: u32 = weights.iter().sum();
    let largest = (0..3).rev().max_by_key(|&i| weights[i]).unwrap_or(0);
    weights[largest] += 10_000 - rest;
    weights
}

fn list(
    model: &Model,
    product: usize,
    place: usize,
    buyers: usize,
    scale: f64,
    charge: f64,
) -> Result<Listed, Fault> {
    let said = &model.portfolio.products[product];
    let seconds = |days: f64| libm::ceil(days * DAY as f64) as u64;
    let gauge = id(0x61, place);
    let terms = Product {
        gauge,
        kind: Kind::Position,
        asset: ASSET,
        registrant: Address::ZERO,
        unit_num: 1,
        unit_den: 1,
        min_sum: 1,
        event_limit: 0,
        // A part of a basis point that is left off is in the loss fraction: what is owed does not change.
        deductible: Bps::new((libm::floor(said.deductible_share * BPS as f64) as u32).min(9_999)),
        loss_cap: Bps::ONE,
        bounty: Bps::new(0),
        instant: false,
        waiting_period: seconds(said.waiting_days).max(1),
        report_window: libm::ceil(said.report_days) as u64 * DAY,
        min_term: 1,
        max_term: YEAR,
    };
    terms
        .check(&gauge_info(place))
        .map_err(|refusal| Fault::new(format!("product {:?}", said.id), refusal.to_string()))?;
    // Cover of one buyer at a time is doubled while it is bought anew, and what was paid out is bought back.
    let cap = libm::ceil(said.exposure * scale * (1.25 + 1.0 / buyers as f64)) as u128;
    let most = model.regimes.iter().fold(1.0f64, |most, r| most.max(r.tvl));
    let base = libm::ceil(said.tvl.unwrap_or(said.exposure).max(2.0 * said.exposure) * most * scale) as u128;
    let rate = (said.premium / said.exposure - charge).clamp(0.0, 18.0);
    let cap = libm::ceil(cap as f64 * most) as u128;
    let floor_rate = libm::ceil(rate * WAD as f64) as u64;
    Ok(Listed { id: id(0x71, place), gauge, terms, exposure: said.exposure, base, cap, floor_rate })
}

/// The gauge of a product: whatever is lost is an incident.
pub(super) fn gauge_info(place: usize) -> GaugeInfo {
    GaugeInfo {
        subject: id(0x51, place),
        asset: Address::ZERO,
        threshold: Wad::new(1),
        listed_at: Time(1),
        account: account(0x41, place),
        form: Form::Ratio,
        rungs: GAUGE_RUNGS,
        trigger: false,
        placed: true,
    }
}

pub(super) fn tranche_accounts() -> [Address; 3] {
    TRANCHES
}

/// The defaults of docs/deploying.md, with proofs alone.
fn deployment() -> Deployment {
    Deployment {
        catalog: Address::with_last_byte(0xd1),
        incidents: Address::with_last_byte(0xd2),
        policies: Address::with_last_byte(0xd3),
        treaties: Address::with_last_byte(0xd4),
        underwriting: Address::with_last_byte(0xd5),
        dwell: 32,
        quorum_window: 60,
        assembly_window: 150,
        guardian_delay: 20,
        heavy_bps: u16::MAX,
        claim_window: 14 * DAY,
        rungs: BTreeMap::from([(RUNG, Rung::Proof)]),
    }
}

/// What of the document this engine does not play.
fn notes(model: &Model, pool: &crate::model::Pool) -> Vec<String> {
    let mut notes = Vec::new();
    if !model.treaties.is_empty() {
        notes.push("treaties are left out: losses are gross of reinsurance".to_owned());
    }
    if pool.terms.reserve.is_some() {
        notes.push("failures of the pool's reserve are left out".to_owned());
    }
    if pool.products.iter().any(|&i| model.portfolio.products[i].annual_limit.is_some()) {
        notes.push("annual limits of products are left out: the contracts have none".to_owned());
    }
    if model.regimes.iter().any(|regime| regime.premium != 1.0) {
        notes.push("what a state of the market does to premium is left out".to_owned());
    }
    notes
}

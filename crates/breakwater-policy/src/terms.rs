//! What is fixed before anything happens: gauges, products and pools, as their listings state them.

use alloy_primitives::{Address, B256};
use breakwater_primitives::{Bps, DAY, Time, WAD, Wad, YEAR};

use crate::refusal::Refusal;

/// How a subject's health is computed; the order is that of the contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Assets over shares.
    Ratio,
    /// Claims fixed in the asset, with a total on chain.
    Par,
    /// Par claims kept holder by holder, without a total.
    Enumerated,
    /// sqrt(reserve0 · reserve1) over supply.
    Geometric,
}

/// Kind of cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The holder's own shares, proven from storage.
    Position,
    /// All users of a protocol, bought by its registrant alone.
    Protocol,
    /// A position in a constant-product pool.
    Liquidity,
    /// Loss by a wrong price feed.
    Oracle,
    /// Loss by a change outside the announced timelock.
    Governance,
    /// Withdrawals that fail after a change of code.
    Upgrade,
    /// A coin below its strike.
    Depeg,
    /// Whatever a curator words.
    Custom,
}

/// What the catalog keeps of a gauge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaugeInfo {
    /// Hash of where the holders' claims are kept.
    pub subject: B256,
    /// What assets are counted in; zero is the chain's coin.
    pub asset: Address,
    /// Smallest loss fraction that is an incident, wad.
    pub threshold: Wad,
    /// When it was listed.
    pub listed_at: Time,
    /// The contract that keeps the holders' claims.
    pub account: Address,
    /// How its health is computed; of a trigger it says nothing.
    pub form: Form,
    /// Bit i: the i-th rung may open incidents on it.
    pub rungs: u8,
    /// A trigger, not a gauge.
    pub trigger: bool,
    /// It names where claims are kept, so that what others pay of them is known.
    pub placed: bool,
}

/// Bits of [`GaugeInfo::rungs`].
const FEED: u8 = 2;
const CANARY: u8 = 4;
const QUORUM: u8 = 8;
/// What a gauge has: what a proof cannot decide, reporters may.
pub const GAUGE_RUNGS: u8 = 1 | QUORUM;

impl GaugeInfo {
    /// Whether what opens the incidents can measure a loss of that kind.
    fn serves(&self, kind: Kind) -> bool {
        let held = matches!(kind, Kind::Position | Kind::Protocol);
        if !self.trigger {
            return held || (kind == Kind::Liquidity && self.form == Form::Geometric);
        }
        match kind {
            Kind::Position | Kind::Protocol => self.rungs == QUORUM,
            Kind::Upgrade => self.rungs & CANARY != 0,
            Kind::Governance => self.rungs & QUORUM != 0,
            Kind::Custom => true,
            Kind::Liquidity | Kind::Oracle | Kind::Depeg => self.rungs & FEED != 0,
        }
    }
}

/// Terms of a cover; a listed product never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The gauge that measures the loss, or the trigger that tells it.
    pub gauge: B256,
    /// Whose loss it is.
    pub kind: Kind,
    /// In which sums, premiums and payouts are counted.
    pub asset: Address,
    /// The only position that can be covered, where it is not zero.
    pub registrant: Address,
    /// Pool units = gauge units · `unit_num` / `unit_den`, rounded down.
    pub unit_num: u128,
    /// See `unit_num`.
    pub unit_den: u128,
    /// Smallest sum, pool units.
    pub min_sum: u128,
    /// Most that a pool pays for one incident on this product, pool units; zero: no limit.
    pub event_limit: u128,
    /// What the holder bears of the loss fraction.
    pub deductible: Bps,
    /// Share of the proven loss that is payable.
    pub loss_cap: Bps,
    /// Of each payment, half to the opener and half to the settler.
    pub bounty: Bps,
    /// May the curator's junior pay before the dwell ends.
    pub instant: bool,
    /// Seconds from purchase to inception.
    pub waiting_period: u64,
    /// Seconds after expiry in which an incident may still be opened; whole days.
    pub report_window: u64,
    /// Seconds from inception to expiry, at least.
    pub min_term: u64,
    /// Seconds from inception to expiry, at most.
    pub max_term: u64,
}

impl Product {
    /// Refuses terms outside the ranges of docs/design.md and docs/ladder.md, "Listing", in that order.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`].
    pub fn check(&self, info: &GaugeInfo) -> Result<(), Refusal> {
        within("kind", u128::from(!info.serves(self.kind)), 0, 0)?;
        // One loss of one position is told by several only where all name the place of its claims.
        let counted = info.placed || matches!(self.kind, Kind::Governance | Kind::Custom);
        within("claims", u128::from(counted), 1, 1)?;
        within("asset", u128::from(!self.asset.is_zero()), 1, 1)?;
        let named = matches!(self.kind, Kind::Protocol | Kind::Governance);
        let agrees = self.kind == Kind::Custom || self.registrant.is_zero() != named;
        within("registrant", u128::from(!agrees), 0, 0)?;
        within("unitNum", self.unit_num, 1, u128::MAX)?;
        within("unitDen", self.unit_den, 1, u128::MAX)?;
        within("minSum", self.min_sum, 1, u128::MAX)?;
        within("deductibleBps", self.deductible.get().into(), 0, 9_999)?;
        let most = match self.kind {
            Kind::Protocol => 9_000,
            Kind::Liquidity => 2_000,
            Kind::Governance => 3_000,
            Kind::Upgrade => 9_500,
            _ => 10_000,
        };
        within("lossCapBps", self.loss_cap.get().into(), 1, most)?;
        within("bountyBps", self.bounty.get().into(), 0, 200)?;
        within("waitingPeriod", self.waiting_period.into(), 1, YEAR.into())?;
        let whole_days = self.report_window.is_multiple_of(DAY);
        within("reportWindow", self.report_window.into(), 0, if whole_days { YEAR.into() } else { 0 })?;
        within("minTerm", self.min_term.into(), 1, YEAR.into())?;
        within("maxTerm", self.max_term.into(), self.min_term.into(), YEAR.into())
    }
}

/// What is fixed when a pool is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// The one asset.
    pub asset: Address,
    /// Sets caps and bears the instant lane.
    pub curator: Address,
    /// Seconds of a deposit and redemption epoch.
    pub epoch: u64,
    /// Least seconds from a redemption request to its maturity.
    pub cooldown: u64,
    /// Exposure may reach capital times this.
    pub leverage: Bps,
    /// Value of the curator's lock as a share of the sum of caps.
    pub curator_share: Bps,
    /// Junior and mezzanine as a share of capital that exits must leave.
    pub subordination: Bps,
    /// Of earned premium, to surplus.
    pub surplus: Bps,
    /// Of what is left of earned premium, to junior, mezzanine and senior per unit of their layers.
    pub weights: [Bps; 3],
    /// Wad a year on the capital behind one unit of exposure.
    pub cost_of_capital: Wad,
    /// Target utilisation.
    pub kink: Wad,
    /// Multiplier at the kink.
    pub scarcity_kink: Wad,
    /// Multiplier at full utilisation.
    pub scarcity_full: Wad,
    /// Surge per reserved over capital.
    pub surge_slope: Wad,
    /// Most surge.
    pub surge_max: Wad,
    /// Seconds in which surge halves.
    pub surge_half_life: u64,
    /// Of everything earned, to the curator.
    pub curator_fee: Bps,
    /// Whether certificates and posted rates bind it.
    pub certified: bool,
}

impl PoolConfig {
    /// Refuses a configuration outside the ranges of docs/design.md, "Config", in that order.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`].
    pub fn check(&self) -> Result<(), Refusal> {
        let wad = u128::from(WAD);
        within("asset", u128::from(!self.asset.is_zero()), 1, 1)?;
        within("curator", u128::from(!self.curator.is_zero()), 1, 1)?;
        within("epoch", self.epoch.into(), DAY.into(), (90 * DAY).into())?;
        within("cooldown", self.cooldown.into(), self.epoch.into(), (90 * DAY).into())?;
        within("leverageBps", self.leverage.get().into(), 10_000, 100_000)?;
        within("curatorShareBps", self.curator_share.get().into(), 100, 10_000)?;
        within("subordinationBps", self.subordination.get().into(), 0, 7_000)?;
        within("surplusBps", self.surplus.get().into(), 0, 5_000)?;
        for weight in self.weights {
            within("weightBps", weight.get().into(), 500, 10_000)?;
        }
        let weights: u32 = self.weights.iter().map(|weight| weight.get()).sum();
        within("weightBps", weights.into(), 10_000, 10_000)?;
        within("costOfCapital", self.cost_of_capital.get().into(), wad / 1_000, wad)?;
        within("kink", self.kink.get().into(), wad / 100, wad / 100 * 99)?;
        within("scarcityKink", self.scarcity_kink.get().into(), wad, u64::MAX.into())?;
        let least = self.scarcity_kink.get();
        within("scarcityFull", self.scarcity_full.get().into(), least.into(), u64::MAX.into())?;
        within("surgeHalfLife", self.surge_half_life.into(), (DAY / 24).into(), (90 * DAY).into())?;
        within("curatorFeeBps", self.curator_fee.get().into(), 0, 2_000)
    }
}

fn within(field: &'static str, got: u128, least: u128, most: u128) -> Result<(), Refusal> {
    if got < least || got > most {
        return Err(Refusal::OutOfRange { field, got });
    }
    Ok(())
}

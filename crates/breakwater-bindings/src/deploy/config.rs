//! What a deployment is made from. Its JSON form is written by hand and kept with the addresses.

use std::ops::RangeInclusive;

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::contracts::Factory;
use crate::decimal;

mod disputes;

pub use disputes::DisputesConfig;

/// Everything that the addresses of a deployment follow from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The chain.
    #[serde(with = "decimal")]
    pub chain_id: u64,
    /// Sends the transactions; holds the admin role until it hands it to the timelock.
    pub deployer: Address,
    /// Another salt gives another set of addresses.
    pub salt: B256,
    /// Who may change roles, and how long a change waits.
    pub timelock: TimelockConfig,
    /// Holders of votes, to whom the timelock then belongs; none: it belongs to its proposers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub council: Option<CouncilConfig>,
    /// May list gauges.
    pub lister: Address,
    /// May send a payout that is great for some pool to the assembly, once; the zero address: nobody.
    pub guardian: Address,
    /// Blocks that counter-evidence to proofs, feeds and canaries has, at least 1.
    #[serde(with = "decimal")]
    pub dwell_blocks: u64,
    /// Blocks in which a report of the quorum may be challenged, at least 1.
    #[serde(with = "decimal")]
    pub quorum_window_blocks: u64,
    /// Blocks of a dispute, at least 1: undecided then, what was asserted stands.
    #[serde(with = "decimal")]
    pub assembly_window_blocks: u64,
    /// Blocks that a great payout waits for the guardian, at least 1.
    #[serde(with = "decimal")]
    pub guardian_delay_blocks: u64,
    /// Of a pool's capital at opening: above it a payout is great; 65,535: none is.
    #[serde(with = "decimal")]
    pub heavy_bps: u16,
    /// Seconds after the dwell in which policies are settled, at least 1.
    #[serde(with = "decimal")]
    pub claim_window_s: u32,
    /// Most that may be open on a rung before it goes to the assembly; what is not named has no room at all.
    #[serde(default)]
    pub ceilings: Vec<Ceiling>,
    /// Who decides where no proof does; none: only proofs do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disputes: Option<DisputesConfig>,
    /// Pools that the factory makes.
    #[serde(default)]
    pub pools: Vec<PoolConfig>,
}

/// OpenZeppelin's timelock. With a council it has no proposers but the council, and anyone executes: both lists
/// are empty then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimelockConfig {
    /// Seconds between proposal and execution.
    #[serde(with = "decimal")]
    pub min_delay_s: u64,
    /// May propose and cancel.
    pub proposers: Vec<Address>,
    /// May execute; the zero address: anyone.
    pub executors: Vec<Address>,
}

/// The council's first terms; see "Governance" in docs/design.md for their bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CouncilConfig {
    /// Gets all votes that there will ever be.
    pub holder: Address,
    /// May cancel what waits, the same calls once; the zero address: nobody.
    pub guardian: Address,
    /// May add and remove identities.
    pub identity_registrar: Address,
    /// Seconds from proposal to vote.
    #[serde(with = "decimal")]
    pub voting_delay_s: u32,
    /// Seconds of a vote.
    #[serde(with = "decimal")]
    pub voting_period_s: u32,
    /// Seconds of a vote that stay at least once the quorum is reached.
    #[serde(with = "decimal")]
    pub extension_s: u32,
    /// Votes that a proposer needs, 18 decimals.
    #[serde(with = "decimal")]
    pub threshold: u128,
    /// Of the supply.
    #[serde(with = "decimal")]
    pub quorum_percent: u8,
}

/// Most that may be open on one rung in payouts of one asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ceiling {
    /// 1 feed, 2 canary, 3 quorum.
    #[serde(with = "decimal")]
    pub rung: u8,
    /// The pools' asset.
    pub asset: Address,
    /// Pool units.
    #[serde(with = "decimal")]
    pub most: u128,
}

/// One pool. bps of 10,000; wad = 1e18; times in seconds. See `PoolConfig` in `IPool.sol`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PoolConfig {
    /// Tells pools of the same terms apart; part of the pool's address, not of its state.
    pub name: String,
    /// What sums, premiums and payouts are counted in; has code on the chain.
    pub asset: Address,
    /// Sets caps and floor rates.
    pub curator: Address,
    /// Length of a deposit and redemption epoch, 1 to 90 days.
    #[serde(with = "decimal")]
    pub epoch: u32,
    /// Least time from a redemption request to its maturity, an epoch to 90 days.
    #[serde(with = "decimal")]
    pub cooldown: u32,
    /// Exposure may reach capital * leverage / 10,000; 10,000 to 100,000.
    #[serde(with = "decimal")]
    pub leverage_bps: u32,
    /// Locked curator junior as a share of the sum of caps, 100 to 10,000.
    #[serde(with = "decimal")]
    pub curator_share_bps: u16,
    /// Junior and mezzanine as a share of capital that exits must leave, at most 7,000.
    #[serde(with = "decimal")]
    pub subordination_bps: u16,
    /// Of earned premium, at most 5,000.
    #[serde(with = "decimal")]
    pub surplus_bps: u16,
    /// Of earned premium after surplus, to junior, mezzanine, senior; at least 500 each, sum 10,000.
    pub weight_bps: [u16; 3],
    /// Wad a year on the capital behind one unit of exposure, 1e15 to 1e18.
    #[serde(with = "decimal")]
    pub cost_of_capital: u64,
    /// Target utilisation, wad, 1e16 to 99e16.
    #[serde(with = "decimal")]
    pub kink: u64,
    /// Multiplier at the kink, wad, at least 1e18.
    #[serde(with = "decimal")]
    pub scarcity_kink: u64,
    /// Multiplier at full utilisation, wad, at least that at the kink.
    #[serde(with = "decimal")]
    pub scarcity_full: u64,
    /// Wad of surge per wad of reserve over capital.
    #[serde(with = "decimal")]
    pub surge_slope: u64,
    /// Wad.
    #[serde(with = "decimal")]
    pub surge_max: u64,
    /// Seconds, 1 hour to 90 days.
    #[serde(with = "decimal")]
    pub surge_half_life: u32,
    /// Bound by certificates and rates of the deployment's `Underwriting`; else its curator alone sets limits.
    #[serde(default)]
    pub certified: bool,
    /// Asked who may buy and deposit; zero: anyone.
    #[serde(default)]
    pub gate: Address,
    /// The curator's part of earned premium, at most 2,000.
    #[serde(default, with = "decimal")]
    pub curator_fee_bps: u16,
}

/// Why a configuration is refused before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An account that must not be zero is.
    #[error("{0} must not be the zero address")]
    ZeroAddress(String),
    /// A number out of its range.
    #[error("{field} must be {range}, got {got}")]
    Range {
        /// The field.
        field: String,
        /// Its range in words.
        range: &'static str,
        /// What it is.
        got: u128,
    },
    /// Nobody could ever change a role again.
    #[error("the timelock has no {0}")]
    NobodyAtTimelock(&'static str),
    /// A council leaves no room for others at its timelock.
    #[error("the timelock is the council's, so it takes no {0} of the configuration")]
    TimelockIsTheCouncils(&'static str),
    /// Two pools of one name.
    #[error("two pools are named {0:?}")]
    PoolTwice(String),
}

const WAD: u64 = 1_000_000_000_000_000_000;
const DAY: u128 = 86_400;
/// A hundredth of all votes.
const MOST_THRESHOLD: u128 = 1_000_000 * WAD as u128;

impl Config {
    /// Checks what the constructors would refuse, and what would leave nobody in charge.
    ///
    /// # Errors
    /// The first [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        for (name, address) in [("deployer", self.deployer), ("lister", self.lister)] {
            not_zero(name, address)?;
        }
        match &self.council {
            Some(council) => council.check(&self.timelock)?,
            None => self.timelock.check()?,
        }
        for (name, value) in [
            ("dwellBlocks", self.dwell_blocks),
            ("claimWindowS", self.claim_window_s.into()),
            ("quorumWindowBlocks", self.quorum_window_blocks),
            ("assemblyWindowBlocks", self.assembly_window_blocks),
            ("guardianDelayBlocks", self.guardian_delay_blocks),
        ] {
            range(name, "at least 1", value.into(), value > 0)?;
        }
        for ceiling in &self.ceilings {
            not_zero("ceilings.asset", ceiling.asset)?;
            let known = (1..=3).contains(&ceiling.rung);
            range("ceilings.rung", "1 to 3", ceiling.rung.into(), known)?;
        }
        if let Some(disputes) = &self.disputes {
            disputes.check(self)?;
        }
        for (index, pool) in self.pools.iter().enumerate() {
            if self.pools[..index].iter().any(|other| other.name == pool.name) {
                return Err(ConfigError::PoolTwice(pool.name.clone()));
            }
            pool.check()?;
        }
        Ok(())
    }
}

impl TimelockConfig {
    fn check(&self) -> Result<(), ConfigError> {
        // Anyone may execute, but nobody in particular can propose as the zero address.
        self.proposers.iter().try_for_each(|proposer| not_zero("timelock.proposers", *proposer))?;
        if self.proposers.is_empty() {
            return Err(ConfigError::NobodyAtTimelock("proposers"));
        }
        if self.executors.is_empty() {
            return Err(ConfigError::NobodyAtTimelock("executors"));
        }
        Ok(())
    }
}

impl CouncilConfig {
    /// The bounds that the contracts have as well.
    fn check(&self, timelock: &TimelockConfig) -> Result<(), ConfigError> {
        if !timelock.proposers.is_empty() {
            return Err(ConfigError::TimelockIsTheCouncils("proposers"));
        }
        if !timelock.executors.is_empty() {
            return Err(ConfigError::TimelockIsTheCouncils("executors"));
        }
        not_zero("council.holder", self.holder)?;
        not_zero("council.identityRegistrar", self.identity_registrar)?;
        let within = |field: &str, words: &'static str, bounds: RangeInclusive<u128>, got: u128| {
            range(&format!("council.{field}"), words, got, bounds.contains(&got))
        };
        within("votingDelayS", "1 to 14 days", DAY..=14 * DAY, self.voting_delay_s.into())?;
        within("votingPeriodS", "2 to 30 days", 2 * DAY..=30 * DAY, self.voting_period_s.into())?;
        let period = self.voting_period_s.into();
        within("extensionS", "at most votingPeriodS", 0..=period, self.extension_s.into())?;
        within("threshold", "1 to 1,000,000 votes", 1..=MOST_THRESHOLD, self.threshold)?;
        within("quorumPercent", "2 to 30", 2..=30, self.quorum_percent.into())?;
        let delay = timelock.min_delay_s;
        range("timelock.minDelayS", "at most 30 days", delay.into(), u128::from(delay) <= 30 * DAY)
    }
}

impl PoolConfig {
    fn check(&self) -> Result<(), ConfigError> {
        not_zero(&format!("{}.asset", self.name), self.asset)?;
        not_zero(&format!("{}.curator", self.name), self.curator)?;
        let within = |name: &str, words: &'static str, bounds: RangeInclusive<u128>, got: u128| {
            range(&format!("{}.{name}", self.name), words, got, bounds.contains(&got))
        };
        within("epoch", "1 to 90 days", DAY..=90 * DAY, self.epoch.into())?;
        within("cooldown", "an epoch to 90 days", self.epoch.into()..=90 * DAY, self.cooldown.into())?;
        within("leverageBps", "10000 to 100000", 10_000..=100_000, self.leverage_bps.into())?;
        within("curatorShareBps", "100 to 10000", 100..=10_000, self.curator_share_bps.into())?;
        within("subordinationBps", "at most 7000", 0..=7_000, self.subordination_bps.into())?;
        within("surplusBps", "at most 5000", 0..=5_000, self.surplus_bps.into())?;
        for weight in self.weight_bps {
            within("weightBps", "at least 500 each", 500..=10_000, weight.into())?;
        }
        let weights = self.weight_bps.iter().copied().map(u128::from).sum();
        within("weightBps", "10000 in sum", 10_000..=10_000, weights)?;
        let wad = u128::from(WAD);
        within("costOfCapital", "1e15 to 1e18", wad / 1_000..=wad, self.cost_of_capital.into())?;
        within("kink", "1e16 to 99e16", wad / 100..=wad / 100 * 99, self.kink.into())?;
        let most = u64::MAX.into();
        within("scarcityKink", "at least 1e18", wad..=most, self.scarcity_kink.into())?;
        let least = self.scarcity_kink.into();
        within("scarcityFull", "at least scarcityKink", least..=most, self.scarcity_full.into())?;
        within("surgeHalfLife", "1 hour to 90 days", DAY / 24..=90 * DAY, self.surge_half_life.into())?;
        within("curatorFeeBps", "at most 2000", 0..=2_000, self.curator_fee_bps.into())
    }

    /// As the factory takes it; a certified pool is bound by `underwriting`.
    pub fn to_sol(&self, underwriting: Address) -> Factory::PoolConfig {
        let config = self;
        Factory::PoolConfig {
            asset: config.asset,
            curator: config.curator,
            epoch: config.epoch,
            cooldown: config.cooldown,
            leverageBps: config.leverage_bps,
            curatorShareBps: config.curator_share_bps,
            subordinationBps: config.subordination_bps,
            surplusBps: config.surplus_bps,
            weightBps: config.weight_bps,
            costOfCapital: config.cost_of_capital,
            kink: config.kink,
            scarcityKink: config.scarcity_kink,
            scarcityFull: config.scarcity_full,
            surgeSlope: config.surge_slope,
            surgeMax: config.surge_max,
            surgeHalfLife: config.surge_half_life,
            underwriting: if config.certified { underwriting } else { Address::ZERO },
            gate: config.gate,
            curatorFeeBps: config.curator_fee_bps,
        }
    }
}

fn not_zero(name: &str, address: Address) -> Result<(), ConfigError> {
    if address.is_zero() { Err(ConfigError::ZeroAddress(name.to_owned())) } else { Ok(()) }
}

fn range(field: &str, range: &'static str, got: u128, holds: bool) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Range { field: field.to_owned(), range, got }) }
}

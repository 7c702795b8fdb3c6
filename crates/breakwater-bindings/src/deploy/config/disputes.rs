//! Reporters, quorum rung and assembly; docs/ladder.md says what the numbers do.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, not_zero, range};
use crate::decimal;

/// Seconds; no chain that this is deployed on makes its blocks more slowly.
const MAX_BLOCK_TIME: u128 = 15;
const HOUR: u128 = 3_600;
const DAY: u128 = 86_400;
const BPS: u128 = 10_000;

/// Who decides where no proof does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DisputesConfig {
    /// What reporters and challengers bond.
    pub bond_asset: Address,
    /// Where slashed bonds and stakes go; nothing comes back from it.
    pub sink: Address,
    /// How many reporters must sign, 1 to 32.
    #[serde(with = "decimal")]
    pub quorum: u8,
    /// Least bond of a reporter, units of the bond asset, at least 1.
    #[serde(with = "decimal")]
    pub min_bond: u128,
    /// Seconds for which a bond can still be slashed after its owner asked for it.
    #[serde(with = "decimal")]
    pub unbond_delay_s: u32,
    /// Part of a slashed bond that goes to whoever proved it, at most 5,000.
    #[serde(with = "decimal")]
    pub prover_bps: u16,
    /// Held from each signer of a report, 1 to `min_bond`.
    #[serde(with = "decimal")]
    pub report_bond: u128,
    /// What the first challenge of an incident costs, at least 1.
    #[serde(with = "decimal")]
    pub challenge_bond: u128,
    /// What the assembly's voters stake.
    pub stake_token: Address,
    /// Seconds of a round's first phase, an hour to 14 days.
    #[serde(with = "decimal")]
    pub commit_time_s: u32,
    /// Seconds of its second phase, an hour to 14 days.
    #[serde(with = "decimal")]
    pub reveal_time_s: u32,
    /// Seconds from asking for stake to getting it: both rounds of a case to 180 days.
    #[serde(with = "decimal")]
    pub unstake_delay_s: u32,
    /// Of the eligible stake that must be revealed, 1 to 10,000.
    #[serde(with = "decimal")]
    pub stake_quorum_bps: u16,
    /// Of a vote's weight that a missing reveal costs, 1 to 10,000.
    #[serde(with = "decimal")]
    pub slash_bps: u16,
}

impl DisputesConfig {
    /// The bounds that the contracts have as well.
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let accounts =
            [("bondAsset", self.bond_asset), ("sink", self.sink), ("stakeToken", self.stake_token)];
        for (name, account) in accounts {
            not_zero(&format!("disputes.{name}"), account)?;
        }
        let within = |field: &str, words: &'static str, least: u128, most: u128, got: u128| {
            range(&format!("disputes.{field}"), words, got, (least..=most).contains(&got))
        };
        within("quorum", "1 to 32", 1, 32, self.quorum.into())?;
        within("minBond", "at least 1", 1, u128::MAX, self.min_bond)?;
        within("proverBps", "at most 5000", 0, 5_000, self.prover_bps.into())?;
        within("reportBond", "1 to minBond", 1, self.min_bond, self.report_bond)?;
        within("challengeBond", "at least 1", 1, u128::MAX, self.challenge_bond)?;
        let blocks = u128::from(config.quorum_window_blocks) + u128::from(config.assembly_window_blocks);
        let judged = u128::from(config.claim_window_s) + blocks * MAX_BLOCK_TIME;
        let words = "a day, and the claim window and both windows at 15 s a block, at least";
        within("unbondDelayS", words, judged.max(DAY), u128::MAX, self.unbond_delay_s.into())?;
        let words = "an hour to 14 days";
        within("commitTimeS", words, HOUR, 14 * DAY, self.commit_time_s.into())?;
        within("revealTimeS", words, HOUR, 14 * DAY, self.reveal_time_s.into())?;
        let rounds = 2 * (u128::from(self.commit_time_s) + u128::from(self.reveal_time_s));
        let words = "both rounds to 180 days";
        within("unstakeDelayS", words, rounds, 180 * DAY, self.unstake_delay_s.into())?;
        within("stakeQuorumBps", "1 to 10000", 1, BPS, self.stake_quorum_bps.into())?;
        within("slashBps", "1 to 10000", 1, BPS, self.slash_bps.into())
    }
}

//! What decides where no proof does: the reporters' registry, the quorum rung and the assembly; and the breaker, which
//! the same reporters trip.

use alloy::primitives::{Address, U256};
use alloy::sol_types::{SolConstructor, SolValue};
use serde::{Deserialize, Serialize};

use super::{Deployment, PlanError, Steps, answer};
use crate::contracts::{Assembly, Breaker, QuorumRung, Reporters};

/// `Rung.Quorum`.
const QUORUM_RUNG: u8 = 3;
/// `Rung.Assembly`.
const ASSEMBLY: u8 = 4;

/// Where the contracts of disputes stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disputes {
    /// `Reporters`.
    pub reporters: Address,
    /// `QuorumRung`.
    pub quorum_rung: Address,
    /// `Assembly`.
    pub assembly: Address,
    /// `Breaker`.
    pub breaker: Address,
    /// The `Assembly` that judges trips; the breaker made it.
    pub judges: Address,
}

impl Disputes {
    /// Each contract with its artifact's name.
    pub(crate) fn codes(&self) -> [(&'static str, Address); 5] {
        [
            ("Reporters", self.reporters),
            ("QuorumRung", self.quorum_rung),
            ("Assembly", self.assembly),
            ("Breaker", self.breaker),
            ("Assembly", self.judges),
        ]
    }

    /// The contracts that hold and slash bonds, as the registry is wired to them.
    pub(crate) fn users(&self) -> Vec<Address> {
        vec![self.quorum_rung, self.breaker]
    }

    /// The rungs to wire to the incidents.
    pub(super) fn rungs(&self) -> [(Address, u8); 2] {
        [(self.quorum_rung, QUORUM_RUNG), (self.assembly, ASSEMBLY)]
    }
}

impl Steps<'_> {
    /// Creates them and wires the registry to those who use it; who reports is the admin's to say later.
    pub(super) fn disputes(&mut self, to: &mut Deployment) -> Result<(), PlanError> {
        let Some(config) = &self.config.disputes else { return Ok(()) };
        let reporters = Reporters::constructorCall {
            authority: to.access_manager,
            asset_: config.bond_asset,
            sink_: config.sink,
            minBond_: config.min_bond,
            unbondDelay_: config.unbond_delay_s,
            proverBps_: config.prover_bps,
            quorum_: U256::from(config.quorum),
        };
        let reporters = self.create("Reporters", &reporters.abi_encode())?;
        let rung = QuorumRung::constructorCall {
            incidents_: to.incidents,
            reporters_: reporters,
            proofRung_: to.proof_rung,
            reportBond_: config.report_bond,
            challengeBond_: config.challenge_bond,
        };
        let quorum_rung = self.create("QuorumRung", &rung.abi_encode())?;
        let terms = Assembly::AssemblyConfig {
            token: config.stake_token,
            sink: config.sink,
            commitTime: config.commit_time_s,
            revealTime: config.reveal_time_s,
            unstakeDelay: config.unstake_delay_s,
            quorumBps: config.stake_quorum_bps,
            slashBps: config.slash_bps,
        };
        let assembly = Assembly::constructorCall { incidents_: to.incidents, c: terms.clone() };
        let assembly = self.create("Assembly", &assembly.abi_encode())?;
        let breaker = Breaker::constructorCall {
            reporters_: reporters,
            challengeBond_: config.challenge_bond,
            // The same fields under the type of the other contract.
            config: Breaker::AssemblyConfig {
                token: terms.token,
                sink: terms.sink,
                commitTime: terms.commitTime,
                revealTime: terms.revealTime,
                unstakeDelay: terms.unstakeDelay,
                quorumBps: terms.quorumBps,
                slashBps: terms.slashBps,
            },
        };
        let breaker = self.create("Breaker", &breaker.abi_encode())?;
        // The first contract that it makes, in its constructor.
        let made = Disputes { reporters, quorum_rung, assembly, breaker, judges: breaker.create(1) };
        let wire = Reporters::wireCall { users: made.users() };
        let done = answer(reporters, &Reporters::isUserCall { account: breaker }, true.abi_encode());
        self.call("wire the reporters to the quorum rung and the breaker", reporters, &wire, done);
        to.disputes = Some(made);
        Ok(())
    }
}

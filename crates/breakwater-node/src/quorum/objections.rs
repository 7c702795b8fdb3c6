//! What others posted, measured again: an alert where it says too much, and an objection by whoever is told to object.

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::{SolCall, SolValue};
use breakwater_bindings::contracts::{ProofRung, QuorumRung, Reporters};
use breakwater_bindings::gauges;
use breakwater_chain::Head;
use breakwater_prove::block::BlockProof;
use breakwater_prove::evidence::{CALLDATA_BYTES_MAX, Delivery};
use breakwater_prove::gauge::{Form, GaugeSpec};

use super::measure::{Measured, TOLERANCE};
use super::{Desk, ReporterParts, ask};
use crate::error::NodeError;
use crate::execute::BYTE_GAS;
use crate::keeper::Keeper;
use crate::known::{KnownIncident, Standing};
use crate::plan::{Errand, Plan};
use crate::report::{Seen, TickReport};

/// Gas of measuring a report's blocks again, beyond the calldata's.
const CONTRADICT_GAS: u64 = 4_000_000;
/// Gas of a challenge and of the allowance before it.
const CHALLENGE_GAS: u64 = 1_000_000;
/// The part of a report's figure by which a challenge must be below the last one.
const STEP: u128 = 16;
alloy::sol! {
    interface Erc20 {
        function approve(address spender, uint256 amount) external returns (bool);
    }
}

impl Keeper {
    /// Compares posted reports with the node's own reading, alerts, and challenges if it is told to.
    pub(super) async fn check_posted(
        &mut self,
        desk: &mut Desk,
        reporter: &ReporterParts,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        let dwells =
            |incident: &KnownIncident| incident.by_quorum() && incident.standing == Standing::Dwelling;
        let open: Vec<(U256, KnownIncident)> = self
            .known
            .incidents
            .iter()
            .filter(|(_, incident)| dwells(incident))
            .map(|(id, incident)| (*id, incident.clone()))
            .collect();
        for (id, incident) in open {
            let live = &incident.live;
            if !desk.first(format!("checked {id} {live:?}")) {
                continue;
            }
            let measured = match self.measure(incident.gauge, live.onset, live.reading, head).await {
                Ok(Ok(measured)) => measured,
                Ok(Err(why)) => {
                    let why = format!("incident {id} cannot be measured: {why}");
                    report.seen.push(Seen::Withheld { gauge: incident.gauge, why });
                    continue;
                }
                Err(error) => {
                    desk.told.remove(&format!("checked {id} {live:?}"));
                    tracing::warn!(incident = %id, %error, "report not checked");
                    continue;
                }
            };
            let (reported, found) = (live.loss, measured.loss.loss);
            // More than a hundredth of the base too much, as the rung has it.
            if reported.saturating_sub(found) <= measured.loss.base / TOLERANCE {
                continue;
            }
            report.seen.push(Seen::Overstated { id, reported, found });
            if reporter.challenge
                && !desk.refused(incident.gauge)
                && let Err(error) = self.object(desk, id, &incident, &measured, head).await
            {
                desk.told.remove(&format!("checked {id} {live:?}"));
                tracing::warn!(incident = %id, %error, "not objected yet");
            }
        }
        Ok(())
    }

    /// By evidence where the chain itself can decide, else with a bond.
    async fn object(
        &mut self,
        desk: &Desk,
        id: U256,
        incident: &KnownIncident,
        measured: &Measured,
        head: &Head,
    ) -> Result<(), NodeError> {
        match self.contradiction(desk, id, incident, head).await? {
            Some(plan) => self.carry(&[plan], head).await,
            None => self.challenge(desk, id, measured, head).await,
        }
    }

    /// The report's own blocks for the chain to measure, where every pin held in them: that decides at once, and
    /// takes no bond. None where the chain would not say that the report is wrong.
    async fn contradiction(
        &mut self,
        desk: &Desk,
        id: U256,
        incident: &KnownIncident,
        head: &Head,
    ) -> Result<Option<Plan>, NodeError> {
        let (onset, reading) = (incident.live.onset, incident.live.reading);
        let mut numbers = vec![onset, onset + 1];
        numbers.extend((reading > onset + 1).then_some(reading));
        let enumerated = |spec: &GaugeSpec| matches!(spec.form, Form::Enumerated);
        if self.known.gauges.get(&incident.gauge).is_none_or(enumerated) {
            return Ok(None);
        }
        let (spec, proofs) = self.proofs(incident.gauge, &numbers, &[], head).await?;
        let blocks: Vec<&BlockProof> = proofs.iter().collect();
        let Ok(Delivery::Direct(evidence)) = Delivery::plan(&spec, &[], &[], &blocks, CALLDATA_BYTES_MAX)
        else {
            return Ok(None);
        };
        let spec = gauges::GaugeSpec::from(&spec);
        let call = QuorumRung::contradictCall {
            id,
            spec: same(&spec)?,
            evidence: same(&ProofRung::Evidence::from(evidence))?,
        };
        let (data, gas) =
            (Bytes::from(call.abi_encode()), CONTRADICT_GAS + BYTE_GAS * call.abi_encoded_size() as u64);
        let errand = Errand { to: desk.at.rung, data, gas };
        // Pins that changed, or figures that are not off by enough, are a revert.
        let runs = self.would_run(&errand, head).await?;
        let posted = ask(&self.endpoints, head, desk.at.rung, &QuorumRung::postedCall { id }).await?;
        let topic = format!("contradict:{id}:{}", posted.digest);
        Ok(runs.then_some(Plan::Carry { topic, calls: vec![errand] }))
    }

    async fn challenge(
        &self,
        desk: &Desk,
        id: U256,
        measured: &Measured,
        head: &Head,
    ) -> Result<(), NodeError> {
        let rung = desk.at.rung;
        let posted = ask(&self.endpoints, head, rung, &QuorumRung::postedCall { id }).await?;
        let bond = ask(&self.endpoints, head, rung, &QuorumRung::nextBondCall { id }).await?;
        let asset = Reporters::assetCall {};
        let asset = ask(&self.endpoints, head, desk.at.reporters, &asset).await?;
        let loss = measured.loss.loss;
        let most = posted.lowest.saturating_sub(posted.loss.div_ceil(STEP));
        if loss > most && loss != 0 || posted.lowest <= loss {
            tracing::warn!(incident = %id, most, loss, "too near to the report, or challenged lower already");
            return Ok(());
        }
        let allow = Erc20::approveCall { spender: rung, amount: U256::from(bond) }.abi_encode();
        let say = QuorumRung::challengeCall { id, loss }.abi_encode();
        let errand = |to: Address, data: Vec<u8>| Errand { to, data: data.into(), gas: CHALLENGE_GAS };
        let calls = vec![errand(asset, allow), errand(rung, say)];
        let plan = Plan::Carry { topic: format!("challenge:{id}:{}", posted.digest), calls };
        self.carry(&[plan], head).await
    }
}

/// The same words under another contract's name for them.
fn same<A: SolValue, B: SolValue + From<<B::SolType as alloy::sol_types::SolType>::RustType>>(
    words: &A,
) -> Result<B, NodeError> {
    B::abi_decode(&words.abi_encode())
        .map_err(|error| NodeError::Evidence { what: "an objection".into(), reason: error.to_string() })
}

//! Three bonded reporters, and what they sign by hand where no rule of their nodes applies.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::signers::SignerSync;
use alloy::sol_types::{SolCall, SolStruct, SolValue};
use breakwater_bindings::contracts::{QuorumRung, Reporters};
use breakwater_bindings::eip712::{self, LossReport};

use crate::demo::stage::{Stage, units};
use crate::local::{Actor, Call, LocalError};
use crate::trouble::Trouble;

/// What each of them bonds, dUSD.
const BOND: u64 = 20_000;
/// Seconds in which a report may be posted.
const VALID: u64 = 7 * 86_400;

/// Three accounts, ascending, as a set of signers is.
pub(super) fn three() -> Vec<Actor> {
    let mut reporters: Vec<Actor> =
        ["reporter one", "reporter two", "reporter three"].into_iter().map(Actor::new).collect();
    reporters.sort_by_key(Actor::address);
    reporters
}

/// Where the rung and the registry are.
pub(super) fn contracts(stage: &Stage) -> Result<(Address, Address), Trouble> {
    let disputes = stage.market.deployment.disputes.as_ref();
    let disputes = disputes.ok_or_else(|| LocalError::Missing { what: "the quorum rung".to_owned() })?;
    Ok((disputes.quorum_rung, disputes.reporters))
}

/// Each of them bonds, and the timelock admits them.
pub(super) async fn admit(stage: &mut Stage, reporters: &[Actor]) -> Result<(), Trouble> {
    let ((_, registry), asset) = (contracts(stage)?, stage.market.asset);
    let amount = units(BOND);
    for reporter in reporters {
        stage.hold(reporter, (asset, U256::from(amount)), registry).await?;
        let bond = Reporters::bondCall { amount };
        stage.local.run(reporter, Call::to("bonding", registry, &bond)).await?;
    }
    let admit = |reporter: &Actor| Reporters::admitCall { reporter: reporter.address() }.abi_encode();
    let calls: Vec<Vec<u8>> = reporters.iter().map(admit).collect();
    stage.market.govern(&mut stage.local, registry, &calls).await?;
    stage.timeline.call(registry, "the reporters' bonds");
    Ok(())
}

/// What was lost between two blocks, for a report.
pub(super) struct Figures {
    /// The gauge or trigger.
    pub(super) gauge: B256,
    /// The last healthy block, and the one that sizes the loss.
    pub(super) blocks: [u64; 2],
    /// What the loss is a part of, and the loss, units of the trigger.
    pub(super) base: u128,
    pub(super) loss: u128,
    /// Hash of an evidence/1 document.
    pub(super) evidence: B256,
}

/// The report that follows from the figures; honest reporters make the same.
pub(super) async fn report(stage: &Stage, figures: &Figures) -> Result<LossReport, Trouble> {
    let (rung, registry) = contracts(stage)?;
    let signer_set = stage.local.view(registry, &Reporters::signerSetCall {}).await?;
    let last = QuorumRung::lastNonceCall {
        typeHash: LossReport::default().eip712_type_hash(),
        signerSet: signer_set,
    };
    let nonce = stage.local.view(rung, &last).await? + U256::ONE;
    let mut times = Vec::new();
    for number in [figures.blocks[0], figures.blocks[0] + 1, figures.blocks[1]] {
        times.push(stage.local.endpoints().head_at(number, None).await?.timestamp());
    }
    Ok(LossReport {
        gauge: figures.gauge,
        incident: U256::ZERO,
        onset: figures.blocks[0],
        reading: figures.blocks[1],
        onsetTime: times[0],
        afterTime: times[1],
        base: figures.base,
        loss: figures.loss,
        evidence: figures.evidence,
        signerSet: signer_set,
        nonce,
        validFrom: times[2],
        validUntil: times[2] + VALID,
    })
}

/// Signs a report as one of them.
pub(super) fn sign(stage: &Stage, reporter: &Actor, report: &LossReport) -> Result<Bytes, Trouble> {
    let digest = eip712::digest(report, stage.local.chain_id(), contracts(stage)?.0);
    let signature = reporter.key.sign_hash_sync(&digest);
    let signature = signature.map_err(|error| LocalError::Signing {
        what: format!("the report of {}", reporter.name),
        reason: error.to_string(),
    })?;
    Ok(Bytes::copy_from_slice(&signature.as_bytes()))
}

/// The call that hands a report with all signatures to the chain.
pub(super) fn post(
    report: &LossReport,
    signed: &[(Address, Bytes)],
) -> Result<QuorumRung::postCall, LocalError> {
    let same = QuorumRung::LossReport::abi_decode(&report.abi_encode());
    let report =
        same.map_err(|error| LocalError::Missing { what: format!("one report for both sides: {error}") })?;
    let (signers, signatures) = signed.iter().cloned().unzip();
    Ok(QuorumRung::postCall { report, signers, signatures })
}

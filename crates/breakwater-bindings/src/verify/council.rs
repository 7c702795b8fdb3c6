//! The council: that its parts know each other, and what its terms and its guardian are now.

use alloy::primitives::{Address, U256, aliases::U48};

use super::{Check, Finding, Verdict, VerifyError};
use crate::contracts::{Council, Identities, Signal};
use crate::deploy::{Chain, CouncilConfig, Governance};

/// All that there is to check of a deployment with a council.
pub(super) async fn check<C: Chain>(check: &mut Check<'_, C>) -> Result<(), VerifyError<C::Error>> {
    let to = check.deployment;
    let (Some(parts), Some(config)) = (&to.governance, &to.config.council) else { return Ok(()) };
    for (name, at) in codes(parts) {
        check.code(name, at).await?;
    }
    wiring(check, parts).await?;
    guardian(check, parts, config).await?;
    terms(check, parts, config).await
}

/// What stands beside the timelock.
pub(super) fn codes(parts: &Governance) -> [(&'static str, Address); 4] {
    [
        ("BreakwaterToken", parts.token),
        ("Council", parts.council),
        ("Identities", parts.identities),
        ("Signal", parts.signal),
    ]
}

async fn wiring<C: Chain>(check: &mut Check<'_, C>, parts: &Governance) -> Result<(), VerifyError<C::Error>> {
    let to = check.deployment;
    let signal = parts.signal;
    let knows = [
        ("Council", check.ask(parts.council, &Council::timelockCall {}).await?, to.timelock),
        ("Council", check.ask(parts.council, &Council::tokenCall {}).await?, parts.token),
        ("Identities", check.ask(parts.identities, &Identities::authorityCall {}).await?, to.access_manager),
        ("Signal", check.ask(signal, &Signal::authorityCall {}).await?, to.access_manager),
        ("Signal", check.ask(signal, &Signal::catalogCall {}).await?, to.catalog),
        ("Signal", check.ask(signal, &Signal::tokenCall {}).await?, parts.token),
        ("Signal", check.ask(signal, &Signal::identitiesCall {}).await?, parts.identities),
    ];
    for (name, got, expected) in knows {
        check.note("wiring", got == Some(expected), &format!("{name} knows {expected}"));
    }
    Ok(())
}

/// The council may replace its guardian, so another one is a note.
async fn guardian<C: Chain>(
    check: &mut Check<'_, C>,
    parts: &Governance,
    config: &CouncilConfig,
) -> Result<(), VerifyError<C::Error>> {
    let got = check.ask(parts.council, &Council::guardianCall {}).await?;
    let what = match got {
        Some(guardian) if guardian.is_zero() => "the council has no guardian".to_owned(),
        Some(guardian) => format!("{guardian} may cancel what waits, the same calls once"),
        None => "the council does not tell its guardian".to_owned(),
    };
    told(check, got == Some(config.guardian), what);
    Ok(())
}

/// The council may change its terms within bounds that its code keeps, so others are a note.
async fn terms<C: Chain>(
    check: &mut Check<'_, C>,
    parts: &Governance,
    config: &CouncilConfig,
) -> Result<(), VerifyError<C::Error>> {
    let at = parts.council;
    let numbers = [
        ("votingDelay", check.ask(at, &Council::votingDelayCall {}).await?, config.voting_delay_s.into()),
        ("votingPeriod", check.ask(at, &Council::votingPeriodCall {}).await?, config.voting_period_s.into()),
        ("threshold", check.ask(at, &Council::proposalThresholdCall {}).await?, config.threshold),
        (
            "quorumPercent",
            check.ask(at, &Council::quorumNumerator_1Call {}).await?,
            config.quorum_percent.into(),
        ),
        (
            "extension",
            check.ask(at, &Council::lateQuorumVoteExtensionCall {}).await?.map(U256::from::<U48>),
            config.extension_s.into(),
        ),
    ];
    for (name, got, expected) in numbers {
        let expected = U256::from::<u128>(expected);
        let what = match got {
            Some(got) => format!("{name} is {got}, {expected} as configured"),
            None => format!("{name} is not told"),
        };
        told(check, got == Some(expected), what);
    }
    Ok(())
}

fn told<C>(check: &mut Check<'_, C>, as_configured: bool, what: String) {
    let verdict = if as_configured { Verdict::Holds } else { Verdict::Note };
    check.findings.push(Finding { verdict, check: "council", what });
}

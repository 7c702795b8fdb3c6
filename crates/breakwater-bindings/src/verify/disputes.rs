//! Reporters and breaker: that nobody else holds bonds, and that the breaker answers to its own judges.

use super::{Check, VerifyError, at, events};
use crate::contracts::{Assembly, Breaker, QuorumRung, Reporters};
use crate::deploy::Chain;

/// All that there is to check of a deployment with reporters, beside its code.
pub(super) async fn check<C: Chain>(check: &mut Check<'_, C>) -> Result<(), VerifyError<C::Error>> {
    let to = check.deployment;
    let Some(parts) = &to.disputes else { return Ok(()) };
    let logs = check.chain.logs(parts.reporters, to.from_block).await.map_err(at("logs"))?;
    let wired: Vec<Reporters::Wired> = events(&logs);
    let only = wired.len() == 1 && wired[0].users == parts.users();
    check.note("wiring", only, "QuorumRung and Breaker: nobody else ever holds or slashes a reporter's bond");
    let knows = [
        ("QuorumRung", check.ask(parts.quorum_rung, &QuorumRung::reportersCall {}).await?, parts.reporters),
        ("Breaker", check.ask(parts.breaker, &Breaker::reportersCall {}).await?, parts.reporters),
        ("Breaker", check.ask(parts.breaker, &Breaker::judgesCall {}).await?, parts.judges),
        (
            "the breaker's Assembly",
            check.ask(parts.judges, &Assembly::incidentsCall {}).await?,
            parts.breaker,
        ),
        ("Assembly", check.ask(parts.assembly, &Assembly::incidentsCall {}).await?, to.incidents),
    ];
    for (name, got, expected) in knows {
        check.note("wiring", got == Some(expected), &format!("{name} knows {expected}"));
    }
    Ok(())
}

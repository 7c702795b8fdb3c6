//! Deployment on a local chain: what comes to stand there, that running it again does nothing, and that the
//! check finds what somebody changed.
// A test that cannot drive its own chain must stop.
#![allow(clippy::unwrap_used)]

#[path = "support/local.rs"]
mod local;

use alloy::primitives::{Bytes, U64, keccak256};
use alloy::sol_types::SolCall;
use breakwater_bindings::deploy::{Answer, Chain, Governance, LISTER, PROXY, Progress, RunError, plan, run};
use breakwater_bindings::verify::{Finding, Verdict, verify};
use breakwater_bindings::{AccessManager, Catalog, Config, Deployment, Incidents, TimelockController};
use local::{Local, config, with_council, with_disputes};
use serde_json::Value;

async fn deploy(local: &Local) -> (Config, Deployment) {
    let config = config(local).await;
    let plan = plan(&config).unwrap();
    let mut sent = Vec::new();
    let deployment = run(&plan, local, |step, progress| {
        assert_eq!(progress, Progress::Sent, "{}", step.name);
        sent.push(step.name.clone());
    })
    .await
    .unwrap();
    let names: Vec<String> = plan.steps.iter().map(|step| step.name.clone()).collect();
    assert!(sent.ends_with(&names), "{sent:?}");
    (config, deployment)
}

fn broken(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.verdict == Verdict::Broken).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_stands_and_is_done_once() {
    let Some(local) = Local::start("deployment", &[]) else { return };
    let (config, deployment) = deploy(&local).await;
    let again = run(&plan(&config).unwrap(), &local, |step, progress| {
        assert_eq!(progress, Progress::Skipped, "{}", step.name);
    })
    .await
    .unwrap();
    assert_eq!(Deployment { from_block: deployment.from_block, ..again }, deployment);

    let findings = verify(&local, &deployment).await.unwrap();
    for finding in &findings {
        println!("{:?} {}: {}", finding.verdict, finding.check, finding.what);
    }
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Holds));
    for check in ["addresses", "code", "roles", "timelock", "functions", "wiring", "pools"] {
        assert!(findings.iter().any(|finding| finding.check == check), "{check}");
    }
    let guarded = findings.iter().filter(|finding| finding.what.contains("is for role")).count();
    assert_eq!(guarded, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_is_found() {
    let Some(local) = Local::start("changed deployment", &[]) else { return };
    let (config, deployment) = deploy(&local).await;
    let manager = deployment.access_manager;

    // The timelock names a second admin.
    let grant = AccessManager::grantRoleCall { roleId: 0, account: config.lister, executionDelay: 0 };
    local.act_as(deployment.timelock, manager, &grant).await;
    let findings = verify(&local, &deployment).await.unwrap();
    let found = broken(&findings);
    assert!(found.len() == 1 && found[0].check == "roles", "{found:?}");
    assert!(found[0].what.contains(&config.lister.to_string()), "{found:?}");
    let revoke = AccessManager::revokeRoleCall { roleId: 0, account: config.lister };
    local.act_as(deployment.timelock, manager, &revoke).await;
    assert!(broken(&verify(&local, &deployment).await.unwrap()).is_empty());

    // Another lister is the timelock's right, and told.
    let other = AccessManager::grantRoleCall { roleId: LISTER, account: config.deployer, executionDelay: 0 };
    local.act_as(deployment.timelock, manager, &other).await;
    let findings = verify(&local, &deployment).await.unwrap();
    let notes: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict == Verdict::Note).collect();
    assert!(broken(&findings).is_empty() && notes.len() == 1, "{notes:?}");
    assert!(notes[0].what.starts_with("lister"), "{notes:?}");

    // Code that is not the artifact's.
    let code = local.code(deployment.policies).await.unwrap();
    let mut changed = code.to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let _: Value =
        local.endpoints.request("anvil_setCode", (deployment.policies, Bytes::from(changed))).await.unwrap();
    let findings = verify(&local, &deployment).await.unwrap();
    let found = broken(&findings);
    assert!(found.len() == 1 && found[0].what.contains("Policies"), "{found:?}");

    // An address of another configuration.
    let mut other = deployment.clone();
    other.config.claim_window_s += 1;
    assert!(
        broken(&verify(&local, &other).await.unwrap()).iter().any(|finding| finding.check == "addresses")
    );
}

/// What decides disputes is created, wired and checked with the rest, and it is done once.
#[tokio::test(flavor = "multi_thread")]
async fn disputes_stand_with_the_rest() {
    let Some(local) = Local::start("disputes", &[]) else { return };
    let config = with_disputes(&local).await;
    let plan = plan(&config).unwrap();
    let deployment = run(&plan, &local, |_, _| {}).await.unwrap();
    let findings = verify(&local, &deployment).await.unwrap();
    let others: Vec<&Finding> = findings.iter().filter(|f| f.verdict != Verdict::Holds).collect();
    assert!(others.is_empty(), "{others:?}");
    for name in ["Reporters at", "QuorumRung at", "Assembly at", "QuorumRung and Assembly: no other rung"] {
        assert!(findings.iter().any(|finding| finding.what.contains(name)), "{name}");
    }
    let again = run(&plan, &local, |step, progress| assert_eq!(progress, Progress::Skipped, "{}", step.name));
    assert_eq!(again.await.unwrap().disputes, deployment.disputes);

    // A deployment file that names no disputes does not pass for this one.
    let other = Deployment { disputes: None, ..deployment };
    let findings = verify(&local, &other).await.unwrap();
    assert!(broken(&findings).iter().any(|finding| finding.what.contains("no other rung")), "{findings:?}");
}

/// With a council the same holds, and the timelock is nobody's but the council's.
#[tokio::test(flavor = "multi_thread")]
async fn a_council_holds_every_role_that_it_should() {
    let Some(local) = Local::start("council", &[]) else { return };
    let config = with_council(&local).await;
    let deployment = run(&plan(&config).unwrap(), &local, |_, _| {}).await.unwrap();
    let findings = verify(&local, &deployment).await.unwrap();
    let others: Vec<&Finding> = findings.iter().filter(|f| f.verdict != Verdict::Holds).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(findings.iter().any(|finding| finding.check == "council"));
    let guarded = findings.iter().filter(|finding| finding.what.contains("is for role")).count();
    assert_eq!(guarded, 19);

    // A guardian that the council replaced, and a canceller whom nobody should have made.
    let parts = deployment.governance.clone().unwrap();
    let role = keccak256("CANCELLER_ROLE");
    let grant = TimelockController::grantRoleCall { role, account: config.lister };
    local.act_as(deployment.timelock, deployment.timelock, &grant).await;
    let findings = verify(&local, &deployment).await.unwrap();
    let notes: Vec<&Finding> = findings.iter().filter(|f| f.verdict != Verdict::Holds).collect();
    assert!(notes.len() == 1 && notes[0].what.starts_with("canceller"), "{notes:?}");

    // A signal that knows other votes is no part of this deployment.
    let mut other = deployment.clone();
    other.governance = Some(Governance { signal: parts.identities, ..parts });
    let findings = verify(&local, &other).await.unwrap();
    assert!(broken(&findings).iter().any(|finding| finding.what.contains("Signal")), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_lists_or_wires_without_the_role() {
    let Some(local) = Local::start("roles", &[]) else { return };
    let (config, deployment) = deploy(&local).await;
    let register = Catalog::wireCall { factory_: config.lister }.abi_encode();
    let wire =
        Incidents::wireCall { policies_: config.lister, contracts: vec![], rungs: vec![] }.abi_encode();
    for caller in [config.deployer, config.lister, config.timelock.proposers[0]] {
        let to = [(deployment.catalog, register.clone()), (deployment.incidents, wire.clone())];
        for (at, data) in to {
            let answer = local.call(caller, at, data.into()).await.unwrap();
            let refusal = &keccak256("AccessManagedUnauthorized(address)")[..4];
            assert!(matches!(&answer, Answer::Reverted(data) if data.starts_with(refusal)), "{answer:?}");
        }
    }
    let granting = AccessManager::grantRoleCall { roleId: 0, account: config.deployer, executionDelay: 0 };
    let answer = local.call(config.deployer, deployment.access_manager, granting.abi_encode().into()).await;
    assert!(matches!(answer.unwrap(), Answer::Reverted(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_without_the_proxy_gets_it() {
    let Some(local) = Local::start("missing proxy", &["--disable-default-create2-deployer"]) else {
        return;
    };
    assert!(local.code(PROXY).await.unwrap().is_empty());
    let (_, deployment) = deploy(&local).await;
    assert!(broken(&verify(&local, &deployment).await.unwrap()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_named_before_anything_is_sent() {
    let Some(local) = Local::start("named trouble", &["--disable-default-create2-deployer"]) else {
        return;
    };
    let mut elsewhere = config(&local).await;
    elsewhere.chain_id = 1;
    let error = run(&plan(&elsewhere).unwrap(), &local, |_, _| {}).await.unwrap_err();
    assert!(matches!(error, RunError::WrongChain { expected: 1, got: 31_337 }), "{error}");

    // The presigned transaction offers 100 gwei, and this chain asks for more.
    let _: Value = local
        .endpoints
        .request("anvil_setNextBlockBaseFeePerGas", [U64::from(200_000_000_000_u64)])
        .await
        .unwrap();
    let here = config(&local).await;
    let _: Value = local
        .endpoints
        .request("anvil_setNextBlockBaseFeePerGas", [U64::from(400_000_000_000_u64)])
        .await
        .unwrap();
    let error = run(&plan(&here).unwrap(), &local, |_, _| {}).await.unwrap_err();
    assert!(matches!(error, RunError::NoProxy(_)), "{error}");

    let code = Bytes::from_static(&[0x60, 0x00]);
    let _: Value = local.endpoints.request("anvil_setCode", (PROXY, code)).await.unwrap();
    let error = run(&plan(&here).unwrap(), &local, |_, _| {}).await.unwrap_err();
    assert!(matches!(error, RunError::WrongProxy), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_deployment_is_not_taken_for_a_whole_one() {
    let Some(local) = Local::start("half a deployment", &[]) else { return };
    let whole = plan(&config(&local).await).unwrap();
    let mut half = whole.clone();
    half.steps.retain(|step| step.name.starts_with("create"));
    let deployment = run(&half, &local, |_, _| {}).await.unwrap();
    let findings = verify(&local, &deployment).await.unwrap();
    let found = broken(&findings);
    for words in ["wired to Policies", "timelock alone is admin", "is registered"] {
        assert!(found.iter().any(|finding| finding.what.contains(words)), "{words}: {found:?}");
    }
    // The rest of the plan mends it.
    let deployment = run(&whole, &local, |_, _| {}).await.unwrap();
    assert_eq!(deployment.from_block, 0, "nobody can tell any more when it began");
    assert!(broken(&verify(&local, &deployment).await.unwrap()).is_empty());
}

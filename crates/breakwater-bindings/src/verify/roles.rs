//! Who holds which role, from the logs of every grant and the present answers.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256, keccak256};

use super::{Check, Finding, Verdict, VerifyError, at, events};
use crate::contracts::{AccessManager, TimelockController};
use crate::deploy::{Chain, IDENTITY_REGISTRAR, LISTER};

const ADMIN: u64 = 0;

/// The access manager's roles and the timelock's.
pub(super) async fn check<C: Chain>(check: &mut Check<'_, C>) -> Result<(), VerifyError<C::Error>> {
    let members = members(check).await?;
    let to = check.deployment;
    let admins = members.get(&ADMIN).cloned().unwrap_or_default();
    let only = admins == BTreeSet::from([to.timelock]);
    check.note("roles", only, &format!("the timelock alone is admin: {}", list(&admins)));
    let holders = members.get(&LISTER).cloned().unwrap_or_default();
    let mut expected = BTreeSet::from([to.config.lister]);
    // The council lists through its timelock.
    if to.governance.is_some() {
        expected.insert(to.timelock);
    }
    compare(check, "roles", "lister", &expected, &holders);
    if let Some(council) = &to.config.council {
        let holders = members.get(&IDENTITY_REGISTRAR).cloned().unwrap_or_default();
        let expected = BTreeSet::from([council.identity_registrar]);
        compare(check, "roles", "identity registrar", &expected, &holders);
    }
    let asked = known(to.config.council.is_some());
    for (role, holders) in members.iter().filter(|(role, _)| **role != ADMIN && !asked.contains(role)) {
        let what = format!("role {role}, which no contract asks for, is held by {}", list(holders));
        check.findings.push(Finding { verdict: Verdict::Note, check: "roles", what });
    }
    for role in asked {
        let admin = check.ask(to.access_manager, &AccessManager::getRoleAdminCall { roleId: role }).await?;
        check.note("roles", admin == Some(ADMIN), &format!("role {role} is granted by the admin alone"));
    }
    timelock(check).await
}

/// Roles that some contract asks for, apart from the admin's.
fn known(council: bool) -> Vec<u64> {
    [LISTER].into_iter().chain(council.then_some(IDENTITY_REGISTRAR)).collect()
}

/// Present members of every role that was ever granted.
async fn members<C: Chain>(
    check: &mut Check<'_, C>,
) -> Result<BTreeMap<u64, BTreeSet<Address>>, VerifyError<C::Error>> {
    let (manager, from) = (check.deployment.access_manager, check.deployment.from_block);
    let logs = check.chain.logs(manager, from).await.map_err(at("logs"))?;
    let granted: BTreeSet<(u64, Address)> = events::<AccessManager::RoleGranted>(&logs)
        .into_iter()
        .map(|event| (event.roleId, event.account))
        .collect();
    let mut members: BTreeMap<u64, BTreeSet<Address>> = BTreeMap::new();
    for (role, account) in granted {
        let call = AccessManager::hasRoleCall { roleId: role, account };
        if check.ask(manager, &call).await?.is_some_and(|answer| answer.isMember) {
            members.entry(role).or_default().insert(account);
        }
    }
    Ok(members)
}

async fn timelock<C: Chain>(check: &mut Check<'_, C>) -> Result<(), VerifyError<C::Error>> {
    let to = check.deployment;
    let config = &to.config.timelock;
    let logs = check.chain.logs(to.timelock, to.from_block).await.map_err(at("logs"))?;
    let granted: BTreeSet<(B256, Address)> = events::<TimelockController::RoleGranted>(&logs)
        .into_iter()
        .map(|event| (event.role, event.account))
        .collect();
    let mut members: BTreeMap<B256, BTreeSet<Address>> = BTreeMap::new();
    for (role, account) in granted {
        let call = TimelockController::hasRoleCall { role, account };
        if check.ask(to.timelock, &call).await? == Some(true) {
            members.entry(role).or_default().insert(account);
        }
    }
    let of = |role: B256| members.get(&role).cloned().unwrap_or_default();
    let admins = of(B256::ZERO);
    let own = admins == BTreeSet::from([to.timelock]);
    check.note("timelock", own, &format!("the timelock administers itself alone: {}", list(&admins)));
    let (proposers, executors): (BTreeSet<Address>, BTreeSet<Address>) = match &to.governance {
        Some(parts) => ([parts.council].into(), [Address::ZERO].into()),
        None => (config.proposers.iter().copied().collect(), config.executors.iter().copied().collect()),
    };
    compare(check, "timelock", "proposer", &proposers, &of(keccak256("PROPOSER_ROLE")));
    compare(check, "timelock", "canceller", &proposers, &of(keccak256("CANCELLER_ROLE")));
    compare(check, "timelock", "executor", &executors, &of(keccak256("EXECUTOR_ROLE")));

    let delay = check.ask(to.timelock, &TimelockController::getMinDelayCall {}).await?;
    let as_configured = delay == Some(U256::from(config.min_delay_s));
    let what = match delay {
        Some(delay) => {
            format!("a change of roles waits {delay} seconds, {} as configured", config.min_delay_s)
        }
        None => "the timelock does not tell its delay".to_owned(),
    };
    let verdict = if as_configured { Verdict::Holds } else { Verdict::Note };
    check.findings.push(Finding { verdict, check: "timelock", what });
    Ok(())
}

/// Roles other than the admin's may be moved by the timelock, so another holder is a note.
fn compare<C: Chain>(
    check: &mut Check<'_, C>,
    kind: &'static str,
    role: &str,
    expected: &BTreeSet<Address>,
    got: &BTreeSet<Address>,
) {
    let same = expected == got;
    let what = match same {
        true => format!("{role}: {}", list(got)),
        false => format!("{role}: configured {}, now {}", list(expected), list(got)),
    };
    let verdict = if same { Verdict::Holds } else { Verdict::Note };
    check.findings.push(Finding { verdict, check: kind, what });
}

fn list(accounts: &BTreeSet<Address>) -> String {
    if accounts.is_empty() {
        return "nobody".to_owned();
    }
    accounts.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

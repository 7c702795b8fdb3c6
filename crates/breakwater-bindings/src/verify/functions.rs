//! Which functions only a role may call: each one is called as a stranger, and the contract's own refusal tells.

use alloy::dyn_abi::{DynSolType, DynSolValue, JsonAbiExt, Specifier};
use alloy::json_abi::{Function, StateMutability};
use alloy::primitives::{Address, FixedBytes, I256, U256};
use alloy::sol_types::SolError;

use super::{Check, Finding, Verdict, VerifyError, council};
use crate::artifact::{Artifact, ArtifactError};
use crate::contracts::{AccessManager, Catalog, Pool};
use crate::deploy::{Answer, Chain, Disputes, IDENTITY_REGISTRAR, LISTER};

/// An account that holds no role.
const STRANGER: Address = Address::repeat_byte(0x5a);

/// Every function that a role guards, and the role; nothing else may be guarded.
const GUARDED: [(&str, &str, u64); 24] = [
    ("Catalog", "listGauge", LISTER),
    ("Catalog", "listTrigger", LISTER),
    ("Catalog", "admit", LISTER),
    // Closed by itself after the first call.
    ("Catalog", "wire", 0),
    ("Underwriting", "setCluster", LISTER),
    ("Underwriting", "setCommittee", 0),
    ("Underwriting", "setCredit", 0),
    ("Underwriting", "setSignal", 0),
    ("Underwriting", "setAuthority", 0),
    ("Incidents", "wire", 0),
    // The timelock's; they change nothing that is open.
    ("Incidents", "setCeiling", 0),
    ("Incidents", "setGuardian", 0),
    // Callable by the authority alone, at the admin's demand.
    ("Catalog", "setAuthority", 0),
    ("Incidents", "setAuthority", 0),
    ("Identities", "add", IDENTITY_REGISTRAR),
    ("Identities", "remove", IDENTITY_REGISTRAR),
    ("Identities", "setAuthority", 0),
    // For later polls, within bounds.
    ("Signal", "setTerms", 0),
    ("Signal", "setAuthority", 0),
    // Closed by itself after the first call; the others say who signs and touch no bond.
    ("Reporters", "wire", 0),
    ("Reporters", "admit", 0),
    ("Reporters", "remove", 0),
    ("Reporters", "setQuorum", 0),
    ("Reporters", "setAuthority", 0),
];

/// Contracts that hold or move money: no function of theirs may be guarded by a role.
const MONEY: [&str; 10] = [
    "Pool",
    "PoolDesk",
    "Tranche",
    "Policies",
    "PolicyDesk",
    "Factory",
    "Router",
    "QuorumRung",
    "Assembly",
    "Breaker",
];

/// Tries every function of every contract.
pub(super) async fn check<C: Chain>(check: &mut Check<'_, C>) -> Result<(), VerifyError<C::Error>> {
    for (name, at) in contracts(check).await? {
        let artifact = Artifact::load(name)?;
        let abi = artifact.abi();
        if MONEY.contains(&name) {
            let mut errors = abi.errors().map(|error| error.name.as_str());
            let free = !errors.any(|error| error.starts_with("AccessManaged"));
            check.note("functions", free, &format!("{name} knows no roles"));
        }
        for function in abi.functions().filter(|function| changes_state(function)) {
            one(check, name, at, function).await?;
        }
    }
    Ok(())
}

async fn one<C: Chain>(
    check: &mut Check<'_, C>,
    name: &str,
    at: Address,
    function: &Function,
) -> Result<(), VerifyError<C::Error>> {
    let data = calldata(function).ok_or_else(|| ArtifactError::Malformed {
        name: name.to_owned(),
        reason: format!("{} has arguments of an unknown type", function.signature()),
    })?;
    let answer = check.raw(STRANGER, at, data.into()).await?;
    let guarded = matches!(&answer, Answer::Reverted(data)
        if data.starts_with(&Catalog::AccessManagedUnauthorized::SELECTOR));
    let expected = GUARDED.iter().find(|(contract, name_, _)| *contract == name && *name_ == function.name);
    match (guarded, expected) {
        (false, None) => Ok(()),
        (true, None) => {
            check.note("functions", false, &format!("{name}.{} is open to everyone", function.name));
            Ok(())
        }
        (false, Some(_)) => {
            check.note("functions", false, &format!("{name}.{} is closed to strangers", function.name));
            Ok(())
        }
        (true, Some((_, _, role))) => role_of(check, name, at, function, *role).await,
    }
}

async fn role_of<C: Chain>(
    check: &mut Check<'_, C>,
    name: &str,
    at: Address,
    function: &Function,
    role: u64,
) -> Result<(), VerifyError<C::Error>> {
    let call = AccessManager::getTargetFunctionRoleCall { target: at, selector: function.selector() };
    let got = check.ask(check.deployment.access_manager, &call).await?;
    let what = match got {
        Some(got) => format!("{name}.{} ({}) is for role {got}", function.name, function.selector()),
        None => format!("the role of {name}.{} is not told", function.name),
    };
    // The timelock may move a function to another role; none of them is about money.
    let verdict = if got == Some(role) { Verdict::Holds } else { Verdict::Note };
    check.findings.push(Finding { verdict, check: "functions", what });
    Ok(())
}

async fn contracts<C: Chain>(
    check: &mut Check<'_, C>,
) -> Result<Vec<(&'static str, Address)>, VerifyError<C::Error>> {
    let to = check.deployment;
    let mut contracts = vec![
        ("EthereumHistory", to.history),
        ("Wording", to.wording),
        ("Catalog", to.catalog),
        ("Incidents", to.incidents),
        ("Policies", to.policies),
        ("PolicyDesk", to.policies),
        ("Factory", to.factory),
        ("TreatyFactory", to.treaty_factory),
        ("Underwriting", to.underwriting),
        ("Router", to.router),
    ];
    contracts.extend(to.machines().map(|(name, address, _)| (name, address)));
    contracts.extend(to.disputes.iter().flat_map(Disputes::codes));
    contracts.extend(to.governance.iter().flat_map(council::codes));
    for pool in to.pools.values() {
        contracts.push(("Pool", *pool));
        contracts.push(("PoolDesk", *pool));
        let call = Pool::trancheCall { index: U256::from(1) };
        contracts.extend(check.ask(*pool, &call).await?.map(|tranche| ("Tranche", tranche)));
    }
    Ok(contracts)
}

fn changes_state(function: &Function) -> bool {
    !matches!(function.state_mutability, StateMutability::Pure | StateMutability::View)
}

/// A call whose arguments are all zero or empty.
fn calldata(function: &Function) -> Option<Vec<u8>> {
    let values: Option<Vec<DynSolValue>> =
        function.inputs.iter().map(|input| zero(&input.resolve().ok()?)).collect();
    function.abi_encode_input(&values?).ok()
}

fn zero(kind: &DynSolType) -> Option<DynSolValue> {
    Some(match kind {
        DynSolType::Bool => DynSolValue::Bool(false),
        DynSolType::Int(bits) => DynSolValue::Int(I256::ZERO, *bits),
        DynSolType::Uint(bits) => DynSolValue::Uint(U256::ZERO, *bits),
        DynSolType::FixedBytes(width) => DynSolValue::FixedBytes(FixedBytes::ZERO, *width),
        DynSolType::Address => DynSolValue::Address(Address::ZERO),
        DynSolType::Bytes => DynSolValue::Bytes(Vec::new()),
        DynSolType::String => DynSolValue::String(String::new()),
        DynSolType::Array(_) => DynSolValue::Array(Vec::new()),
        DynSolType::FixedArray(inner, length) => DynSolValue::FixedArray(vec![zero(inner)?; *length]),
        DynSolType::Tuple(parts) => DynSolValue::Tuple(parts.iter().map(zero).collect::<Option<_>>()?),
        // Every type that Solidity has is above; the enum may grow.
        #[allow(unreachable_patterns)]
        _ => return None,
    })
}

//! Leave for a contract to take an exact amount of a token: by a transaction, or by a signed permit (EIP-2612).

use alloy::primitives::{Address, B256, Signature, U256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{Eip712Domain, SolCall, SolStruct};
use breakwater_bindings::demo::DemoToken;

use crate::act::bench::{Bench, Step};
use crate::act::frame::Scene;
use crate::act::units::Token;
use crate::failure::Failure;

mod generated {
    // The macro writes one item for each Solidity item; EIP-2612 documents them.
    #![allow(missing_docs)]
    alloy::sol! {
        struct Permit {
            address owner;
            address spender;
            uint256 value;
            uint256 nonce;
            uint256 deadline;
        }

        function version() external view returns (string);
    }
}

/// Transactions that let `spender` take exactly `units`, none where it may take as much already.
///
/// Some tokens refuse to change one allowance into another; there, and only there, it is set to zero first.
pub(crate) async fn allow(
    bench: &mut Bench,
    token: &Token,
    owner: Address,
    spender: Address,
    units: U256,
) -> Result<Vec<Step>, Failure> {
    let present = bench.view(token.address, &DemoToken::allowanceCall { owner, spender }).await?;
    if present >= units {
        return Ok(Vec::new());
    }
    let approve = |value: U256| {
        let what = if value.is_zero() {
            "taking an old allowance back".to_owned()
        } else {
            format!("approving {}", token.show(value))
        };
        Step::new(what, token.address, &DemoToken::approveCall { spender, value })
    };
    let direct = approve(units);
    match present.is_zero() || bench.would_run(owner, &direct).await? {
        true => Ok(vec![direct]),
        false => Ok(vec![approve(U256::ZERO), direct]),
    }
}

/// A permit for exactly `value` to `deadline`, signed by the owner.
pub(crate) async fn sign(
    scene: &Scene,
    token: &Token,
    key: &PrivateKeySigner,
    spender: Address,
    value: U256,
    deadline: u64,
) -> Result<Signature, Failure> {
    let refuse = |why: &str| {
        Failure::new(format!("{} takes no permit that could be signed here: {why}", token.symbol)).right(
            "the same command without --permit: it approves the exact amount in a transaction of its own",
        )
    };
    let owner = key.address();
    let separator = scene.view(token.address, &DemoToken::DOMAIN_SEPARATORCall {}).await;
    let separator = separator.map_err(|_| refuse("it has no DOMAIN_SEPARATOR"))?;
    let nonce = scene.view(token.address, &DemoToken::noncesCall { owner }).await;
    let nonce = nonce.map_err(|_| refuse("it has no nonces"))?;
    let domain =
        domain(scene, token, separator).await?.ok_or_else(|| refuse("its domain is of another form"))?;
    let permit = generated::Permit { owner, spender, value, nonce, deadline: U256::from(deadline) };
    key.sign_hash_sync(&permit.eip712_signing_hash(&domain)).map_err(|error| Failure::new(error.to_string()))
}

/// The token's domain, as its name and version give it; only one that hashes to what the token uses.
async fn domain(scene: &Scene, token: &Token, separator: B256) -> Result<Option<Eip712Domain>, Failure> {
    let name = scene.view(token.address, &DemoToken::nameCall {}).await?;
    let own = scene.ask(&scene.head, token.address, generated::versionCall {}.abi_encode().into()).await?;
    let own = own.ok().and_then(|output| generated::versionCall::abi_decode_returns(&output).ok());
    let domain = |version: String| {
        Eip712Domain::new(
            Some(name.clone().into()),
            Some(version.into()),
            Some(U256::from(scene.deployment.chain_id)),
            Some(token.address),
            None,
        )
    };
    let candidates = own.into_iter().chain(["1".to_owned(), "2".to_owned()]);
    Ok(candidates.map(domain).find(|domain| domain.separator() == separator))
}

//! Evidence of holdings, as the rungs on triggers take it; see `IHoldings.sol`.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::SolValue;
use breakwater_bindings::triggers::Claims;
use breakwater_prove::block::BlockProof;
use breakwater_prove::gauge::AccountReads;
use breakwater_prove::packed::Packer;

use crate::local::Local;
use crate::trouble::Trouble;

/// Headers, nodes and walks.
pub(crate) struct Packed {
    pub(crate) headers: Vec<Bytes>,
    pub(crate) nodes: Bytes,
    pub(crate) paths: Bytes,
}

/// What `accounts`, strictly ascending, held at an onset and at a reading.
pub(crate) async fn holdings(
    local: &Local,
    claims: &Claims,
    [onset, reading]: [u64; 2],
    accounts: &[Address],
) -> Result<Packed, Trouble> {
    let mut packer = Packer::default();
    let mut headers = Vec::new();
    for (number, first) in [(onset, true), (reading, false)] {
        let block = block(local, number, &[reads(claims, accounts, first)]).await?;
        block.pack(&[reads(claims, accounts, first)], &mut packer)?;
        headers.push(block.rlp().clone());
    }
    let (nodes, paths) = packer.finish();
    Ok(Packed { headers, nodes, paths })
}

/// A block with what is read of it.
pub(crate) async fn block(local: &Local, number: u64, reads: &[AccountReads]) -> Result<BlockProof, Trouble> {
    let head = local.endpoints().head_at(number, None).await?;
    Ok(BlockProof::fetch(local.endpoints(), &head, reads).await?)
}

/// The keeper's account, its pin at the onset if there is one, and each account's word.
pub(crate) fn reads(claims: &Claims, accounts: &[Address], onset: bool) -> AccountReads {
    let pin = (onset && claims.pin != B256::ZERO).then_some(claims.pin);
    let words = accounts.iter().map(|account| slot(claims, *account));
    AccountReads { account: claims.keeper.account, slots: pin.into_iter().chain(words).collect() }
}

/// Where a Solidity mapping by holder keeps this one's word.
fn slot(claims: &Claims, holder: Address) -> B256 {
    let slot = keccak256((holder, claims.holding.base).abi_encode());
    (U256::from_be_bytes(slot.0).wrapping_add(U256::from(claims.holding.word))).into()
}

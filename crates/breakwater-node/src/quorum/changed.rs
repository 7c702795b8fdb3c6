//! Whether what was lost may have been moved by those who may move it: a change of code is never signed by a machine.

use alloy::hex;
use alloy::primitives::{Address, B256, KECCAK256_EMPTY, U256};
use breakwater_chain::{Endpoints, Head};
use breakwater_prove::gauge::{GaugeSpec, Words};

use crate::error::NodeError;
use crate::heads::Heads;
use crate::keeper::Keeper;

/// Slots in which proxies keep whose code they run: implementation and beacon of EIP-1967, and that of EIP-1822.
const IMPLEMENTATIONS: [B256; 3] = [
    B256::new(hex!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc")),
    B256::new(hex!("a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50")),
    B256::new(hex!("c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7")),
];

impl Keeper {
    /// How code or implementation of the gauge's accounts changed between the blocks that a finding reads, in words;
    /// none if only other words did.
    pub(super) async fn code_change(
        &mut self,
        gauge: B256,
        (onset, reading): (u64, u64),
        head: &Head,
    ) -> Result<Option<String>, NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let Some(subject) = self.subjects.get_mut(&gauge) else { return Ok(None) };
        let holders = subject.claimants(&self.endpoints, &heads, onset).await?;
        let mut found = Vec::with_capacity(3);
        for number in [onset, onset + 1, reading] {
            found.push(subject.words(&self.endpoints, &heads, number, &holders).await?);
        }
        let at = heads.at(&self.endpoints, reading).await?;
        for pair in found.windows(2) {
            if let [before, after] = pair
                && let Some(why) = change(&self.endpoints, &at, &subject.spec, before, after).await?
            {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }
}

async fn change(
    endpoints: &Endpoints,
    at: &Head,
    spec: &GaugeSpec,
    before: &Words,
    after: &Words,
) -> Result<Option<String>, NodeError> {
    let block = after.number;
    for (index, account) in (0..).zip(&spec.accounts) {
        let place = usize::from(index);
        let (Some(old), Some(new)) = (before.accounts.get(place), after.accounts.get(place)) else {
            continue;
        };
        let address = account.account;
        if old.code_hash != new.code_hash {
            return Ok(Some(format!("the code of {address} is another one in block {block}")));
        }
        let pins = spec.pins.iter().filter(|pin| pin.account == index);
        for (pin, (old, new)) in pins.zip(old.slots.iter().zip(&new.slots)) {
            if old == new {
                continue;
            }
            let slot = pin.slot;
            if IMPLEMENTATIONS.contains(&slot)
                || runs(endpoints, at, *old).await?
                || runs(endpoints, at, *new).await?
            {
                let why = format!("slot {slot} of {address} names other code in block {block}");
                return Ok(Some(why));
            }
        }
    }
    Ok(None)
}

/// Whether the word names an account with code, alone or packed with something above it.
async fn runs(endpoints: &Endpoints, at: &Head, word: U256) -> Result<bool, NodeError> {
    let named = Address::from_word(B256::from(word));
    if named.is_zero() {
        return Ok(false);
    }
    Ok(endpoints.account(at, named, &[]).await?.code_hash != KECCAK256_EMPTY)
}

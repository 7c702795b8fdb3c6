//! Tokens that are not ours: who has what, and who may not be sent any.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use breakwater_primitives::U256Ext;

use crate::refusal::Refusal;

/// Balances of every asset, and accounts that an asset refuses to send to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    balances: BTreeMap<(Address, Address), U256>,
    blocked: BTreeSet<(Address, Address)>,
}

impl Ledger {
    /// What `account` has of `asset`.
    pub fn balance(&self, asset: Address, account: Address) -> U256 {
        self.balances.get(&(asset, account)).copied().unwrap_or_default()
    }

    /// Gives `account` more of `asset`, out of nothing.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn mint(&mut self, asset: Address, account: Address, amount: U256) -> Result<(), Refusal> {
        let balance = self.balances.entry((asset, account)).or_default();
        *balance = balance.plus(amount)?;
        Ok(())
    }

    /// From now on `asset` refuses (or again accepts) transfers to and from `account`.
    pub fn set_blocked(&mut self, asset: Address, account: Address, blocked: bool) {
        if blocked {
            self.blocked.insert((asset, account));
        } else {
            self.blocked.remove(&(asset, account));
        }
    }

    /// Whether `asset` refuses `account`.
    pub fn is_blocked(&self, asset: Address, account: Address) -> bool {
        self.blocked.contains(&(asset, account))
    }

    /// Moves `amount` from one account to another.
    ///
    /// # Errors
    /// [`Refusal::SafeERC20FailedOperation`] if either account is blocked, [`Refusal::ERC20InsufficientBalance`].
    pub fn transfer(
        &mut self,
        asset: Address,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<(), Refusal> {
        if self.is_blocked(asset, from) || self.is_blocked(asset, to) {
            return Err(Refusal::SafeERC20FailedOperation { token: asset });
        }
        let balance = self.balance(asset, from);
        let left = balance.checked_sub(amount).ok_or(Refusal::ERC20InsufficientBalance {
            account: from,
            balance,
            needed: amount,
        })?;
        self.balances.insert((asset, from), left);
        self.mint(asset, to, amount)
    }
}

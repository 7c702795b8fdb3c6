//! Balances and a supply of shares, with their past by block.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use breakwater_primitives::{Block, U256Ext};

use crate::refusal::Refusal;
use crate::trace::Trace;

/// Who has how many shares now and at the end of every past block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    balances: BTreeMap<Address, Trace>,
    supply: Trace,
}

impl Shares {
    /// All shares.
    pub fn supply(&self) -> U256 {
        self.supply.latest()
    }

    /// All shares at the end of `block`.
    pub fn supply_at(&self, block: Block) -> U256 {
        self.supply.at(block.0)
    }

    /// Shares of `account`.
    pub fn balance(&self, account: Address) -> U256 {
        self.balances.get(&account).map(Trace::latest).unwrap_or_default()
    }

    /// Shares of `account` at the end of `block`.
    pub fn balance_at(&self, account: Address, block: Block) -> U256 {
        self.balances.get(&account).map(|trace| trace.at(block.0)).unwrap_or_default()
    }

    /// Accounts that ever had shares, in order.
    pub fn accounts(&self) -> impl Iterator<Item = Address> {
        self.balances.keys().copied()
    }

    /// Moves shares; the zero account mints and burns.
    pub(crate) fn apply(
        &mut self,
        block: Block,
        from: Address,
        to: Address,
        shares: U256,
    ) -> Result<(), Refusal> {
        if from.is_zero() {
            self.supply.set(block.0, self.supply().plus(shares)?);
        } else {
            let balance = self.balance(from);
            let left = balance.checked_sub(shares).ok_or(Refusal::ERC20InsufficientBalance {
                account: from,
                balance,
                needed: shares,
            })?;
            self.balances.entry(from).or_default().set(block.0, left);
        }
        if to.is_zero() {
            self.supply.set(block.0, self.supply().minus(shares)?);
        } else {
            let balance = self.balance(to).plus(shares)?;
            self.balances.entry(to).or_default().set(block.0, balance);
        }
        Ok(())
    }
}

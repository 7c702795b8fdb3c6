//! Shares of one layer of a pool, with their past by block.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alloy_primitives::{Address, U256, keccak256};
use breakwater_primitives::{Block, MathError, SHARE_OFFSET, U256Ext, mul_div_ceil, mul_div_floor};

use crate::context::Cx;
use crate::deposit::Deposits;
use crate::events::Event;
use crate::recovery::Recoveries;
use crate::redeem::Cohort;
use crate::refusal::Refusal;
use crate::shares::Shares;

/// Below assets · this < shares a tranche takes no deposits and mints no recoveries.
const CLOSED_PRICE: u64 = 1_000_000_000_000;

/// Where the shares of processed deposits wait for their claim: keccak256("breakwater.tranche.deposits"), cut.
pub static DEPOSITS: LazyLock<Address> = LazyLock::new(|| named("breakwater.tranche.deposits"));
/// Where recovery shares wait for their claim: keccak256("breakwater.tranche.recoveries"), cut.
pub static RECOVERIES: LazyLock<Address> = LazyLock::new(|| named("breakwater.tranche.recoveries"));

/// One tranche. Shares in the redemption queue are the balance of the tranche itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tranche {
    /// Its own account.
    pub address: Address,
    shares: Shares,
    /// Deposits by the epoch of their request.
    pub deposits: BTreeMap<u64, Deposits>,
    /// Redemptions by the epoch from which they are payable.
    pub cohorts: BTreeMap<u64, Cohort>,
    /// Deposits that are pending, or returned and not claimed, pool units.
    pub held: u128,
    /// Paid to cohorts and not claimed, pool units.
    pub redeemable: u128,
    /// Shares that incidents gave back.
    pub recoveries: Recoveries,
}

impl Tranche {
    /// An empty tranche.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            shares: Shares::default(),
            deposits: BTreeMap::new(),
            cohorts: BTreeMap::new(),
            held: 0,
            redeemable: 0,
            recoveries: Recoveries::default(),
        }
    }

    /// All shares.
    pub fn supply(&self) -> U256 {
        self.shares.supply()
    }

    /// All shares at the end of `block`.
    pub fn supply_at(&self, block: Block) -> U256 {
        self.shares.supply_at(block)
    }

    /// Shares of `account`.
    pub fn balance(&self, account: Address) -> U256 {
        self.shares.balance(account)
    }

    /// Shares of `account` at the end of `block`.
    pub fn balance_at(&self, account: Address, block: Block) -> U256 {
        self.shares.balance_at(account, block)
    }

    /// Accounts that ever had shares, in order.
    pub fn accounts(&self) -> impl Iterator<Item = Address> {
        self.shares.accounts()
    }

    /// floor(shares · (assets + 1) / (supply + offset)), where `assets` is the pool's layer.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn to_assets(&self, shares: U256, assets: u128) -> Result<u128, MathError> {
        mul_div_floor(shares, U256::from(assets) + U256::from(1), self.divisor()?)?.to_u128()
    }

    /// floor(amount · (supply + offset) / (assets + 1)).
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn to_shares(&self, amount: u128, assets: u128) -> Result<U256, MathError> {
        mul_div_floor(U256::from(amount), self.divisor()?, U256::from(assets) + U256::from(1))
    }

    /// ceil(amount · (supply + offset) / (assets + 1)): what must be burned for an amount to leave.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn to_shares_ceil(&self, amount: u128, assets: u128) -> Result<U256, MathError> {
        mul_div_ceil(U256::from(amount), self.divisor()?, U256::from(assets) + U256::from(1))
    }

    /// Shares for `amount` that an incident gives back: as if at least a thousandth of it had stayed.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn to_recovery_shares(&self, amount: u128, assets: u128) -> Result<U256, MathError> {
        let stayed = assets.max(amount / 1_000);
        mul_div_floor(U256::from(amount), self.divisor()?, U256::from(stayed) + U256::from(1))
    }

    /// Whether shares are worth so little that nothing more is minted.
    pub fn is_worthless(&self, assets: u128) -> bool {
        // 128 bits times 40 bits cannot overflow.
        U256::from(assets) * U256::from(CLOSED_PRICE) < self.supply()
    }

    /// Mints at most `shares`, so that the supply stays below 2^208; returns how many.
    ///
    /// # Errors
    /// None: the limit keeps every sum in range.
    pub(crate) fn mint(&mut self, cx: &mut Cx, to: Address, shares: U256) -> Result<U256, Refusal> {
        let most: U256 = (U256::from(1) << 208usize) - U256::from(1);
        let minted = shares.min(most.saturating_sub(self.supply()));
        self.move_shares(cx, Address::ZERO, to, minted)?;
        Ok(minted)
    }

    pub(crate) fn burn(&mut self, cx: &mut Cx, from: Address, shares: U256) -> Result<(), Refusal> {
        self.move_shares(cx, from, Address::ZERO, shares)
    }

    /// Moves shares and logs it; the zero account mints and burns.
    pub(crate) fn move_shares(
        &mut self,
        cx: &mut Cx,
        from: Address,
        to: Address,
        shares: U256,
    ) -> Result<(), Refusal> {
        self.apply_transfer(cx.block, from, to, shares)?;
        cx.emit(self.address, Event::ShareTransfer { from, to, shares });
        Ok(())
    }

    pub(crate) fn apply_transfer(
        &mut self,
        block: Block,
        from: Address,
        to: Address,
        shares: U256,
    ) -> Result<(), Refusal> {
        self.shares.apply(block, from, to, shares)
    }

    /// Whether an account stands for a queue and not for somebody.
    pub fn is_queue(&self, account: Address) -> bool {
        account == self.address || account == *DEPOSITS || account == *RECOVERIES
    }

    fn divisor(&self) -> Result<U256, MathError> {
        self.supply().plus(U256::from(SHARE_OFFSET))
    }
}

fn named(name: &str) -> Address {
    Address::from_word(keccak256(name))
}

//! The whole settlement layer as one value.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Time, Wad};

use crate::certificates::Market;
use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::incident::{Incidents, Rung};
use crate::ledger::Ledger;
use crate::policies::Policies;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::terms::{GaugeInfo, PoolConfig, Product};

/// Most pools on one gauge: an opening books into all of them.
pub const POOLS_MAX: usize = 16;

/// What is fixed at deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The catalog's account.
    pub catalog: Address,
    /// The account of the incidents contract.
    pub incidents: Address,
    /// The account of the policies contract.
    pub policies: Address,
    /// The account of the factory of treaties.
    pub treaties: Address,
    /// The account of the underwriting contract.
    pub underwriting: Address,
    /// Blocks that counter-evidence to proofs, feeds and canaries has.
    pub dwell: u64,
    /// Blocks in which a report of the quorum may be challenged.
    pub quorum_window: u64,
    /// Blocks of a dispute.
    pub assembly_window: u64,
    /// Blocks that a great payout waits, once.
    pub guardian_delay: u64,
    /// Of what a pool held, bps: above it a payout is great; 65,535: none is.
    pub heavy_bps: u16,
    /// Seconds after the dwell in which policies are settled.
    pub claim_window: u64,
    /// The role of each rung contract.
    pub rungs: BTreeMap<Address, Rung>,
}

/// Everything that the contracts keep, and the tokens they move.
///
/// Each entry point of the contracts is one method that takes a [`Context`] and either answers [`Effects`] or refuses
/// and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Fixed at deployment.
    pub terms: Deployment,
    /// Listed gauges.
    pub gauges: BTreeMap<B256, GaugeInfo>,
    /// Listed products.
    pub products: BTreeMap<B256, Product>,
    /// Registered pools.
    pub pools: BTreeMap<Address, Pool>,
    /// Pools by gauge, in the order in which they attached.
    pub attached: BTreeMap<B256, Vec<Address>>,
    /// Incidents and the register of positions.
    pub incidents: Incidents,
    /// Policies.
    pub policies: Policies,
    /// Posted rates and clusters.
    pub market: Market,
    /// Balances of the assets.
    pub ledger: Ledger,
}

impl World {
    /// Nothing listed, nothing sold.
    pub fn new(terms: Deployment) -> Self {
        Self {
            terms,
            gauges: BTreeMap::new(),
            products: BTreeMap::new(),
            pools: BTreeMap::new(),
            attached: BTreeMap::new(),
            incidents: Incidents::default(),
            policies: Policies::default(),
            market: Market::default(),
            ledger: Ledger::default(),
        }
    }

    /// `listGauge` or `listTrigger`, after the catalog has found the spec good and hashed it.
    ///
    /// # Errors
    /// [`Refusal::AlreadyListed`].
    pub fn list_gauge(&mut self, context: Context, gauge: B256, info: GaugeInfo) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            if world.gauges.contains_key(&gauge) {
                return Err(Refusal::AlreadyListed { id: gauge });
            }
            world.gauges.insert(gauge, info.clone());
            cx.emit(world.terms.catalog, Event::GaugeListed { gauge, info });
            Ok(())
        })
    }

    /// `listProduct`; `product` is the hash of the terms.
    ///
    /// # Errors
    /// [`Refusal::UnknownGauge`], [`Refusal::OutOfRange`], [`Refusal::AlreadyListed`].
    pub fn list_product(
        &mut self,
        context: Context,
        product: B256,
        terms: Product,
    ) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            terms.check(world.info(&terms.gauge)?)?;
            if world.products.contains_key(&product) {
                return Err(Refusal::AlreadyListed { id: product });
            }
            world.products.insert(product, terms.clone());
            cx.emit(world.terms.catalog, Event::ProductListed { product, terms });
            Ok(())
        })
    }

    /// Makes a pool and registers it.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`], [`Refusal::AlreadyRegistered`].
    pub fn register_pool(
        &mut self,
        context: Context,
        pool: Address,
        tranches: [Address; 3],
        config: PoolConfig,
    ) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            if world.pools.contains_key(&pool) {
                return Err(Refusal::AlreadyRegistered { pool });
            }
            world.pools.insert(pool, Pool::new(pool, tranches, config, cx.time)?);
            cx.emit(world.terms.catalog, Event::PoolRegistered { pool });
            Ok(())
        })
    }

    /// `setProduct`: the curator's cap and floor rate for a product.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Pool.
    pub fn set_product(
        &mut self,
        context: Context,
        pool: Address,
        product: B256,
        cap: u128,
        floor_rate: Wad,
    ) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let found = world.pools.get_mut(&pool).ok_or(Refusal::NotAPool { pool })?;
            if found.set_product(cx, &world.products, product, cap, floor_rate)? {
                let gauge = found.products.get(&product).map(|book| book.gauge).unwrap_or_default();
                world.attach(cx, gauge, pool)?;
            }
            Ok(())
        })
    }

    fn attach(&mut self, cx: &mut Cx, gauge: B256, pool: Address) -> Result<(), Refusal> {
        let pools = self.attached.entry(gauge).or_default();
        if pools.len() == POOLS_MAX {
            return Err(Refusal::TooManyPools { gauge, limit: POOLS_MAX });
        }
        pools.push(pool);
        cx.emit(self.terms.catalog, Event::PoolAttached { gauge, pool });
        Ok(())
    }

    /// Pools that underwrite a gauge.
    pub fn pools_of(&self, gauge: &B256) -> Vec<Address> {
        self.attached.get(gauge).cloned().unwrap_or_default()
    }

    /// `quote` of a pool as of its last accrual, with the surge of `now`.
    ///
    /// # Errors
    /// Everything that a sale is refused for.
    pub fn quote(
        &self,
        pool: Address,
        product: B256,
        now: Time,
        sum: u128,
        inception: Time,
        expiry: Time,
    ) -> Result<U256, Refusal> {
        let terms = self.products.get(&product).ok_or(Refusal::UnknownProduct { product })?;
        let found = self.pools.get(&pool).ok_or(Refusal::NotAPool { pool })?;
        found.quote(&self.market, product, terms, now, sum, inception, expiry)
    }

    /// `accrue` of a pool.
    ///
    /// # Errors
    /// [`Refusal::NotAPool`].
    pub fn accrue(&mut self, context: Context, pool: Address) -> Result<Effects, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| pool.accrue(cx).map(|_| ()))
    }

    /// `lock` of a pool.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Pool.
    pub fn lock(&mut self, context: Context, pool: Address, shares: U256) -> Result<Effects, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| pool.lock(cx, shares))
    }

    /// `unlock` of a pool.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Pool.
    pub fn unlock(&mut self, context: Context, pool: Address, shares: U256) -> Result<Effects, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| pool.unlock(cx, shares))
    }

    /// `closeBooking` of a pool.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Pool.
    pub fn close_booking(
        &mut self,
        context: Context,
        pool: Address,
        incident: u64,
    ) -> Result<Effects, Refusal> {
        let found = self.incidents.get(incident).copied();
        self.in_pool(context, pool, |pool, ledger, cx| {
            pool.close_booking(cx, ledger, incident, found.as_ref())
        })
    }

    /// `withdraw` of a pool: pays `account` what a failed transfer left.
    ///
    /// # Errors
    /// [`Refusal::NothingOwed`], [`Refusal::SafeERC20FailedOperation`].
    pub fn withdraw(
        &mut self,
        context: Context,
        pool: Address,
        account: Address,
    ) -> Result<Effects<u128>, Refusal> {
        self.in_pool(context, pool, |pool, ledger, cx| pool.withdraw(cx, ledger, account))
    }

    /// `requestDeposit` of the tranche of `layer` (1 to 3); answers the epoch.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Tranche.
    pub fn request_deposit(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
        assets: u128,
        controller: Address,
        owner: Address,
    ) -> Result<Effects<u64>, Refusal> {
        self.in_pool(context, pool, |pool, ledger, cx| {
            pool.request_deposit(cx, ledger, layer, assets, controller, owner)
        })
    }

    /// `claimDeposit`; answers shares, zero where assets went back.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Tranche.
    pub fn claim_deposit(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
        request_id: u64,
        controller: Address,
    ) -> Result<Effects<U256>, Refusal> {
        self.in_pool(context, pool, |pool, ledger, cx| {
            pool.claim_deposit(cx, ledger, layer, request_id, controller)
        })
    }

    /// `requestRedeem`; answers the cohort.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Tranche.
    pub fn request_redeem(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
        shares: U256,
        controller: Address,
        owner: Address,
    ) -> Result<Effects<u64>, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| pool.request_redeem(cx, layer, shares, controller, owner))
    }

    /// `processRedemptions`; answers what cohorts were paid, pool units.
    ///
    /// # Errors
    /// [`Refusal::NothingMatured`].
    pub fn process_redemptions(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
    ) -> Result<Effects<u128>, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| pool.process_redemptions(cx, layer))
    }

    /// `claimRedeem`; answers what was sent or credited, pool units.
    ///
    /// # Errors
    /// [`Refusal::NothingToClaim`].
    pub fn claim_redeem(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
        request_id: u64,
        controller: Address,
    ) -> Result<Effects<u128>, Refusal> {
        self.in_pool(context, pool, |pool, ledger, cx| {
            pool.claim_redeem(cx, ledger, layer, request_id, controller)
        })
    }

    /// `claimRecovery`; answers shares.
    ///
    /// # Errors
    /// [`Refusal::NothingToRecover`].
    pub fn claim_recovery(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
        incident: u64,
        account: Address,
    ) -> Result<Effects<U256>, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| pool.claim_recovery(cx, layer, incident, account))
    }

    /// `claimQueuedRecovery`; answers shares.
    ///
    /// # Errors
    /// [`Refusal::NothingToRecover`].
    pub fn claim_queued_recovery(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
        incident: u64,
        request_id: u64,
        controller: Address,
    ) -> Result<Effects<U256>, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| {
            pool.claim_queued_recovery(cx, layer, incident, request_id, controller)
        })
    }

    /// `transfer` of a tranche's shares by their owner.
    ///
    /// # Errors
    /// [`Refusal::ERC20InsufficientBalance`], [`Refusal::SharesLocked`], [`Refusal::ZeroAddress`].
    pub fn transfer_shares(
        &mut self,
        context: Context,
        pool: Address,
        layer: usize,
        to: Address,
        shares: U256,
    ) -> Result<Effects, Refusal> {
        self.in_pool(context, pool, |pool, _, cx| {
            if to.is_zero() {
                return Err(Refusal::ZeroAddress);
            }
            pool.transfer_shares(cx, layer, cx.caller, to, shares)
        })
    }

    pub(crate) fn in_pool<T>(
        &mut self,
        context: Context,
        pool: Address,
        act: impl FnOnce(&mut Pool, &mut Ledger, &mut Cx) -> Result<T, Refusal>,
    ) -> Result<Effects<T>, Refusal> {
        self.transact(context, |world, cx| {
            let found = world.pools.get_mut(&pool).ok_or(Refusal::NotAPool { pool })?;
            act(found, &mut world.ledger, cx)
        })
    }

    /// Runs one operation; a refusal leaves the world as it was.
    pub(crate) fn transact<T>(
        &mut self,
        context: Context,
        act: impl FnOnce(&mut Self, &mut Cx) -> Result<T, Refusal>,
    ) -> Result<Effects<T>, Refusal> {
        let before = self.clone();
        let mut cx = Cx::new(context);
        match act(self, &mut cx) {
            Ok(value) => Ok(Effects { value, logs: cx.logs }),
            Err(refusal) => {
                *self = before;
                Err(refusal)
            }
        }
    }
}

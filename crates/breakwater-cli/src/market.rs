//! A market on a local chain: a pool with money in its tranches, gauges listed, products offered, cover bought.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolConstructor, SolEvent};
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::deploy::{self, Ceiling, Config, DisputesConfig, PoolConfig, TimelockConfig};
use breakwater_bindings::{Catalog, Deployment, Policies, Pool, TimelockController, Tranche};
use breakwater_prove::gauge::GaugeSpec;
use serde_json::Value;

use crate::deployer::OnLocal;
use crate::local::{Actor, Call, Local, LocalError};
use crate::terms;
use crate::trouble::Trouble;

/// Seconds in the bucket of every schedule.
pub(crate) const DAY: u64 = 86_400;

/// The shortest epoch that a factory makes pools with, seconds.
const SHORTEST_EPOCH: u32 = 86_400;

/// Where epoch and cooldown stand in the code of a pool's clone and of a tranche's: behind 45 bytes of forwarder.
const POOL_TIMES_AT: usize = 45 + 40;
const TRANCHE_TIMES_AT: usize = 45 + 62;

/// Blocks that counter-evidence has, the contracts' default.
pub(crate) const DWELL: u64 = 32;

/// Seconds after the dwell in which policies are settled.
const CLAIM_WINDOW: u32 = 30 * 86_400;

/// Seconds between proposal and execution of what only the timelock may.
const TIMELOCK_DELAY: u64 = 2 * DAY;

/// Name of the one pool.
const POOL: &str = "local";

/// Who acts for Breakwater on a local chain.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    /// Deploys, lists gauges and registers pools.
    pub(crate) deployer: Actor,
    /// Curates the pool and holds its locked junior.
    pub(crate) curator: Actor,
    /// Underwrites mezzanine.
    pub(crate) mezzanine: Actor,
    /// Underwrites senior.
    pub(crate) senior: Actor,
    /// Buys protocol cover.
    pub(crate) registrant: Actor,
    /// Pays for the keeper's transactions.
    pub(crate) keeper: Actor,
}

impl Cast {
    /// The same accounts on every local chain.
    pub(crate) fn new() -> Self {
        Self {
            deployer: Actor::new("deployer"),
            curator: Actor::new("curator"),
            mezzanine: Actor::new("mezzanine underwriter"),
            senior: Actor::new("senior underwriter"),
            registrant: Actor::new("registrant"),
            keeper: Actor::new("keeper"),
        }
    }

    /// All of them, to be funded.
    pub(crate) fn all(&self) -> Vec<&Actor> {
        let Self { deployer, curator, mezzanine, senior, registrant, keeper } = self;
        vec![deployer, curator, mezzanine, senior, registrant, keeper]
    }
}

/// How a market is set up. Times in seconds, amounts in the asset's units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// Symbol of the asset.
    pub(crate) symbol: &'static str,
    /// Its decimals.
    pub(crate) decimals: u8,
    /// Length of a deposit and redemption epoch; below a day the pool is [hastened](Market::open).
    pub(crate) epoch: u32,
    /// Least time from a redemption request to its maturity.
    pub(crate) cooldown: u32,
    /// From a purchase to its inception.
    pub(crate) waiting: u32,
    /// The curator's junior, locked as a whole.
    pub(crate) junior: u128,
    /// Mezzanine.
    pub(crate) mezzanine: u128,
    /// Senior.
    pub(crate) senior: u128,
    /// What the registrant has for premiums.
    pub(crate) purse: u128,
}

/// What stands above the proof rung.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ladder {
    /// Most that may be open on the rungs of feeds, of canaries and of the quorum each, units of the asset.
    pub(crate) ceiling: u128,
    /// Whether there are reporters, a quorum rung and an assembly.
    pub(crate) disputes: bool,
}

/// Kinds of cover that are sold here, with their numbers in `Kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of one holder's position.
    Position = 0,
    /// Of all users of a protocol, bought by it.
    Protocol = 1,
    /// Of debt that is liquidated at a wrong price.
    Oracle = 3,
    /// Of positions that cannot be taken out any more.
    Upgrade = 5,
    /// Of what only reporters can judge.
    Custom = 7,
}

impl Kind {
    /// The most of a proven loss that is payable, basis points; docs/ladder.md, "Listing".
    fn loss_cap_bps(self) -> u16 {
        match self {
            Self::Protocol => 9_000,
            Self::Upgrade => 9_500,
            Self::Position | Self::Oracle | Self::Custom => 10_000,
        }
    }
}

/// What a product is, besides what all products here have in common.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The gauge, or the trigger.
    pub(crate) gauge: B256,
    /// What is covered.
    pub(crate) kind: Kind,
    /// The only account that may buy; none: any.
    pub(crate) registrant: Option<Address>,
    /// Pool units for `rate_den` gauge units.
    pub(crate) rate_num: u128,
    /// Gauge units.
    pub(crate) rate_den: u128,
    /// Share of the loss that the holder bears, basis points.
    pub(crate) deductible_bps: u16,
    /// Share of each payment for opener and settler, basis points.
    pub(crate) bounty_bps: u16,
    /// Whether the curator's junior may pay in the dwell.
    pub(crate) instant: bool,
    /// Most that the pool insures on it, pool units.
    pub(crate) cap: u128,
    /// Token that the position account gives up for what it claims; zero: none.
    pub(crate) salvage: Address,
}

/// The pool and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Market {
    /// Breakwater's contracts.
    pub(crate) deployment: Deployment,
    /// The pool.
    pub(crate) pool: Address,
    /// Junior, mezzanine, senior.
    pub(crate) tranches: [Address; 3],
    /// The pool's asset.
    pub(crate) asset: Address,
    /// Who acts.
    pub(crate) cast: Cast,
    /// How it was set up.
    pub(crate) setup: Setup,
}

impl Market {
    /// Deploys Breakwater, a token and a pool, and waits until the underwriters' money is in force.
    ///
    /// No factory makes a pool whose epochs are shorter than a day, and a recorded attack is over in minutes: for a
    /// shorter one the epoch and the cooldown in the clones' code are overwritten, which only a local chain lets one
    /// do. Nothing else of them is another.
    pub(crate) async fn open(local: &mut Local, cast: Cast, setup: Setup) -> Result<Self, Trouble> {
        Self::open_with(local, cast, setup, Ladder::default()).await
    }

    /// The same with rungs above the proof.
    pub(crate) async fn open_with(
        local: &mut Local,
        cast: Cast,
        setup: Setup,
        ladder: Ladder,
    ) -> Result<Self, Trouble> {
        let asset =
            create_token(local, &cast.deployer, "Demonstration dollar", setup.symbol, setup.decimals).await?;
        let deployment = deploy(local, &cast, asset, setup, ladder).await?;
        let pool = deployment.pools.get(POOL).copied().unwrap_or_default();
        let mut tranches = [Address::ZERO; 3];
        for (index, tranche) in (1_u64..).zip(&mut tranches) {
            *tranche = local.view(pool, &Pool::trancheCall { index: U256::from(index) }).await?;
        }
        let market = Self { deployment, pool, tranches, asset, cast, setup };
        if setup.epoch < SHORTEST_EPOCH {
            market.hasten(local).await?;
        }
        market.fund(local).await?;
        Ok(market)
    }

    /// Overwrites epoch and cooldown, two words of four bytes each, behind the forwarders of pool and tranches.
    async fn hasten(&self, local: &mut Local) -> Result<(), LocalError> {
        let times = [self.setup.epoch.to_be_bytes(), self.setup.cooldown.to_be_bytes()].concat();
        let clones = [(self.pool, POOL_TIMES_AT)].into_iter();
        for (clone, at) in clones.chain(self.tranches.map(|tranche| (tranche, TRANCHE_TIMES_AT))) {
            let endpoints = local.endpoints();
            let code: Bytes = endpoints.request("eth_getCode", (clone, "latest")).await?;
            let mut code = code.to_vec();
            if let Some(place) = code.get_mut(at..at + times.len()) {
                place.copy_from_slice(&times);
            }
            let _: Value = endpoints.request("anvil_setCode", (clone, Bytes::from(code))).await?;
        }
        Ok(())
    }

    /// Gives an account units of the asset and lets Breakwater take premiums from it.
    pub(crate) async fn endow(
        &self,
        local: &mut Local,
        actor: &Actor,
        units: u128,
    ) -> Result<(), LocalError> {
        let to = actor.address();
        let mint = DemoToken::mintCall { to, amount: U256::from(units) };
        local.queue(actor, Call::to("minting", self.asset, &mint)).await?;
        let approve = DemoToken::approveCall { spender: self.deployment.policies, value: U256::MAX };
        local.run(actor, Call::to("approving premiums", self.asset, &approve)).await?;
        Ok(())
    }

    /// Lists a gauge; `priors` are the subject's earlier ones.
    pub(crate) async fn list_gauge(
        &self,
        local: &mut Local,
        spec: &GaugeSpec,
        priors: &[GaugeSpec],
    ) -> Result<B256, LocalError> {
        let call =
            Catalog::listGaugeCall { spec: sol_spec(spec), priors: priors.iter().map(sol_spec).collect() };
        let what = format!("listing gauge {}", spec.id());
        local.run(&self.cast.deployer, Call::to(what, self.deployment.catalog, &call)).await?;
        Ok(spec.id())
    }

    /// Lists what may open incidents where no gauge measures them; its id.
    pub(crate) async fn list_trigger(
        &self,
        local: &mut Local,
        trigger: Catalog::Trigger,
    ) -> Result<B256, LocalError> {
        let call =
            Call::to("listing a trigger", self.deployment.catalog, &Catalog::listTriggerCall { trigger });
        let receipt = local.run(&self.cast.deployer, call).await?;
        let listed = receipt.logs.iter().find_map(|log| Catalog::TriggerListed::decode_log(log).ok());
        let listed = listed.ok_or_else(|| LocalError::Missing { what: "event TriggerListed".to_owned() })?;
        Ok(listed.id)
    }

    /// Does what only the admin of the roles may, by way of the timelock.
    pub(crate) async fn govern(
        &self,
        local: &mut Local,
        target: Address,
        calls: &[Vec<u8>],
    ) -> Result<(), LocalError> {
        let (timelock, deployer) = (self.deployment.timelock, &self.cast.deployer);
        let (targets, values) = (vec![target; calls.len()], vec![U256::ZERO; calls.len()]);
        let payloads: Vec<Bytes> = calls.iter().cloned().map(Bytes::from).collect();
        let schedule = TimelockController::scheduleBatchCall {
            targets: targets.clone(),
            values: values.clone(),
            payloads: payloads.clone(),
            predecessor: B256::ZERO,
            salt: B256::ZERO,
            delay: U256::from(TIMELOCK_DELAY),
        };
        local.run(deployer, Call::to("proposing to the timelock", timelock, &schedule)).await?;
        local.seal(local.time() + TIMELOCK_DELAY).await?;
        let (predecessor, salt) = (B256::ZERO, B256::ZERO);
        let execute = TimelockController::executeBatchCall { targets, values, payloads, predecessor, salt };
        local.run(deployer, Call::to("executing a proposal", timelock, &execute)).await?;
        Ok(())
    }

    /// Lists a product with the hash of its wording, as the lister, who vouches for registrants, and sets its
    /// cap; the product and when it is in effect.
    pub(crate) async fn offer(&self, local: &mut Local, offer: &Offer) -> Result<(B256, u64), LocalError> {
        let terms = self.terms(offer);
        let wording = self.wording(local, &terms).await?;
        let listing = Catalog::listProductCall { terms, hash: keccak256(wording) };
        let receipt = local
            .run(&self.cast.deployer, Call::to("listing a product", self.deployment.catalog, &listing))
            .await?;
        let listed = receipt.logs.iter().find_map(|log| Catalog::ProductListed::decode_log(log).ok());
        let product = listed.map(|log| log.product).unwrap_or_default();
        let cap = Pool::setProductCall { product, cap: offer.cap, floorRate: FLOOR_RATE };
        local.run(&self.cast.curator, Call::to("capping a product", self.pool, &cap)).await?;
        let delay = u64::from(self.setup.cooldown) + 2 * u64::from(self.setup.epoch);
        Ok((product, local.time() + delay))
    }

    /// Buys cover for a position account that consents by buying itself, for about a month; its inception, seconds.
    pub(crate) async fn buy(
        &self,
        local: &mut Local,
        buyer: &Actor,
        product: B256,
        sum: u128,
    ) -> Result<u64, LocalError> {
        let inception = local.time() + 1 + u64::from(self.setup.waiting);
        let expiry = (inception / DAY + TERM_DAYS) * DAY;
        let purchase = Policies::Purchase {
            product,
            pool: self.pool,
            position: buyer.address(),
            sum,
            expiry,
            maxPremium: U256::MAX,
            deadline: expiry,
            to: buyer.address(),
            consent: Bytes::new(),
            distributor: Address::ZERO,
            feeBps: 0,
        };
        let call = Policies::buyCall { purchase };
        let receipt = local.run(buyer, Call::to("buying cover", self.deployment.policies, &call)).await?;
        let bought = receipt.logs.iter().find_map(|log| Policies::Bought::decode_log(log).ok());
        let bought = bought.ok_or_else(|| LocalError::Missing { what: "event Bought".to_owned() })?;
        Ok(bought.policy.inception)
    }

    /// Deposits of all three tranches, processed in the next epoch and claimed; the curator's is locked.
    async fn fund(&self, local: &mut Local) -> Result<(), LocalError> {
        let Setup { junior, mezzanine, senior, purse, .. } = self.setup;
        let underwriters = [&self.cast.curator, &self.cast.mezzanine, &self.cast.senior];
        let deposits: Vec<(&Actor, Address, u128)> = underwriters
            .into_iter()
            .zip(self.tranches)
            .zip([junior, mezzanine, senior])
            .map(|((actor, tranche), units)| (actor, tranche, units))
            .collect();
        for (actor, tranche, units) in &deposits {
            let owner = actor.address();
            let assets = U256::from(*units);
            let mint = DemoToken::mintCall { to: owner, amount: assets };
            local.queue(actor, Call::to("minting", self.asset, &mint)).await?;
            let approve = DemoToken::approveCall { spender: *tranche, value: assets };
            local.queue(actor, Call::to("approving a deposit", self.asset, &approve)).await?;
            let request = Tranche::requestDepositCall { assets, controller: owner, owner };
            local.queue(actor, Call::to("depositing", *tranche, &request)).await?;
        }
        local.flush().await?;
        let epoch = u64::from(self.setup.epoch);
        let requested = local.time() / epoch;
        local.seal((requested + 1) * epoch).await?;
        for (actor, tranche, _) in &deposits {
            let claim =
                Tranche::claimDepositCall { requestId: U256::from(requested), controller: actor.address() };
            local.queue(actor, Call::to("claiming a deposit", *tranche, &claim)).await?;
        }
        local.flush().await?;
        let curator = &self.cast.curator;
        let shares =
            local.view(self.tranches[0], &Tranche::balanceOfCall { account: curator.address() }).await?;
        local.run(curator, Call::to("locking junior", self.pool, &Pool::lockCall { shares })).await?;
        self.endow(local, &self.cast.registrant, purse).await
    }

    fn terms(&self, offer: &Offer) -> Catalog::Product {
        Catalog::Product {
            gauge: offer.gauge,
            kind: offer.kind as u8,
            asset: self.asset,
            registrant: offer.registrant.unwrap_or_default(),
            unitNum: offer.rate_num,
            unitDen: offer.rate_den,
            minSum: 1,
            eventLimit: 0,
            deductibleBps: offer.deductible_bps,
            lossCapBps: offer.kind.loss_cap_bps(),
            bountyBps: offer.bounty_bps,
            instant: offer.instant,
            waitingPeriod: self.setup.waiting,
            reportWindow: 7 * 86_400,
            minTerm: 86_400,
            maxTerm: 365 * 86_400,
            salvage: offer.salvage,
        }
    }

    async fn wording(&self, local: &Local, terms: &Catalog::Product) -> Result<String, LocalError> {
        let info =
            local.view(self.deployment.catalog, &Catalog::gaugeInfoCall { gauge: terms.gauge }).await?;
        let call = terms::wording_call(terms, &info).map_err(not_alike)?;
        local.view(self.deployment.wording, &call).await
    }
}

/// A token that anyone may mint.
pub(crate) async fn create_token(
    local: &mut Local,
    deployer: &Actor,
    name: &str,
    symbol: &str,
    decimals: u8,
) -> Result<Address, LocalError> {
    let arguments =
        DemoToken::constructorCall { name: name.to_owned(), symbol: symbol.to_owned(), decimals_: decimals };
    let code = [DemoToken::BYTECODE.as_ref(), &arguments.abi_encode()].concat();
    local.create(deployer, symbol, code).await
}

async fn deploy(
    local: &mut Local,
    cast: &Cast,
    asset: Address,
    setup: Setup,
    ladder: Ladder,
) -> Result<Deployment, Trouble> {
    let deployer = cast.deployer.address();
    let config = Config {
        chain_id: local.chain_id(),
        deployer,
        salt: B256::ZERO,
        timelock: TimelockConfig {
            min_delay_s: TIMELOCK_DELAY,
            proposers: vec![deployer],
            executors: vec![Address::ZERO],
        },
        council: None,
        lister: deployer,
        guardian: Address::ZERO,
        dwell_blocks: DWELL,
        // Long enough to be told; on a chain where money is, it is days.
        quorum_window_blocks: if ladder.disputes { DWELL } else { 3 * DWELL },
        assembly_window_blocks: 12 * DWELL,
        guardian_delay_blocks: DWELL,
        heavy_bps: u16::MAX,
        claim_window_s: CLAIM_WINDOW,
        // Feeds, canaries and the quorum; what is zero is not set.
        ceilings: (1..=3)
            .filter(|_| ladder.ceiling > 0)
            .map(|rung| Ceiling { rung, asset, most: ladder.ceiling })
            .collect(),
        disputes: ladder.disputes.then(|| disputes(asset)),
        pools: vec![pool_config(cast, asset, setup)],
    };
    let plan = deploy::plan(&config)?;
    let chain = OnLocal::new(local, vec![cast.deployer.clone()]);
    Ok(deploy::run(&plan, &chain, |step, _| tracing::debug!(step = step.name, "done")).await?)
}

/// Two of the reporters must sign; they and the assembly bond the pool's asset.
fn disputes(asset: Address) -> DisputesConfig {
    DisputesConfig {
        bond_asset: asset,
        sink: Address::repeat_byte(0xdd),
        quorum: 2,
        min_bond: 10_000_000_000,
        // The claim window and the windows above, and a margin.
        unbond_delay_s: 2 * CLAIM_WINDOW,
        prover_bps: 5_000,
        report_bond: 5_000_000_000,
        challenge_bond: 1_000_000_000,
        stake_token: asset,
        commit_time_s: 3_600,
        reveal_time_s: 3_600,
        unstake_delay_s: 4 * 3_600,
        stake_quorum_bps: 1_000,
        slash_bps: 1_000,
    }
}

fn pool_config(cast: &Cast, asset: Address, setup: Setup) -> PoolConfig {
    const WAD: u64 = breakwater_primitives::WAD;
    PoolConfig {
        name: POOL.to_owned(),
        asset,
        curator: cast.curator.address(),
        epoch: setup.epoch.max(SHORTEST_EPOCH),
        cooldown: setup.cooldown.max(setup.epoch).max(SHORTEST_EPOCH),
        leverage_bps: 20_000,
        curator_share_bps: 2_000,
        subordination_bps: 2_000,
        surplus_bps: 1_000,
        weight_bps: [5_000, 3_000, 2_000],
        cost_of_capital: WAD / 20,
        kink: WAD / 10 * 8,
        scarcity_kink: WAD / 10 * 15,
        scarcity_full: 3 * WAD,
        surge_slope: WAD,
        surge_max: 2 * WAD,
        surge_half_life: 7 * 86_400,
        certified: false,
        gate: Address::ZERO,
        curator_fee_bps: 0,
    }
}

/// Wad a year on every product: two per cent.
const FLOOR_RATE: u64 = 20_000_000_000_000_000;

/// Length of every policy, days.
const TERM_DAYS: u64 = 30;

/// A gauge as the catalog takes it.
fn sol_spec(spec: &GaugeSpec) -> Catalog::GaugeSpec {
    breakwater_bindings::gauges::GaugeSpec::from(spec).into()
}

fn not_alike(error: alloy::sol_types::Error) -> LocalError {
    LocalError::Missing { what: format!("one struct for both contracts: {error}") }
}

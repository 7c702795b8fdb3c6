//! The contracts as they are deployed, with the sample market of the twin listed in them.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, U256, address, hex, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol;
use alloy::sol_types::SolConstructor;
use breakwater_bindings::artifact::{Artifact, Libraries};
use breakwater_bindings::{
    AccessManager, Catalog, Factory, Incidents, Policies, PolicyDesk, Pool, PoolDesk, ProofRung,
    TreatyFactory, Underwriting, Wording, gauges,
};
use breakwater_policy::incident::Rung;
use breakwater_policy::ops::{CURATOR, RUNGS, Scene, sample_configs, sample_products};
use breakwater_policy::terms::{Form, GaugeInfo, PoolConfig, Product};
use breakwater_policy::{Deployment, World};
use breakwater_primitives::{Time, WAD, Wad};

use crate::chain::{CHAIN_ID, Chain};

sol! {
    #![sol(all_derives = true)]
    contract RefusingToken {
        function mint(address to, uint256 amount) external;
        function refuse(address account, bool refused) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
    }
}

/// Deploys, lists and wires.
pub(crate) const DEPLOYER: Address = address!("0x00000000000000000000000000000000000000d0");
/// A plain account in the place of a rung, so that anything can be asserted.
pub(crate) const RUNG: Address = address!("0x00000000000000000000000000000000000000f1");
/// What users and curator begin with: never the limit of what they do.
const PURSE: u128 = 1_000_000_000_000_000;
const USERS: usize = 8;

/// Everything that was deployed, and the scene that the twin plays with the same addresses.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) chain: Chain,
    pub(crate) catalog: Address,
    pub(crate) incidents: Address,
    pub(crate) policies: Address,
    pub(crate) asset: Address,
    pub(crate) scene: Scene,
    pub(crate) keys: BTreeMap<Address, PrivateKeySigner>,
    /// What policies sign consents for.
    pub(crate) domain: B256,
}

impl Stage {
    /// The sample market on contracts, with a plain account in the rung's place.
    pub(crate) fn set() -> Self {
        Self::with(false)
    }

    /// The same with the proof rung as it is deployed.
    pub(crate) fn with_proofs() -> Self {
        Self::with(true)
    }

    fn with(proofs: bool) -> Self {
        let mut scene = Scene::sample();
        let mut chain = Chain::new(scene.clock);
        let keys = keys();
        let asset = chain.create(DEPLOYER, token_code());
        let core = Core::deploy(&mut chain, &scene.deployment, proofs);
        let domain = chain.view(core.policies, &Policies::DOMAIN_SEPARATORCall {});
        scene.deployment = Deployment {
            catalog: core.catalog,
            incidents: core.incidents,
            policies: core.policies,
            treaties: core.treaties,
            underwriting: core.underwriting,
            rungs: core.rungs.iter().copied().collect(),
            ..scene.deployment
        };
        scene.users = keys.keys().copied().collect();
        // The factory's first creation was the code of all treaties.
        scene.treaties = (2..).take(scene.treaties.len()).map(|nonce| core.treaties.create(nonce)).collect();
        let mut stage = Self {
            chain,
            catalog: core.catalog,
            incidents: core.incidents,
            policies: core.policies,
            asset,
            scene,
            keys,
            domain,
        };
        stage.name_committees();
        stage.list(&core);
        stage.make_pools(&core);
        stage.fill_purses();
        stage
    }

    /// The twin of the stage.
    pub(crate) fn world(&self) -> World {
        let mut world = self.scene.world().expect("the catalog took the same terms");
        // The scene's own purses are of its own making; here everybody has what the token says.
        world.ledger = breakwater_policy::ledger::Ledger::default();
        for account in self.purses() {
            world.ledger.mint(self.asset, account, U256::from(PURSE)).expect("a purse fits");
        }
        world
    }

    /// Everybody who begins with money.
    pub(crate) fn purses(&self) -> Vec<Address> {
        self.scene.users.iter().copied().chain([CURATOR]).collect()
    }

    fn list(&mut self, core: &Core) {
        let chain = &mut self.chain;
        let mut gauges: Vec<(B256, GaugeInfo)> = Vec::new();
        for spec in gauge_specs(self.asset, self.scene.clock.time) {
            let call = Catalog::listGaugeCall { spec: spec.into(), priors: Vec::new() };
            let gauge = chain.call(DEPLOYER, core.catalog, &call).expect("the gauge is good");
            let info = chain.view(core.catalog, &Catalog::gaugeInfoCall { gauge });
            gauges.push((gauge, gauge_info(&info)));
        }
        let trigger = sample_trigger(&gauges[0].1);
        let call = Catalog::listTriggerCall { trigger };
        let gauge = chain.call(DEPLOYER, core.catalog, &call).expect("the trigger is good");
        let info = chain.view(core.catalog, &Catalog::gaugeInfoCall { gauge });
        gauges.push((gauge, gauge_info(&info)));
        let ids: Vec<B256> = gauges.iter().map(|(id, _)| *id).collect();
        self.scene.gauges = gauges;
        self.scene.products = sample_products(&ids, self.asset, self.scene.users[0])
            .into_iter()
            .map(|terms| {
                let product = product_terms(&terms);
                let info = chain.view(core.catalog, &Catalog::gaugeInfoCall { gauge: terms.gauge });
                let text = chain.view(
                    core.wording,
                    &Wording::wordingCall { terms: wording_terms(&product), gauge: wording_gauge(&info) },
                );
                let call = Catalog::listProductCall { terms: product, hash: keccak256(text) };
                (chain.call(DEPLOYER, core.catalog, &call).expect("the product is good"), terms)
            })
            .collect();
    }

    fn make_pools(&mut self, core: &Core) {
        let chain = &mut self.chain;
        let mut salt = 0;
        self.scene.pools = sample_configs(self.asset, CURATOR)
            .into_iter()
            .map(|config| {
                salt += 1;
                let call = Factory::createPoolCall {
                    config: pool_config(&config, core.underwriting),
                    salt: B256::with_last_byte(salt),
                };
                let pool = chain.call(DEPLOYER, core.factory, &call).expect("the config is good");
                let tranche = |chain: &mut Chain, index| {
                    chain.view(pool, &Pool::trancheCall { index: U256::from(index) })
                };
                let tranches = [tranche(chain, 1), tranche(chain, 2), tranche(chain, 3)];
                (pool, tranches, config)
            })
            .collect();
    }

    fn fill_purses(&mut self) {
        let tranches: Vec<Address> =
            self.scene.pools.iter().flat_map(|(_, tranches, _)| tranches.to_vec()).collect();
        let pools: Vec<Address> = self.scene.pools.iter().map(|(pool, _, _)| *pool).collect();
        let treaties = self.scene.treaties.clone();
        for account in self.purses() {
            let mint = RefusingToken::mintCall { to: account, amount: U256::from(PURSE) };
            self.chain.call(account, self.asset, &mint).expect("anyone may mint");
            let spenders = [&tranches[..], &pools, &treaties, &[self.policies]].concat();
            for spender in spenders {
                let approve = RefusingToken::approveCall { spender, amount: U256::MAX };
                self.chain.call(account, self.asset, &approve).expect("anyone may approve");
            }
        }
    }
}

/// What the market stands on.
struct Core {
    catalog: Address,
    wording: Address,
    incidents: Address,
    policies: Address,
    factory: Address,
    treaties: Address,
    underwriting: Address,
    rungs: Vec<(Address, Rung)>,
}

impl Core {
    fn deploy(chain: &mut Chain, terms: &Deployment, proofs: bool) -> Self {
        let mut create = |name: &str, arguments: Vec<u8>| {
            chain.create(DEPLOYER, code(name, &Libraries::new(), &arguments))
        };
        let manager = AccessManager::constructorCall { initialAdmin: DEPLOYER };
        let authority = create("AccessManager", manager.abi_encode());
        let times = Wording::Times {
            dwell: terms.dwell,
            claimWindow: terms.claim_window as u32,
            quorumWindow: terms.quorum_window,
            assemblyWindow: terms.assembly_window,
            guardianDelay: terms.guardian_delay,
            heavyBps: terms.heavy_bps,
        };
        let wording = Wording::constructorCall { times_: times };
        let wording = create("Wording", wording.abi_encode());
        let catalog = create("Catalog", Catalog::constructorCall { authority, wording }.abi_encode());
        let incidents = Incidents::constructorCall { catalog_: catalog, authority };
        let incidents = create("Incidents", incidents.abi_encode());
        let desk = PolicyDesk::constructorCall { catalog_: catalog, incidents_: incidents };
        let desk_ = create("PolicyDesk", desk.abi_encode());
        let policies = Policies::constructorCall { catalog_: catalog, incidents_: incidents, desk_ };
        let policies = create("Policies", policies.abi_encode());
        let bookings = create("Bookings", Vec::new());
        let mut rungs = RUNGS.to_vec();
        if proofs {
            let history_ = create("EthereumHistory", Vec::new());
            let rung = ProofRung::constructorCall { history_, catalog_: catalog, incidents_: incidents };
            rungs[0].0 = create("ProofRung", rung.abi_encode());
        }
        let wire = Incidents::wireCall {
            policies_: policies,
            contracts: rungs.iter().map(|(contract, _)| *contract).collect(),
            rungs: rungs.iter().map(|(_, rung)| *rung as u8).collect(),
        };
        let underwriting = create("Underwriting", Underwriting::constructorCall { authority }.abi_encode());
        let idle = create("Idle", Vec::new());
        let treaties =
            create("TreatyFactory", TreatyFactory::constructorCall { catalog_: catalog }.abi_encode());
        let libraries = Libraries::from([("Bookings".to_owned(), bookings), ("Idle".to_owned(), idle)]);
        let mut linked =
            |name: &str, arguments: Vec<u8>| chain.create(DEPLOYER, code(name, &libraries, &arguments));
        let desk =
            PoolDesk::constructorCall { catalog_: catalog, incidents_: incidents, treaties_: treaties };
        let desk = linked("PoolDesk", desk.abi_encode());
        let pool =
            Pool::constructorCall { catalog_: catalog, incidents_: incidents, policies_: policies, desk };
        let pool_ = linked("Pool", pool.abi_encode());
        let tranche_ = linked("Tranche", Vec::new());
        let factory = Factory::constructorCall { catalog_: catalog, pool_, tranche_ };
        let factory = linked("Factory", factory.abi_encode());
        let register = Catalog::wireCall { factory_: factory };
        chain.call(DEPLOYER, catalog, &register).expect("the deployer is admin");
        chain.call(DEPLOYER, incidents, &wire).expect("nothing was wired before");
        Self { catalog, wording, incidents, policies, factory, treaties, underwriting, rungs }
    }
}

fn code(name: &str, libraries: &Libraries, arguments: &[u8]) -> Bytes {
    let artifact = Artifact::load(name).expect("the artifact is committed");
    artifact.init_code(libraries, arguments).expect("the libraries are given")
}

fn token_code() -> Bytes {
    const FILE: &str = include_str!("../../../../contracts/artifacts/RefusingToken.json");
    let artifact: serde_json::Value = serde_json::from_str(FILE).expect("an artifact is JSON");
    hex::decode(artifact["bytecode"].as_str().expect("it has code")).expect("code is hex").into()
}

/// Keys by their accounts.
fn keys() -> BTreeMap<Address, PrivateKeySigner> {
    (0..USERS)
        .map(|i| {
            let secret = keccak256(format!("twin user {i}"));
            let key = PrivateKeySigner::from_bytes(&secret).expect("a hash is a key, nearly always");
            (key.address(), key)
        })
        .collect()
}

/// A vault and a bank. Nobody reads them here: the rung asserts what it likes.
pub(crate) fn gauge_specs(asset: Address, now: Time) -> [gauges::GaugeSpec; 2] {
    let term = |side, offset| gauges::Term {
        account: 0,
        side,
        native: false,
        slot: B256::ZERO,
        offset,
        width: 128,
        scale: 1,
    };
    let ratio = gauges::GaugeSpec {
        chainId: U256::from(CHAIN_ID),
        form: gauges::Form::Ratio,
        asset,
        threshold: WAD / 20,
        growth: WAD / 10,
        pinnedAt: now.0,
        floor: 1_000_000,
        assets0: 1_000_000,
        shares0: 1_000_000,
        accounts: vec![gauges::PinnedAccount {
            account: address!("0x00000000000000000000000000000000000000e0"),
            codeHash: keccak256("code"),
        }],
        pins: Vec::new(),
        terms: vec![term(gauges::Side::AssetAdd, 0), term(gauges::Side::ClaimAdd, 128)],
        holding: gauges::Holding {
            account: 0,
            vyper: false,
            nested: false,
            offset: 0,
            width: 256,
            scale: 1,
            word: 0,
            base: B256::with_last_byte(2),
            innerKey: B256::ZERO,
        },
    };
    let par = gauges::GaugeSpec {
        form: gauges::Form::Par,
        threshold: WAD / 10,
        growth: 0,
        pinnedAt: 0,
        assets0: 0,
        shares0: 0,
        accounts: vec![gauges::PinnedAccount {
            account: address!("0x00000000000000000000000000000000000000e1"),
            codeHash: keccak256("code"),
        }],
        ..ratio.clone()
    };
    [ratio, par]
}

fn gauge_info(info: &Catalog::GaugeInfo) -> GaugeInfo {
    GaugeInfo {
        subject: info.subject,
        asset: info.asset,
        threshold: Wad::new(info.threshold),
        listed_at: Time(info.listedAt.into()),
        account: info.account,
        form: form(info.form),
        rungs: info.rungs,
        trigger: info.trigger,
        placed: info.placed,
    }
}

/// What reporters alone may tell of the vault's positions.
fn sample_trigger(vault: &GaugeInfo) -> Catalog::Trigger {
    Catalog::Trigger {
        chainId: U256::from(CHAIN_ID),
        rungs: 8,
        asset: vault.asset,
        subject: vault.account,
        selector: Default::default(),
        claims: vault.subject,
        threshold: vault.threshold.get(),
        terms: Default::default(),
    }
}

/// A form by its number in the ABI.
pub(crate) fn form(number: u8) -> Form {
    [Form::Ratio, Form::Par, Form::Enumerated, Form::Geometric][usize::from(number)]
}

fn product_terms(terms: &Product) -> Catalog::Product {
    Catalog::Product {
        gauge: terms.gauge,
        kind: terms.kind as u8,
        asset: terms.asset,
        registrant: terms.registrant,
        unitNum: terms.unit_num,
        unitDen: terms.unit_den,
        minSum: terms.min_sum,
        eventLimit: terms.event_limit,
        deductibleBps: terms.deductible.get() as u16,
        lossCapBps: terms.loss_cap.get() as u16,
        bountyBps: terms.bounty.get() as u16,
        instant: terms.instant,
        waitingPeriod: terms.waiting_period as u32,
        reportWindow: terms.report_window as u32,
        minTerm: terms.min_term as u32,
        maxTerm: terms.max_term as u32,
        salvage: Address::ZERO,
    }
}

fn wording_terms(terms: &Catalog::Product) -> Wording::Product {
    use alloy::sol_types::SolValue;
    Wording::Product::abi_decode(&terms.abi_encode()).expect("the same struct")
}

fn wording_gauge(info: &Catalog::GaugeInfo) -> Wording::GaugeInfo {
    use alloy::sol_types::SolValue;
    Wording::GaugeInfo::abi_decode(&info.abi_encode()).expect("the same struct")
}

fn pool_config(config: &PoolConfig, underwriting: Address) -> Factory::PoolConfig {
    Factory::PoolConfig {
        asset: config.asset,
        curator: config.curator,
        epoch: config.epoch as u32,
        cooldown: config.cooldown as u32,
        leverageBps: config.leverage.get(),
        curatorShareBps: config.curator_share.get() as u16,
        subordinationBps: config.subordination.get() as u16,
        surplusBps: config.surplus.get() as u16,
        weightBps: config.weights.map(|weight| weight.get() as u16),
        costOfCapital: config.cost_of_capital.get(),
        kink: config.kink.get(),
        scarcityKink: config.scarcity_kink.get(),
        scarcityFull: config.scarcity_full.get(),
        surgeSlope: config.surge_slope.get(),
        surgeMax: config.surge_max.get(),
        surgeHalfLife: config.surge_half_life as u32,
        underwriting: if config.certified { underwriting } else { Address::ZERO },
        gate: Address::ZERO,
        curatorFeeBps: config.curator_fee.get() as u16,
    }
}

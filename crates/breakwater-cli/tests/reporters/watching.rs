//! The keeper alone beside a canary: it probes when that changes something, opens what is ripe, and settles.

use std::process::Child;
use std::time::{Duration, Instant};

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::rpc::types::Filter;
use alloy::sol_types::{SolCall, SolConstructor, SolEvent, SolValue};
use breakwater_bindings::contracts::{Canary, CanaryRung};
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::triggers::{CANARY_BIT, CanaryTerms, Claims, Holding, PinnedAccount};
use breakwater_bindings::{Catalog, Incidents, Policies, Wording};

use crate::support::author::creation_code;
use crate::support::has_anvil;
use crate::support::stage::{DAY, DOLLAR, Stage, Who};
use crate::town::{KEEPER, spawn};

alloy::sol! {
    function deposit(uint256 assets, address receiver) external;
    function redeem(uint256 shares, address receiver, address owner) external;
    function rebalance(address strategy, uint256 amount) external;
}

/// Seconds between two failures that count.
const SPACING: u32 = 3_600;
/// Seconds after which the keeper looks again.
const LOOK_S: u64 = 500;
/// Two thousand dollars, which is all that the trigger counts.
const BASE: u64 = 2_000 * DOLLAR;

struct Aviary {
    stage: Stage,
    vault: Address,
    keeper: Option<Child>,
}

impl Drop for Aviary {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            keeper.kill().unwrap();
            keeper.wait().unwrap();
        }
    }
}

impl Aviary {
    /// A vault with a canary in it, and a product on it that the buyer alone may take.
    fn build() -> Self {
        let mut stage = Stage::build();
        let arguments = (stage.asset, stage.address(Who::Deployer)).abi_encode();
        let vault = stage.create([creation_code("StrategyVault").to_vec(), arguments].concat());
        let amount = U256::from(DOLLAR);
        let out = redeemCall { shares: amount, receiver: Address::ZERO, owner: Address::ZERO };
        let arguments = Canary::constructorCall {
            target_: vault,
            input_: out.abi_encode().into(),
            // The second and the third word of the arguments are the canary's own address.
            own: U256::from(0b110),
            asset_: stage.asset,
            least_: amount,
            spends_: Address::ZERO,
        };
        let canary = stage.create([creation_code("Canary").to_vec(), arguments.abi_encode()].concat());
        let deployer = stage.address(Who::Deployer);
        stage.send(Who::Deployer, stage.asset, &DemoToken::mintCall { to: deployer, amount });
        stage.send(Who::Deployer, stage.asset, &DemoToken::approveCall { spender: vault, value: amount });
        stage.send(Who::Deployer, vault, &depositCall { assets: amount, receiver: canary });
        stage.gauge = list(&stage, vault, canary);
        stage.product = list_product(&stage);
        stage.open_for_business();
        Self { stage, vault, keeper: None }
    }

    fn events<E: SolEvent>(&self, of: Address) -> Vec<E> {
        let (stage, endpoints) = (&self.stage, self.stage.endpoints());
        let filter = Filter::new().address(of).event_signature(E::SIGNATURE_HASH);
        let logs = stage.runtime.block_on(async {
            let head = endpoints.head_number().await.unwrap();
            endpoints.logs(0..=head, &filter).await.unwrap()
        });
        logs.iter().map(|log| E::decode_log(&log.inner).unwrap().data).collect()
    }

    /// Successes and failures of all probes so far.
    fn probes(&self) -> Vec<bool> {
        let probed: Vec<CanaryRung::Probed> = self.events(self.stage.deployment().canary_rung);
        probed.into_iter().map(|probed| probed.success).collect()
    }

    /// Lets time pass and waits until the keeper did something about it.
    fn pass_until(&self, seconds: u64, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        if seconds > 0 {
            self.stage.pass(seconds);
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds(self) {
            let log =
                std::fs::read_to_string(self.stage.path(&format!("node{KEEPER}.log"))).unwrap_or_default();
            assert!(Instant::now() < deadline, "{what}: not in time {log}");
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

fn list(stage: &Stage, vault: Address, canary: Address) -> B256 {
    // Custom cover may name no place of claims: the registrant is paid.
    let nowhere = Claims::mapping(PinnedAccount { account: Address::ZERO, codeHash: B256::ZERO }, 0);
    let nowhere = Claims { holding: Holding { width: 0, scale: 0, ..nowhere.holding }, ..nowhere };
    let terms = CanaryTerms {
        canary,
        breaker: Address::ZERO,
        gasLimit: 500_000,
        spacing: SPACING,
        base: u128::from(BASE),
        claims: nowhere,
    };
    let trigger = Catalog::Trigger {
        chainId: U256::from(31_337),
        rungs: CANARY_BIT,
        asset: stage.asset,
        subject: vault,
        selector: Default::default(),
        claims: B256::ZERO,
        threshold: 10_000_000_000_000_000,
        terms: terms.encode().into(),
    };
    let id = keccak256((keccak256("breakwater.trigger/1"), trigger.clone()).abi_encode_params());
    let same = CanaryRung::Trigger::abi_decode(&trigger.abi_encode()).unwrap();
    let catalog = stage.deployment().catalog;
    stage.send(Who::Deployer, catalog, &Catalog::listTriggerCall { trigger });
    stage.send(Who::Other, stage.deployment().canary_rung, &CanaryRung::enrolCall { trigger: same });
    id
}

fn list_product(stage: &Stage) -> B256 {
    let terms = Catalog::Product {
        gauge: stage.gauge,
        // Kind.Custom
        kind: 7,
        asset: stage.asset,
        registrant: stage.address(Who::Buyer),
        unitNum: 1,
        unitDen: 1,
        minSum: u128::from(DOLLAR),
        eventLimit: 0,
        deductibleBps: 0,
        lossCapBps: 10_000,
        bountyBps: 50,
        instant: false,
        waitingPeriod: DAY as u32,
        reportWindow: 7 * DAY as u32,
        minTerm: DAY as u32,
        maxTerm: 365 * DAY as u32,
        salvage: Address::ZERO,
    };
    let catalog = stage.deployment().catalog;
    let gauge = stage.view(catalog, &Catalog::gaugeInfoCall { gauge: stage.gauge });
    let call = Wording::wordingCall {
        terms: Wording::Product::abi_decode(&terms.abi_encode()).unwrap(),
        gauge: Wording::GaugeInfo::abi_decode(&gauge.abi_encode()).unwrap(),
    };
    let text = stage.view(stage.deployment().wording, &call);
    let id = keccak256(terms.abi_encode());
    stage.send(Who::Deployer, catalog, &Catalog::listProductCall { terms, hash: keccak256(text) });
    id
}

#[test]
fn a_canary_that_cannot_get_out_any_more_is_probed_opened_and_settled() {
    if !has_anvil() {
        return;
    }
    let mut town = Aviary::build();
    town.keeper = Some(spawn(&town.stage, KEEPER, &[]));
    town.pass_until(0, "the first probe", |town| town.probes() == [true]);
    let product = town.stage.product.to_string();
    town.stage.done(Who::Buyer, &["buy", "--product", &product, "--sum", "2000", "--days", "30"]);
    // Looks that would change nothing are not sent.
    town.stage.pass(LOOK_S);
    town.stage.pass(LOOK_S);
    // The cover begins, and a healthy look dates it.
    town.pass_until(DAY + 1, "the cover is dated", |town| town.probes() == [true, true]);
    // All of the vault's money goes elsewhere, and nobody gets out.
    let amount = town.stage.view(town.stage.asset, &DemoToken::balanceOfCall { account: town.vault });
    let call = rebalanceCall { strategy: Address::repeat_byte(0x66), amount };
    town.stage.send(Who::Deployer, town.vault, &call);
    town.pass_until(LOOK_S, "the first failure", |town| town.probes() == [true, true, false]);
    let (deployment, spacing) = (town.stage.deployment(), u64::from(SPACING));
    town.pass_until(spacing, "the second failure", |town| town.probes() == [true, true, false, false]);
    town.pass_until(LOOK_S, "an incident", |town| {
        !town.events::<Incidents::Opened>(deployment.incidents).is_empty()
    });
    town.pass_until(0, "paid", |town| {
        town.stage.mine(1);
        !town.events::<Policies::Settled>(deployment.policies).is_empty()
    });
    let settled: Vec<Policies::Settled> = town.events(deployment.policies);
    assert_eq!(settled[0].due, U256::from(BASE));
    assert_eq!(town.probes().len(), 4, "and no probe in vain");
}

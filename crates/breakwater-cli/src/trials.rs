//! Trials of the keeper: crashes, reorganisations, endpoints that lie or fail, transactions that nobody mines.
//!
//! In each the bank of the demo is drained under protocol cover, and in the end the loss must have been
//! asserted once, and the holder paid.

#[path = "../../breakwater-chain/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use alloy::consensus::Transaction as _;
use alloy::primitives::{Address, B256, U64, U256};
use alloy::rpc::types::Filter;
use alloy::sol_types::{SolCall, SolConstructor, SolEvent};
use breakwater_bindings::demo::{DemoBank, DemoBankAttack};
use breakwater_bindings::{Incidents, Policies, Pool, ProofRung};
use breakwater_chain::{Anvil, Endpoints};
use serde_json::{Value, json};

use self::support::{Proxy, Twist, edit, endpoints};
use crate::keeper::LocalKeeper;
use crate::local::{Actor, Call, Genesis, Local};
use crate::market::{Cast, Market, Setup};
use crate::replay::cover::Cover;

/// Fast, and with money far above the bank's.
const SETUP: Setup = Setup {
    symbol: "UNIT",
    decimals: 18,
    epoch: 1,
    cooldown: 1,
    waiting: 1,
    junior: 200_000_000_000_000_000_000_000_000_000,
    mezzanine: 300_000_000_000_000_000_000_000_000_000,
    senior: 500_000_000_000_000_000_000_000_000_000,
    purse: 100_000_000_000_000_000_000_000_000_000,
};

/// Blocks in which everything must be settled: a dwell, an answer or two, and slack.
const BLOCKS_MAX: u64 = 120;

/// What the thief takes, in ether: all of the honest deposits.
const LOSS_ETHER: u64 = 30;

struct Trial {
    local: Local,
    market: Market,
    bank: Address,
    thief: Actor,
    journal: tempfile::TempDir,
}

impl Trial {
    /// A market with cover in force on a bank that holds money; none without anvil.
    async fn begin() -> Option<Self> {
        if Anvil::find().is_err() {
            println!("SKIPPED 1 test: no anvil binary found");
            return None;
        }
        let (cast, thief) = (Cast::new(), Actor::new("thief"));
        let users = [Actor::new("erin"), Actor::new("frank")];
        let actors: Vec<&Actor> = cast.all().into_iter().chain(&users).chain([&thief]).collect();
        let genesis =
            Genesis { chain_id: 31337, time: 1_767_571_200, base_fee: 1_000_000_000, alloc: BTreeMap::new() };
        let mut local = Local::start(&genesis, &actors).await.unwrap();
        let market = Market::open(&mut local, cast, SETUP).await.unwrap();
        let code = DemoBank::BYTECODE.to_vec();
        let bank = local.create(&market.cast.deployer, "the bank", code).await.unwrap();
        let first = local.head().await.unwrap().number();
        for (user, ether) in users.iter().zip([20, 11]) {
            let deposit = Call::to("deposit", bank, &DemoBank::depositCall {}).with_value(wei(ether));
            local.run(user, deposit).await.unwrap();
        }
        let withdraw = DemoBank::withdrawCall { amount: wei(1) };
        local.run(&users[1], Call::to("withdraw", bank, &withdraw)).await.unwrap();
        let mut cover = Cover::new(bank, first);
        cover.seek(&mut local, &market).await.unwrap();
        assert!(cover.waits(local.time()), "no product: {cover:?}");
        while !cover.buy(&mut local, &market).await.unwrap() {
            local.seal(local.time() + 1).await.unwrap();
        }
        while cover.waits(local.time()) {
            local.seal(local.time() + 1).await.unwrap();
        }
        let journal = tempfile::tempdir().unwrap();
        Some(Self { local, market, bank, thief, journal })
    }

    fn journal(&self) -> PathBuf {
        self.journal.path().join("keeper.sqlite")
    }

    async fn keeper(&self, endpoints: &Endpoints) -> LocalKeeper {
        LocalKeeper::open(&self.local, &self.market, &self.journal(), endpoints).await.unwrap()
    }

    async fn attack(&mut self) {
        let argument = DemoBankAttack::constructorCall { bank: self.bank }.abi_encode();
        let code = [DemoBankAttack::BYTECODE.as_ref(), &argument].concat();
        let create = Call::create("creating the thief's contract", code).with_value(wei(10));
        let receipt = self.local.run(&self.thief, create).await.unwrap();
        let at = receipt.created.unwrap();
        self.local.run(&self.thief, Call::to("attack", at, &DemoBankAttack::attackCall {})).await.unwrap();
    }

    async fn next_block(&mut self) {
        self.local.seal(self.local.time() + 1).await.unwrap();
    }

    async fn count<E: SolEvent>(&self, of: Address) -> usize {
        let head = self.local.head().await.unwrap().number();
        let filter = Filter::new().address(of).event_signature(E::SIGNATURE_HASH);
        self.local.endpoints().logs(0..=head, &filter).await.unwrap().len()
    }

    /// Whether the incident is final and nine tenths of the loss were paid, to the unit.
    async fn is_paid(&self) -> bool {
        let policies = self.market.deployment.policies;
        let head = self.local.head().await.unwrap().number();
        let filter = Filter::new().address(policies).event_signature(Policies::Settled::SIGNATURE_HASH);
        let logs = self.local.endpoints().logs(0..=head, &filter).await.unwrap();
        let settled = logs.iter().map(|log| Policies::Settled::decode_log(&log.inner).unwrap().data);
        let paid = settled.map(|settled| settled.paid).fold(U256::ZERO, |sum, paid| sum + paid);
        let finals = self.count::<Incidents::Finalised>(self.market.deployment.incidents).await;
        finals == 1 && paid == wei(LOSS_ETHER) * U256::from(9) / U256::from(10)
    }

    /// Calls of the keeper's that assert, whatever became of them.
    async fn assertions_sent(&self) -> usize {
        self.sent(&ProofRung::assertLossCall::SELECTOR).await
    }

    /// Mined calls of the keeper's with this selector.
    async fn sent(&self, wanted: &[u8; 4]) -> usize {
        let keeper = self.market.cast.keeper.address();
        let head = self.local.head().await.unwrap().number();
        let mut sent = 0;
        for number in 1..=head {
            let at = self.local.endpoints().head_at(number, None).await.unwrap();
            let transactions = self.local.endpoints().transactions(&at).await.unwrap();
            for transaction in &transactions {
                let selector = transaction.input().get(..4).map(<[u8]>::to_vec);
                let is_wanted = selector.as_deref() == Some(wanted.as_slice());
                sent += usize::from(is_wanted && transaction.inner.signer() == keeper);
            }
        }
        sent
    }

    async fn opened(&self) -> usize {
        self.count::<Incidents::Opened>(self.market.deployment.incidents).await
    }
}

fn wei(ether: u64) -> U256 {
    U256::from(ether) * U256::from(1_000_000_000_000_000_000_u64)
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Runs the keeper through the attack, crashing it at random points of its work.
async fn crashes(seed: u64) {
    let Some(mut trial) = Trial::begin().await else { return };
    let mut dice = Dice(seed);
    let honest = trial.local.endpoints().clone();
    let (mut crashes, mut in_a_row) = (0, 0);
    for block in 0..BLOCKS_MAX {
        if block == 3 {
            trial.attack().await;
        }
        // Dropped wherever it happens to wait; what is on disk is all that is left of it.
        let work = async {
            let mut keeper = trial.keeper(&honest).await;
            keeper.tick().await
        };
        // On a slow machine no tick would ever end; each crash in a row gives the next one more time.
        let limit = Duration::from_millis(10 + dice.roll(400) + 100 * in_a_row);
        match tokio::time::timeout(limit, work).await {
            Ok(report) => {
                drop(report.unwrap());
                in_a_row = 0;
            }
            Err(_) => (crashes, in_a_row) = (crashes + 1, in_a_row + 1),
        }
        trial.next_block().await;
        if block > 40 && trial.is_paid().await {
            break;
        }
    }
    println!("seed {seed}: {crashes} crashes");
    assert!(trial.is_paid().await, "seed {seed}: not paid");
    assert_eq!(trial.opened().await, 1, "seed {seed}");
    assert_eq!(trial.assertions_sent().await, 1, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_crashes_again_and_again_asserts_once_and_pays() {
    for seed in [1, 2] {
        crashes(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_hundreds_of_crashes() {
    if std::env::var_os("BREAKWATER_LONG").is_none() {
        println!("SKIPPED 1 test: BREAKWATER_LONG is not set");
        return;
    }
    for seed in 10..40 {
        crashes(seed).await;
    }
}

/// Ticks and makes blocks until the holder is paid.
async fn run_until_paid(trial: &mut Trial, keeper: &mut LocalKeeper) {
    for _ in 0..BLOCKS_MAX {
        // An endpoint may fail for a while; the next tick takes the block up again.
        if let Err(error) = keeper.tick().await {
            println!("tick: {error}");
        }
        trial.next_block().await;
        if trial.is_paid().await {
            return;
        }
    }
    panic!("not paid after {BLOCKS_MAX} blocks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_is_reorganised_away_and_comes_back_is_paid_once() {
    let Some(mut trial) = Trial::begin().await else { return };
    let honest = trial.local.endpoints().clone();
    let mut keeper = trial.keeper(&honest).await;
    keeper.tick().await.unwrap();
    let before: U256 = honest.request("evm_snapshot", ()).await.unwrap();
    trial.attack().await;
    keeper.tick().await.unwrap();
    trial.next_block().await;
    keeper.tick().await.unwrap();
    assert_eq!(trial.opened().await, 1);
    // The chain goes back to before the attack and grows another way.
    let reverted: bool = honest.request("evm_revert", [before]).await.unwrap();
    assert!(reverted);
    trial.local.forget_nonces();
    for _ in 0..4 {
        trial.next_block().await;
    }
    keeper.tick().await.unwrap();
    trial.next_block().await;
    assert_eq!(trial.opened().await, 0, "nothing was lost on this branch");
    trial.attack().await;
    run_until_paid(&mut trial, &mut keeper).await;
    assert_eq!(trial.opened().await, 1);
}

/// Runs the keeper beside an endpoint that answers one method falsely.
async fn lies(method: &'static str) {
    let Some(mut trial) = Trial::begin().await else { return };
    let node = trial.local.url().clone();
    let liar = Proxy::with(&node, move |asked, _| {
        if asked != method {
            return Twist::Pass;
        }
        edit(move |mut answer: Value| {
            match method {
                // The bank looks as rich as ever.
                "eth_getProof" => answer["balance"] = json!("0x1b1ae4d6e2ef500000"),
                "eth_getBlockByNumber" => answer["stateRoot"] = json!(B256::repeat_byte(0x11)),
                _ => answer = json!([]),
            }
            answer
        })
    })
    .await;
    let (second, third) = (Proxy::new(&node).await, Proxy::new(&node).await);
    let mixed = endpoints(&[&liar.url, &second.url, &third.url]);
    let mut keeper = trial.keeper(&mixed).await;
    keeper.tick().await.unwrap();
    trial.attack().await;
    run_until_paid(&mut trial, &mut keeper).await;
    assert_eq!(trial.opened().await, 1, "{method}");
    assert!(liar.count(method) > 0, "{method}: the liar was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_lies_about_proofs_changes_nothing() {
    lies("eth_getProof").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_lies_about_blocks_changes_nothing() {
    lies("eth_getBlockByNumber").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hides_receipts_or_logs_changes_nothing() {
    lies("eth_getBlockReceipts").await;
    lies("eth_getLogs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_lags_and_fails_is_survived() {
    let Some(mut trial) = Trial::begin().await else { return };
    let node = trial.local.url().clone();
    let mut calls = 0;
    let flaky = Proxy::with(&node, move |_, _| {
        calls += 1;
        match calls % 7 {
            1 | 2 => Twist::Status(503),
            3 => Twist::Error(-32000, "header not found"),
            4 => Twist::Delay(Duration::from_millis(30)),
            _ => Twist::Pass,
        }
    })
    .await;
    let steady = Proxy::new(&node).await;
    let mixed = endpoints(&[&flaky.url, &steady.url]);
    let mut keeper = trial.keeper(&mixed).await;
    trial.attack().await;
    run_until_paid(&mut trial, &mut keeper).await;
    assert_eq!(trial.opened().await, 1);
    assert_eq!(trial.assertions_sent().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_nobody_mines_is_replaced_by_a_dearer_one() {
    let Some(mut trial) = Trial::begin().await else { return };
    let honest = trial.local.endpoints().clone();
    let mut keeper = trial.keeper(&honest).await;
    keeper.tick().await.unwrap();
    trial.attack().await;
    keeper.tick().await.unwrap();
    assert!(trial.local.pooled().await.unwrap() > 0, "the assertion waits");
    // Suddenly a block costs more than what was offered, for a while.
    for _ in 0..6 {
        let dear = U64::from(20_000_000_000_u64);
        let _: Value = honest.request("anvil_setNextBlockBaseFeePerGas", [dear]).await.unwrap();
        trial.next_block().await;
        keeper.tick().await.unwrap();
    }
    run_until_paid(&mut trial, &mut keeper).await;
    assert_eq!(trial.opened().await, 1);
    assert_eq!(trial.assertions_sent().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_nobody_touches_is_brought_up_to_now() {
    let Some(mut trial) = Trial::begin().await else { return };
    let honest = trial.local.endpoints().clone();
    let mut keeper = trial.keeper(&honest).await;
    keeper.tick().await.unwrap();
    // Days are brought up where premium was earned, and a product's once a week while none of its cover ends.
    for _ in 0..8 {
        let day = trial.local.time() + 86_400;
        trial.local.seal(day).await.unwrap();
        // More than one look a day changes nothing.
        for _ in 0..2 {
            keeper.tick().await.unwrap();
            trial.next_block().await;
        }
    }
    assert_eq!(trial.sent(&Pool::accrueCall::SELECTOR).await, 8);
    assert_eq!(trial.sent(&Pool::rollCall::SELECTOR).await, 1);
}

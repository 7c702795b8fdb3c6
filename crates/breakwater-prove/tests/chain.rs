//! From a drain on a real chain to an incident: proofs over RPC, evidence, and the deployed contracts' verdict.

// A test that cannot drive its own chain must stop.
#![allow(clippy::unwrap_used)]

#[path = "support/liar.rs"]
mod liar;
#[path = "../../breakwater-bindings/tests/support/local.rs"]
mod local;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolConstructor};
use breakwater_bindings::demo::{DemoBank, DemoBankAttack, DemoToken, DemoVault, DemoVaultAttack};
use breakwater_bindings::deploy::{Answer, Chain, plan, run};
use breakwater_bindings::{Catalog, Deployment, Incidents, ProofRung};
use breakwater_bindings::{errors, gauges};
use breakwater_chain::{ChainError, Endpoints, Fault, Limits};
use breakwater_policy::measure::{self, Holding as Held};
use breakwater_prove::block::{BlockError, BlockProof};
use breakwater_prove::evidence::{CALLDATA_BYTES_MAX, Delivery, Evidence, position_reads};
use breakwater_prove::gauge::{Form, GaugeSpec, Holding, PinnedAccount, Reading, Side, Term, evidence_hash};
use local::{Local, config};
use serde_json::json;

const WAD: u64 = 1_000_000_000_000_000_000;

/// A chain with Breakwater on it.
struct World {
    local: Local,
    to: Deployment,
    accounts: Vec<Address>,
}

impl World {
    async fn start(test: &str) -> Option<Self> {
        let local = Local::start(test, &[])?;
        let mut config = config(&local).await;
        config.pools.clear();
        let to = run(&plan(&config).unwrap(), &local, |_, _| {}).await.unwrap();
        let accounts = local.accounts().await;
        Some(Self { local, to, accounts })
    }

    async fn create(&self, init: &[u8], arguments: &[u8], value: U256) -> Address {
        let data = Bytes::from([init, arguments].concat());
        let transaction = json!({ "from": self.accounts[9], "data": data, "value": value });
        self.local.transact(transaction).await.unwrap().contract_address.unwrap()
    }

    /// Sends a call; the gas it used and the block it is in.
    async fn send(&self, from: Address, to: Address, call: &impl SolCall, value: U256) -> (u64, u64) {
        let data = Bytes::from(call.abi_encode());
        // An estimate is made on the block before, in which less gas may do.
        let gas = U256::from(12_000_000);
        let transaction = json!({ "from": from, "to": to, "data": data, "value": value, "gas": gas });
        let receipt = self.local.transact(transaction).await.unwrap();
        (receipt.gas_used, receipt.block_number.unwrap())
    }

    async fn ask<C: SolCall>(&self, to: Address, call: &C) -> C::Return {
        match self.local.call(Address::ZERO, to, call.abi_encode().into()).await.unwrap() {
            Answer::Returned(data) => C::abi_decode_returns(&data).unwrap(),
            Answer::Reverted(data) => panic!("reverted: {data}"),
        }
    }

    /// Why the contract refuses a call; its error's name.
    async fn refusal(&self, from: Address, to: Address, call: &impl SolCall) -> String {
        match self.local.call(from, to, call.abi_encode().into()).await.unwrap() {
            Answer::Returned(_) => panic!("not refused"),
            Answer::Reverted(data) => errors::decode(&data).unwrap().name,
        }
    }

    async fn list(&self, spec: &GaugeSpec) {
        let call = Catalog::listGaugeCall { spec: gauges::GaugeSpec::from(spec).into(), priors: vec![] };
        self.send(self.to.config.lister, self.to.catalog, &call, U256::ZERO).await;
        let info = self.ask(self.to.catalog, &Catalog::gaugeInfoCall { gauge: spec.id() }).await;
        assert_eq!(Some(info.subject), spec.subject());
        spec.validate().unwrap();
    }

    async fn prove(&self, spec: &GaugeSpec, holders: &[Address], number: u64) -> BlockProof {
        let head = self.local.endpoints.head_at(number, None).await.unwrap();
        BlockProof::fetch(&self.local.endpoints, &head, &spec.reads(holders)).await.unwrap()
    }

    async fn incident(&self, id: u64) -> Incidents::Incident {
        self.ask(self.to.incidents, &Incidents::incidentCall { id: U256::from(id) }).await
    }

    async fn code_hash(&self, at: Address) -> B256 {
        keccak256(self.local.code(at).await.unwrap())
    }
}

fn sol(spec: &GaugeSpec) -> ProofRung::GaugeSpec {
    gauges::GaugeSpec::from(spec).into()
}

fn whole_word(account: u8, side: Side, slot: B256) -> Term {
    Term { account, side, native: false, slot, offset: 0, width: 256, scale: 1 }
}

fn mapping(account: u8, base: u8) -> Holding {
    Holding {
        account,
        vyper: false,
        nested: false,
        offset: 0,
        width: 256,
        scale: 1,
        word: 0,
        base: B256::with_last_byte(base),
        inner_key: B256::ZERO,
    }
}

/// A vault with two depositors, drained in one block; its gauge, the onset, and the depositors.
async fn drained_vault(world: &World) -> (GaugeSpec, u64, Vec<Address>) {
    let token = DemoToken::constructorCall { name: "Dollar".into(), symbol: "USD".into(), decimals_: 6 };
    let token = world.create(&DemoToken::BYTECODE, &token.abi_encode(), U256::ZERO).await;
    let vault = DemoVault::constructorCall { asset_: token };
    let vault = world.create(&DemoVault::BYTECODE, &vault.abi_encode(), U256::ZERO).await;
    let depositors = vec![world.accounts[5], world.accounts[6]];
    for (depositor, amount) in depositors.iter().zip([600_000_000_u64, 400_000_000]) {
        let mint = DemoToken::mintCall { to: *depositor, amount: U256::from(amount) };
        world.send(*depositor, token, &mint, U256::ZERO).await;
        let approve = DemoToken::approveCall { spender: vault, value: U256::MAX };
        world.send(*depositor, token, &approve, U256::ZERO).await;
        let deposit = DemoVault::depositCall { assets: U256::from(amount), receiver: *depositor };
        world.send(*depositor, vault, &deposit, U256::ZERO).await;
    }
    let mut accounts = [token, vault];
    accounts.sort();
    let index = |of: Address| u8::from(accounts[1] == of);
    let mut pinned = Vec::new();
    for account in accounts {
        pinned.push(PinnedAccount { account, code_hash: world.code_hash(account).await });
    }
    // OpenZeppelin's ERC-20 keeps balances in slot 0 and the supply in slot 2.
    let balances = mapping(index(token), 0);
    let head = world.local.endpoints.head().await.unwrap();
    let spec = GaugeSpec {
        chain_id: 31_337,
        form: Form::Ratio,
        asset: token,
        threshold: WAD / 10,
        growth: WAD,
        pinned_at: head.timestamp(),
        floor: 1,
        assets0: 1_000_000_000,
        shares0: 1_000_000_000,
        accounts: pinned,
        pins: vec![],
        terms: vec![
            whole_word(index(token), Side::AssetAdd, balances.slot(vault)),
            whole_word(index(vault), Side::ClaimAdd, B256::with_last_byte(2)),
        ],
        holding: mapping(index(vault), 0),
    };
    world.list(&spec).await;
    let attack = DemoVaultAttack::constructorCall { vault };
    let attack = world.create(&DemoVaultAttack::BYTECODE, &attack.abi_encode(), U256::ZERO).await;
    let call = DemoVaultAttack::attackCall { amount: U256::from(900_000_000) };
    let (_, block) = world.send(world.accounts[9], attack, &call, U256::ZERO).await;
    (spec, block - 1, depositors)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_vault_becomes_an_incident() {
    let Some(world) = World::start("drained vault").await else { return };
    let (spec, onset, depositors) = drained_vault(&world).await;
    let (a, next) = (world.prove(&spec, &[], onset).await, world.prove(&spec, &[], onset + 1).await);
    let plan = Delivery::plan(&spec, &[], &[], &[&a, &next], CALLDATA_BYTES_MAX).unwrap();
    let Delivery::Direct(evidence) = plan else { panic!("{plan:?}") };
    let check = evidence.read_assertion(&spec).unwrap();
    let loss = check.loss(&spec).unwrap();

    // One mined block later the contract can look back at a + 1.
    let call = ProofRung::assertLossCall { spec: sol(&spec), evidence: evidence.clone().into() };
    assert_eq!(evidence.calldata_bytes(&spec), call.abi_encode().len());
    let (gas, _) = world.send(world.accounts[7], world.to.proof_rung, &call, U256::ZERO).await;
    println!("assertLoss: {} bytes of calldata, {gas} gas", call.abi_encode().len());
    let incident = world.incident(1).await;
    assert_eq!((incident.onset, incident.reading), (onset, onset + 1));
    assert_eq!((incident.base, incident.loss), (loss.base, loss.loss));
    assert_eq!(incident.evidence, evidence_hash(&check.onset.reading, &check.reading.reading));
    assert_eq!(incident.opener, world.accounts[7]);

    // A later block that shows the same, proven again.
    world.send(world.accounts[9], world.accounts[8], &DemoVault::assetCall {}, U256::ZERO).await;
    let head = world.local.endpoints.head_number().await.unwrap();
    let later = world.prove(&spec, &[], head).await;
    let evidence = Evidence::of_blocks(&spec, &[], &[], &[&later]).unwrap();
    let call = ProofRung::proveLaterCall { spec: sol(&spec), id: U256::from(1), evidence: evidence.into() };
    world.send(world.accounts[7], world.to.proof_rung, &call, U256::ZERO).await;
    assert_eq!(world.incident(1).await.reading, head);

    prove_positions(&world, &spec, &depositors, &check.next.reading, (onset, onset + 1, head)).await;
}

/// At the incident's reading and at an earlier block; the contract's records are the arithmetic's.
async fn prove_positions(
    world: &World,
    spec: &GaugeSpec,
    depositors: &[Address],
    next: &Reading,
    (onset, first, reading): (u64, u64, u64),
) {
    let mut accounts = depositors.to_vec();
    accounts.sort();
    let incident = world.incident(1).await;
    for (later, at_reading) in [(first, false), (reading, true)] {
        let fetch = async |number, known| {
            let head = world.local.endpoints.head_at(number, None).await.unwrap();
            let reads = position_reads(spec, &accounts, known).unwrap();
            BlockProof::fetch(&world.local.endpoints, &head, &reads).await.unwrap()
        };
        let (a, b) = (fetch(onset, true).await, fetch(later, at_reading).await);
        let evidence = Evidence::of_positions(spec, &accounts, &a, &b, at_reading).unwrap();
        let read = evidence.read_positions(spec, &accounts, at_reading).unwrap();
        assert_eq!(read.later.is_some(), !at_reading);
        let call = ProofRung::provePositionsCall {
            spec: sol(spec),
            id: U256::from(1),
            accounts: accounts.clone(),
            evidence: evidence.into(),
        };
        let (gas, _) = world.send(world.accounts[7], world.to.proof_rung, &call, U256::ZERO).await;
        println!("provePositions of {}: {gas} gas", accounts.len());

        let a = world.prove(spec, &[], onset).await.read(spec, &[]).unwrap();
        let b = world.prove(spec, &[], later).await.read_later(spec, &[]).unwrap();
        let health = spec.health().unwrap();
        for (account, (before, after)) in accounts.iter().zip(read.held) {
            let held = Held { before, after };
            let (a, b) = ((&a).into(), (&b).into());
            let expected = measure::position_loss(&health, &a, next.assets, &b, held, incident.loss).unwrap();
            let lost = Incidents::positionLostCall { id: U256::from(1), account: *account };
            assert_eq!(world.ask(world.to.incidents, &lost).await, expected.lost);
            assert!(expected.lost > 0);
        }
    }
}

/// A bank with several depositors, drained in one block.
async fn drained_bank(world: &World) -> (GaugeSpec, u64, Vec<Address>) {
    let bank = world.create(&DemoBank::BYTECODE, &[], U256::ZERO).await;
    let mut holders = world.accounts[2..9].to_vec();
    for holder in &holders {
        world.send(*holder, bank, &DemoBank::depositCall {}, U256::from(WAD)).await;
    }
    let spec = GaugeSpec {
        chain_id: 31_337,
        form: Form::Enumerated,
        asset: Address::ZERO,
        threshold: WAD / 10,
        growth: 0,
        pinned_at: 0,
        floor: 1,
        assets0: 0,
        shares0: 0,
        accounts: vec![PinnedAccount { account: bank, code_hash: world.code_hash(bank).await }],
        pins: vec![],
        terms: vec![Term {
            account: 0,
            side: Side::AssetAdd,
            native: true,
            slot: B256::ZERO,
            offset: 0,
            width: 0,
            scale: 1,
        }],
        holding: mapping(0, 0),
    };
    world.list(&spec).await;
    let attack = DemoBankAttack::constructorCall { bank };
    let attack = world.create(&DemoBankAttack::BYTECODE, &attack.abi_encode(), U256::from(WAD)).await;
    let (_, block) = world.send(world.accounts[9], attack, &DemoBankAttack::attackCall {}, U256::ZERO).await;
    holders.sort();
    (spec, block - 1, holders)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_bank_is_asserted_in_stages_and_widened() {
    let Some(world) = World::start("drained bank").await else { return };
    let (spec, onset, holders) = drained_bank(&world).await;
    let rung = world.to.proof_rung;
    let some = &holders[..5];
    let (a, next) = (world.prove(&spec, some, onset).await, world.prove(&spec, some, onset + 1).await);

    // Small calls force the holders into pieces.
    let one = Evidence::of_blocks(&spec, &holders[..1], &[], &[&a]).unwrap();
    let limit = one.calldata_bytes(&spec) + 400;
    let Delivery::Staged(stages) = Delivery::plan(&spec, some, &[], &[&a, &next], limit).unwrap() else {
        panic!("it fits into {limit} bytes")
    };
    assert!(stages.len() > 2 && stages.iter().all(|stage| stage.calldata_bytes(&spec) <= limit));
    let stager = world.accounts[1];
    for stage in &stages {
        let call = ProofRung::stageCall { spec: sol(&spec), evidence: stage.clone().into() };
        world.send(stager, rung, &call, U256::ZERO).await;
    }
    let call = ProofRung::assertStagedCall { spec: sol(&spec), onset, reading: onset + 1 };
    world.send(stager, rung, &call, U256::ZERO).await;
    let whole = Evidence::of_blocks(&spec, some, &[], &[&a, &next]).unwrap();
    let check = whole.read_assertion(&spec).unwrap();
    let loss = check.loss(&spec).unwrap();
    let incident = world.incident(1).await;
    assert_eq!((incident.base, incident.loss), (loss.base, loss.loss));
    assert_eq!(incident.evidence, evidence_hash(&check.onset.reading, &check.reading.reading));

    // Those who were left out are added, directly and, by another account, in stages.
    let six = &holders[..6];
    widen(&world, &spec, six, &holders[5..6], (onset, onset + 1), CALLDATA_BYTES_MAX, stager).await;
    let more = world.incident(1).await;
    assert!(more.base > incident.base);
    widen(&world, &spec, &holders, &holders[6..], (onset, onset + 1), limit, world.accounts[8]).await;
    assert!(world.incident(1).await.base > more.base);

    // Holders that are no newcomers and were not there.
    let (a, b) = (world.prove(&spec, &holders, onset).await, world.prove(&spec, &holders, onset + 1).await);
    let wrong = Evidence::of_blocks(&spec, &holders, &holders[..1], &[&a, &b]).unwrap();
    let call = ProofRung::widenCall { spec: sol(&spec), id: U256::from(1), evidence: wrong.into() };
    assert_eq!(world.refusal(stager, rung, &call).await, "HoldersMismatch");
}

async fn widen(
    world: &World,
    spec: &GaugeSpec,
    holders: &[Address],
    newcomers: &[Address],
    (onset, reading): (u64, u64),
    limit: usize,
    stager: Address,
) {
    let rung = world.to.proof_rung;
    let id = U256::from(1);
    let (a, b) = (world.prove(spec, holders, onset).await, world.prove(spec, holders, reading).await);
    match Delivery::plan(spec, holders, newcomers, &[&a, &b], limit).unwrap() {
        Delivery::Direct(evidence) => {
            let call = ProofRung::widenCall { spec: sol(spec), id, evidence: evidence.into() };
            world.send(stager, rung, &call, U256::ZERO).await;
        }
        Delivery::Staged(stages) => {
            assert!(limit < CALLDATA_BYTES_MAX);
            for stage in stages {
                let call = ProofRung::stageCall { spec: sol(spec), evidence: stage.into() };
                world.send(stager, rung, &call, U256::ZERO).await;
            }
            let call = ProofRung::widenStagedCall { spec: sol(spec), id, reading };
            world.send(stager, rung, &call, U256::ZERO).await;
        }
    }
    let whole = Evidence::of_blocks(spec, holders, &[], &[&a, &b]).unwrap();
    let loss = whole.read_assertion(spec).unwrap().loss(spec).unwrap();
    let incident = world.incident(1).await;
    assert_eq!((incident.base, incident.loss), (loss.base, loss.loss));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_lies_is_named_and_passed_over() {
    let Some(world) = World::start("lying endpoint").await else { return };
    let (spec, onset, _) = drained_vault(&world).await;
    let head = world.local.endpoints.head_at(onset, None).await.unwrap();
    let honest = world.prove(&spec, &[], onset).await;
    let value = honest.words(&spec.reads(&[])).unwrap().accounts.iter().map(|at| at.slots[0]).max().unwrap();

    // The lie: a thousand times the assets.
    let (from, into) = (format!("{value:#x}"), format!("{:#x}", value * U256::from(1_000)));
    let liar = liar::start(world.local.url(), from, into);
    let alone = Endpoints::parse(&[&liar], Limits::default()).unwrap();
    let error = BlockProof::fetch(&alone, &head, &spec.reads(&[])).await.unwrap_err();
    let BlockError::Chain(ChainError::Exhausted { method, faults, .. }) = &error else { panic!("{error}") };
    assert_eq!(*method, "eth_getProof");
    assert!(matches!(&faults[0].fault, Fault::Lie(_)), "{error}");
    assert!(liar.contains(faults[0].endpoint.split("//").nth(1).unwrap()), "{error}");

    let both = Endpoints::parse(&[liar.as_str(), world.local.url()], Limits::default()).unwrap();
    let proof = BlockProof::fetch(&both, &head, &spec.reads(&[])).await.unwrap();
    assert_eq!(proof, honest);
    assert_eq!(both.health()[0].lies, 1);
    assert_eq!(both.health()[1].lies, 0);
}

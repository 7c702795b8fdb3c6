//! The gauge compiler over the labelled attack cases, on chains in memory.
//!
//! The labels (phases, losses) are used here to judge; the compiler sees state and blocks only.
//! Without `BREAKWATER_CORPUS` the tests say that they were skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::PathBuf, sync::Arc};

use alloy::{
    consensus::TxEnvelope,
    eips::eip2718::Decodable2718,
    primitives::{Address, B256, Bytes, I256, U256},
};
use breakwater_evm::{
    BlockHead, BlockRef, MemorySource, MemoryState, Reader, Rules, SourceAccount, SourceTransaction, SpecId,
    View,
};
use breakwater_prove::{
    compiler::{CompileOptions, Compiled, HolderIndex, Reason, Refusal, compile_blocking, read_gauge},
    gauge::{Form, Reading},
};
use serde_json::Value;

const RULES: Rules = Rules::Fixed(SpecId::CANCUN);

struct Case {
    json: Value,
    chain: MemorySource,
}

impl Case {
    fn load(id: &str) -> Option<Self> {
        let Some(root) = std::env::var_os("BREAKWATER_CORPUS") else {
            eprintln!("skipped 1: BREAKWATER_CORPUS is not set, case {id} not compiled");
            return None;
        };
        let path = PathBuf::from(root).join("attacks-dev").join(format!("{id}.json"));
        let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut chain = MemorySource::new(31337);
        let mut state = MemoryState::whole();
        for (address, account) in json["alloc"].as_object().unwrap() {
            let balance = word(&account["balance"]);
            state.set_account(address.parse().unwrap(), SourceAccount { balance, ..Default::default() });
        }
        let genesis = &json["chain"]["genesis"];
        let mut head = head(
            &serde_json::json!({ "number": 0, "timestamp": genesis["timestamp"],
            "gasLimit": genesis["gasLimit"], "miner": Address::ZERO }),
            B256::ZERO,
        );
        chain.push_state(head, state);
        for step in json["steps"].as_array().unwrap() {
            head = self::head(&step["block"], head.block.hash);
            let replay = chain.mine(head, vec![transaction(step)], RULES).unwrap();
            assert_eq!(u64::from(replay.transactions[0].outcome.succeeded()), number(&step["status"]));
        }
        Some(Self { json, chain })
    }

    fn covered(&self) -> Address {
        self.json["covered"][0]["address"].as_str().unwrap().parse().unwrap()
    }

    /// Block in which a step was mined: one step, one block, from 1 on.
    fn block(&self, step: usize) -> u64 {
        number(&self.json["steps"][step]["block"]["number"])
    }

    fn steps(&self, key: &str) -> Vec<usize> {
        self.json[key].as_array().unwrap().iter().map(|step| step.as_u64().unwrap() as usize).collect()
    }

    fn first_attack(&self) -> usize {
        self.steps("attackSteps")[0]
    }

    fn last_attack(&self) -> usize {
        self.steps("attackSteps").pop().unwrap()
    }

    /// Compiles as of a block, seeing everything up to it.
    fn compile(&self, at: u64) -> Result<Compiled, Refusal> {
        let reader = Reader::new(Arc::new(self.chain.clone()));
        let from = at.saturating_sub(3).max(1);
        let options = CompileOptions { blocks: (from..=at).collect(), rules: RULES, ..Default::default() };
        compile_blocking(&reader, self.covered(), &options)
    }

    fn view(&self, block: u64) -> View {
        View::at(&Reader::new(Arc::new(self.chain.clone())), block, RULES).unwrap()
    }

    /// Everyone seen up to a block, as a keeper's index knows them.
    fn holders(&self, compiled: &Compiled, to: u64) -> Vec<Address> {
        if compiled.spec.form != Form::Enumerated {
            return Vec::new();
        }
        let reader = Reader::new(Arc::new(self.chain.clone()));
        let mut index: HolderIndex = compiled.holders.clone();
        for block in index.fed_to().unwrap() + 1..=to {
            index.feed(&breakwater_evm::replay_block(&reader, block, RULES).unwrap());
        }
        index.candidates().collect()
    }

    fn reading(&self, compiled: &Compiled, block: u64, holders: &[Address]) -> Result<Reading, Refusal> {
        read_gauge(&compiled.spec, &self.view(block), holders)
    }

    fn labelled_loss(&self, key: &str) -> I256 {
        let losses = self.json["losses"].as_array().unwrap();
        let one = losses.iter().find(|loss| loss["key"] == key).unwrap();
        one["delta"].as_str().unwrap().parse().unwrap()
    }
}

fn word(value: &Value) -> U256 {
    match value {
        Value::String(text) if text.starts_with("0x") => U256::from_str_radix(&text[2..], 16).unwrap(),
        Value::String(text) => U256::from_str_radix(text, 10).unwrap(),
        Value::Number(number) => U256::from(number.as_u64().unwrap()),
        _ => U256::ZERO,
    }
}

fn number(value: &Value) -> u64 {
    word(value).to()
}

fn head(fields: &Value, parent: B256) -> BlockHead {
    BlockHead {
        block: BlockRef {
            number: number(&fields["number"]),
            hash: fields["hash"].as_str().map(|hash| hash.parse().unwrap()).unwrap_or_default(),
        },
        parent,
        state_root: B256::ZERO,
        timestamp: number(&fields["timestamp"]),
        beneficiary: fields["miner"].as_str().map(|miner| miner.parse().unwrap()).unwrap_or_default(),
        gas_limit: number(&fields["gasLimit"]),
        gas_used: 0,
        base_fee: fields.get("baseFeePerGas").map(number),
        difficulty: U256::ZERO,
        mix_hash: fields.get("prevRandao").map(|mix| B256::from(word(mix))).unwrap_or_default(),
        excess_blob_gas: Some(0),
        parent_beacon_root: None,
        has_withdrawals: true,
        has_requests: false,
    }
}

fn transaction(step: &Value) -> SourceTransaction {
    let raw: Bytes = step["raw"].as_str().unwrap().parse().unwrap();
    SourceTransaction {
        hash: step["hash"].as_str().unwrap().parse().unwrap(),
        from: step["from"].as_str().unwrap().parse().unwrap(),
        envelope: TxEnvelope::decode_2718(&mut &raw[..]).unwrap(),
    }
}

/// Loss between two readings, in the gauge's unit, and as a fraction in 1e-18, by the design's formulas.
fn loss(form: Form, floor: u128, a: &Reading, b: &Reading) -> Option<(U256, U256)> {
    let wide = |number: u128| U256::from(number);
    if a.claims < floor || a.claims == 0 {
        return None;
    }
    let (loss, base) = match form {
        Form::Ratio | Form::Geometric => {
            let kept = (wide(b.assets) * wide(a.claims)).checked_div(wide(b.claims))?;
            let had = wide(a.assets);
            (had.saturating_sub(kept).min(had.saturating_sub(wide(b.assets))), had)
        }
        _ => {
            let short = |one: &Reading| one.claims.saturating_sub(one.assets);
            (wide(short(b).saturating_sub(short(a))), wide(a.claims))
        }
    };
    let loss = loss.min(base);
    Some((loss, loss * U256::from(1_000_000_000_000_000_000u64) / base))
}

impl Case {
    /// Compiles after every step before the attack and reads each gauge over every later block. No
    /// block outside the attack may show an onset. Returns the last gauge compiled.
    fn never_cries_wolf(&self) -> Option<Compiled> {
        let mut last = None;
        let attack = self.steps("attackSteps");
        let steps = self.json["steps"].as_array().unwrap();
        for step in 0..self.first_attack() {
            let Ok(compiled) = self.compile(self.block(step)) else { continue };
            for (later, played) in steps.iter().enumerate().skip(step + 1) {
                let phase = played["phase"].as_str().unwrap();
                if attack.contains(&later) || phase == "victim" {
                    continue;
                }
                let (a, b) = (self.block(later) - 1, self.block(later));
                let holders = self.holders(&compiled, b);
                let (Ok(a), Ok(b)) =
                    (self.reading(&compiled, a, &holders), self.reading(&compiled, b, &holders))
                else {
                    continue;
                };
                if let Some((_, lambda)) = loss(compiled.spec.form, compiled.spec.floor, &a, &b) {
                    assert!(
                        lambda < U256::from(compiled.spec.threshold / 2),
                        "{} compiled after step {step} shows {lambda} at {phase} step {later}",
                        self.json["id"]
                    );
                }
            }
            last = Some(compiled);
        }
        last
    }

    /// Readings just before the attack and just after it, with everyone seen until then.
    fn around_the_attack(&self, compiled: &Compiled) -> (Reading, Reading) {
        let (a, b) = (self.block(self.first_attack()) - 1, self.block(self.last_attack()));
        let holders = self.holders(compiled, a);
        (self.reading(compiled, a, &holders).unwrap(), self.reading(compiled, b, &holders).unwrap())
    }
}

/// The case compiles to this form, stays silent on harmless steps, and measures the labelled loss.
fn measures(id: &str, form: Form, key: &str) {
    let Some(case) = Case::load(id) else { return };
    let compiled = case.never_cries_wolf().unwrap_or_else(|| panic!("{id} did not compile"));
    assert_eq!(compiled.spec.form, form, "{id}");
    let (before, after) = case.around_the_attack(&compiled);
    let labelled = case.labelled_loss(key).unsigned_abs();
    let lost = match form {
        Form::Ratio => U256::from(before.assets - after.assets),
        _ => loss(form, compiled.spec.floor, &before, &after).unwrap().0,
    };
    assert_eq!(lost, labelled, "{id}: {before:?} {after:?}");
    let (_, lambda) = loss(form, compiled.spec.floor, &before, &after).unwrap();
    assert!(lambda >= U256::from(compiled.spec.threshold), "{id}: {lambda}");
}

/// The case is refused after every step before the attack, and the last reason is this one.
fn is_refused(id: &str, reason: impl Fn(&Reason) -> bool) {
    let Some(case) = Case::load(id) else { return };
    for step in 0..case.first_attack() {
        if let Ok(compiled) = case.compile(case.block(step)) {
            panic!("{id} compiled after step {step}: {:?}", compiled.explanation);
        }
    }
    let last = case.compile(case.block(case.first_attack() - 1)).unwrap_err();
    assert!(reason(&last.reason), "{id}: {last}");
}

#[test]
fn d01_an_ether_bank_is_enumerated_and_measures_the_drain() {
    measures("d01", Form::Enumerated, "EtherBank/ETH");
}

#[test]
fn d02_a_lender_against_pool_shares_is_refused() {
    is_refused("d02", |reason| matches!(reason, Reason::Lending(_)));
}

#[test]
fn d03_a_lender_of_callback_tokens_is_refused() {
    is_refused("d03", |reason| matches!(reason, Reason::Lending(_)));
}

#[test]
fn d04_an_empty_vault_is_refused_for_now() {
    is_refused("d04", |reason| matches!(reason, Reason::BelowFloor { .. }));
}

#[test]
fn d05_a_lender_by_spot_price_is_refused() {
    is_refused("d05", |reason| matches!(reason, Reason::Lending(_)));
}

#[test]
fn d06_a_treasury_behind_a_proxy_measures_the_rescue() {
    measures("d06", Form::Enumerated, "Treasury/TOK");
}

#[test]
fn d07_an_upgrade_makes_the_gauge_undecided() {
    let Some(case) = Case::load("d07") else { return };
    let compiled = case.never_cries_wolf().unwrap();
    assert_eq!(compiled.spec.form, Form::Enumerated);
    let block = case.block(case.last_attack());
    let holders = case.holders(&compiled, block);
    let refused = case.reading(&compiled, block, &holders).unwrap_err();
    assert!(refused.to_string().contains("undecided"), "{refused}");
}

#[test]
fn d08_a_treasury_of_votes_is_refused() {
    is_refused("d08", |reason| matches!(reason, Reason::NoClaims));
}

#[test]
fn d09_a_payroll_by_signature_is_refused() {
    is_refused("d09", |reason| matches!(reason, Reason::NoClaims));
}

#[test]
fn d10_a_router_is_refused() {
    is_refused("d10", |reason| matches!(reason, Reason::NoClaims));
}

#[test]
fn d11_a_coarse_vault_is_a_ratio_and_measures_the_loop() {
    measures("d11", Form::Ratio, "CoarseVault/TOK");
}

#[test]
fn d12_a_lender_that_books_both_sides_is_refused() {
    is_refused("d12", |reason| matches!(reason, Reason::ClaimsGrow(_)));
}

#[test]
fn d13_a_farm_with_a_fee_token_is_enumerated_and_measures_the_loop() {
    measures("d13", Form::Enumerated, "Farm/FEE");
}

#[test]
fn d14_a_bridge_inbox_is_refused() {
    is_refused("d14", |reason| matches!(reason, Reason::NoClaims));
}

#[test]
fn d15_a_pair_is_geometric_and_dilution_is_no_loss() {
    let Some(case) = Case::load("d15") else { return };
    let compiled = case.never_cries_wolf().unwrap();
    assert_eq!(compiled.spec.form, Form::Geometric);
    let (before, after) = case.around_the_attack(&compiled);
    assert_eq!(loss(Form::Geometric, 1, &before, &after).unwrap().0, U256::ZERO);
}

#[test]
fn d16_a_broken_upgrade_makes_the_gauge_undecided() {
    let Some(case) = Case::load("d16") else { return };
    let compiled = case.never_cries_wolf().unwrap();
    let block = case.block(case.last_attack());
    let holders = case.holders(&compiled, block);
    assert!(case.reading(&compiled, block, &holders).unwrap_err().to_string().contains("undecided"));
}

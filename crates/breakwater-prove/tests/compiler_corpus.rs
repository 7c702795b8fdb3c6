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
    compiler::{CompileOptions, Compiled, HolderIndex, Refusal, compile_blocking, read_gauge},
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

#[test]
fn survey() {
    for case in 1..=16 {
        let id = format!("d{case:02}");
        let Some(case) = Case::load(&id) else { return };
        let first = case.first_attack();
        for step in first.saturating_sub(1)..first {
            let start = std::time::Instant::now();
            let found = case.compile(case.block(step));
            let label = &case.json["steps"][step]["phase"];
            match found {
                Ok(compiled) => eprintln!(
                    "{id} after step {step} {label}: {:?} {:?} {:?} {:?}\n   {:?}",
                    compiled.spec.form,
                    compiled.reading,
                    compiled.warnings,
                    start.elapsed(),
                    compiled.explanation
                ),
                Err(refusal) => eprintln!("{id} after step {step} {label}: {refusal} {:?}", start.elapsed()),
            }
        }
    }
}

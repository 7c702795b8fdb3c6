//! Replays of recorded blocks: labelled attack cases and real mainnet blocks.
//!
//! Both need the corpus; without `BREAKWATER_CORPUS` each test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashMap, io::Read, path::PathBuf, sync::Arc};

use alloy::{
    consensus::TxEnvelope,
    eips::eip2718::Decodable2718,
    primitives::{Address, B256, Bytes, U256},
};
use breakwater_evm::{
    Access, BlockHead, BlockRef, MemorySource, MemoryState, Reader, Rules, SourceAccount, SourceBlock,
    SourceError, SourceTransaction, SpecId, StateSource, replay_block,
};
use serde_json::Value;

fn corpus(part: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("BREAKWATER_CORPUS") else {
        eprintln!("skipped 1: BREAKWATER_CORPUS is not set, {part} not replayed");
        return None;
    };
    Some(PathBuf::from(root).join(part))
}

fn json(path: PathBuf) -> Value {
    let raw = std::fs::read(&path).unwrap();
    if path.extension().is_some_and(|end| end == "gz") {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&raw[..]).read_to_end(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    } else {
        serde_json::from_slice(&raw).unwrap()
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

fn transaction(entry: &Value) -> SourceTransaction {
    let raw: Bytes = entry["raw"].as_str().unwrap().parse().unwrap();
    let envelope = TxEnvelope::decode_2718(&mut &raw[..]).unwrap();
    SourceTransaction {
        hash: entry["hash"].as_str().unwrap().parse().unwrap(),
        from: entry["from"].as_str().unwrap().parse().unwrap(),
        envelope,
    }
}

fn head(fields: &Value, number_: u64, hash: B256, parent: B256) -> BlockHead {
    let present = |name: &str| fields.get(name).filter(|value| !value.is_null());
    BlockHead {
        block: BlockRef { number: number_, hash },
        parent,
        state_root: present("stateRoot").map(|root| B256::from(word(root))).unwrap_or_default(),
        timestamp: number(&fields["timestamp"]),
        beneficiary: fields["miner"].as_str().unwrap().parse().unwrap(),
        gas_limit: number(&fields["gasLimit"]),
        gas_used: present("gasUsed").map(number).unwrap_or_default(),
        base_fee: present("baseFeePerGas").map(number),
        difficulty: present("difficulty").map(word).unwrap_or_default(),
        mix_hash: present("mixHash")
            .or(present("prevRandao"))
            .map(|mix| B256::from(word(mix)))
            .unwrap_or_default(),
        excess_blob_gas: present("excessBlobGas").map(number),
        parent_beacon_root: None,
        has_withdrawals: present("withdrawalsRoot").is_some(),
        has_requests: present("requestsHash").is_some(),
    }
}

fn genesis(case: &Value) -> (BlockHead, MemoryState) {
    let mut state = MemoryState::whole();
    for (address, account) in case["alloc"].as_object().unwrap() {
        let balance = word(&account["balance"]);
        state.set_account(address.parse().unwrap(), SourceAccount { balance, ..Default::default() });
    }
    let fields = serde_json::json!({
        "timestamp": case["chain"]["genesis"]["timestamp"], "gasLimit": case["chain"]["genesis"]["gasLimit"],
        "miner": Address::ZERO,
    });
    (head(&fields, 0, B256::ZERO, B256::ZERO), state)
}

#[test]
fn attack_cases_replay_as_recorded() {
    let Some(dir) = corpus("attacks-dev") else { return };
    let (mut steps, mut reentered) = (0, 0);
    for case in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if case.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let case = json(case);
        let mut chain = MemorySource::new(31337);
        let (first, state) = genesis(&case);
        chain.push_state(first, state);
        let mut parent = B256::ZERO;
        for step in case["steps"].as_array().unwrap() {
            let hash = step["block"]["hash"].as_str().unwrap().parse().unwrap();
            let head = head(&step["block"], number(&step["block"]["number"]), hash, parent);
            parent = hash;
            let replay = chain.mine(head, vec![transaction(step)], Rules::Fixed(SpecId::CANCUN)).unwrap();
            let done = &replay.transactions[0];
            let label = format!("{} step {}", case["id"], step["i"]);
            assert_eq!(u64::from(done.outcome.succeeded()), number(&step["status"]), "{label}");
            assert_eq!(done.outcome.gas_used, number(&step["gasUsed"]), "{label}");
            assert_eq!(done.outcome.logs.len() as u64, number(&step["logs"]), "{label}");
            assert_eq!(
                done.outcome.trace.logs().count(),
                done.outcome.logs.len(),
                "{label}: logs in the trace"
            );
            reentered += usize::from(reenters(&done.outcome.trace));
            steps += 1;
        }
    }
    assert_eq!(steps, 278);
    assert!(reentered >= 2, "the two re-entrancy cases must show in the frames");
}

fn reenters(trace: &breakwater_evm::Trace) -> bool {
    trace.frames.iter().any(|frame| {
        let mut above = frame.parent;
        let mut left = false;
        while let Some(index) = above {
            let outer = &trace.frames[index];
            if left && outer.account == frame.account {
                return true;
            }
            left |= outer.account != frame.account;
            above = outer.parent;
        }
        false
    })
}

fn mainnet_block(path: PathBuf, codes: &HashMap<String, Bytes>, hashes: &Value) -> (MemorySource, u64, u64) {
    let block = json(path);
    let number_ = number(&block["number"]);
    let own = B256::repeat_byte(1);
    let parent: B256 = block["header"]["parentHash"].as_str().unwrap().parse().unwrap();
    let mut state = MemoryState::partial();
    for (address, account) in block["prestate"].as_object().unwrap() {
        let code =
            account.get("codeHash").map(|hash| codes[hash.as_str().unwrap()].clone()).unwrap_or_default();
        let address: Address = address.parse().unwrap();
        let (balance, nonce) = (word(&account["balance"]), number(&account["nonce"]));
        state.set_account(address, SourceAccount { balance, nonce, code, empty_but_present: true });
        for (slot, value) in account.get("storage").and_then(Value::as_object).into_iter().flatten() {
            state.set_storage(address, U256::from_str_radix(&slot[2..], 16).unwrap(), word(value));
        }
    }
    let mut chain = MemorySource::new(1);
    for (known, hash) in hashes.as_object().unwrap() {
        let known: u64 = known.parse().unwrap();
        if known < number_ - 1 {
            let hash = hash.as_str().unwrap().parse().unwrap();
            chain.push_state(head(&block["header"], known, hash, B256::ZERO), MemoryState::partial());
        }
    }
    state.assume_absent();
    chain.push_state(head(&block["header"], number_ - 1, parent, B256::ZERO), state);
    let head = head(&block["header"], number_, own, parent);
    let transactions = block["transactions"].as_array().unwrap().iter().map(transaction).collect();
    chain.push_block(SourceBlock { head, transactions, withdrawals: Vec::new() }, Vec::new());
    (chain, number_, head.gas_used)
}

#[test]
fn mainnet_blocks_of_every_fork_use_the_recorded_gas() {
    let Some(dir) = corpus("mainnet-blocks") else { return };
    let codes: HashMap<String, Bytes> = json(dir.join("codes.json.gz"))
        .as_object()
        .unwrap()
        .iter()
        .map(|(hash, code)| (hash.clone(), code.as_str().unwrap().parse().unwrap()))
        .collect();
    let hashes = json(dir.join("block_hashes.json"));
    let (mut blocks, mut entries) = (0, 0);
    for path in std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        let (chain, number_, gas_used) = mainnet_block(path, &codes, &hashes);
        let replay = replay_block(&Reader::new(Arc::new(chain)), number_, Rules::Auto).unwrap();
        let gas: u64 = replay.transactions.iter().map(|tx| tx.outcome.gas_used).sum();
        assert_eq!(gas, gas_used, "block {number_}");
        for tx in &replay.transactions {
            assert!(!tx.outcome.trace.truncated);
            entries += tx.outcome.trace.entries.len();
            check_net_changes(tx);
        }
        blocks += 1;
    }
    assert_eq!(blocks, 70);
    assert!(entries > 200_000, "{entries}");
}

/// The writes of a trace, taken in order, must end where the state changes say they end.
fn check_net_changes(tx: &breakwater_evm::TxReplay) {
    let mut last: HashMap<(Address, U256), (U256, U256)> = HashMap::new();
    for (account, slot, before, after) in tx.outcome.trace.stores() {
        let entry = last.entry((account, slot)).or_insert((before, before));
        assert_eq!(entry.1, before, "{} {account} {slot:#x}: writes do not chain", tx.hash);
        entry.1 = after;
    }
    for (account, change) in &tx.outcome.changes {
        for (slot, (before, after)) in &change.storage {
            assert_eq!(last.get(&(*account, *slot)), Some(&(*before, *after)), "{} {account}", tx.hash);
        }
    }
}

#[test]
fn missing_state_is_an_error_and_not_a_zero() {
    let mut chain = MemorySource::new(31337);
    let fields = serde_json::json!({ "timestamp": 1, "gasLimit": 30_000_000, "miner": Address::ZERO });
    let first = head(&fields, 0, B256::repeat_byte(1), B256::ZERO);
    let known = Address::repeat_byte(7);
    let mut state = MemoryState::partial();
    state.set_account(known, SourceAccount { nonce: 1, ..Default::default() });
    chain.push_state(first, state);
    let reader = Reader::new(Arc::new(chain.clone()));
    let missing = reader.storage(known, U256::ONE, first.block).unwrap_err();
    assert_eq!(missing, SourceError::MissingStorage { address: known, slot: U256::ONE, number: 0 });
    let missing = reader.account(Address::repeat_byte(8), first.block).unwrap_err();
    assert_eq!(missing, SourceError::MissingAccount { address: Address::repeat_byte(8), number: 0 });
    let other = BlockRef { number: 0, hash: B256::repeat_byte(9) };
    let moved = reader.account(known, other).unwrap_err();
    assert!(matches!(moved, SourceError::Reorganised { number: 0, .. }) && moved.can_heal(), "{moved}");
    assert!(matches!(reader.head(5).unwrap_err(), SourceError::UnknownBlock { number: 5 }));
}

#[test]
fn a_call_trace_shows_reads_writes_hashes_and_frames() {
    // sstore(1, sload(0) + 5); then keccak of 64 zero bytes; then return sload(1).
    let code: Bytes =
        "0x6000546005016001556040600020505f5f5f5f5f5f355af15060015460005260206000f3".parse().unwrap();
    let (me, other) = (Address::repeat_byte(7), Address::repeat_byte(9));
    let mut state = MemoryState::whole();
    state.set_account(me, SourceAccount { nonce: 1, code, balance: U256::from(3), ..Default::default() });
    state.set_storage(me, U256::ZERO, U256::from(37));
    let mut chain = MemorySource::new(31337);
    let fields = serde_json::json!({
        "timestamp": 1, "gasLimit": 30_000_000, "miner": Address::ZERO, "baseFeePerGas": 7,
        "excessBlobGas": 0, "withdrawalsRoot": "0x0",
    });
    chain.push_state(head(&fields, 0, B256::repeat_byte(1), B256::ZERO), state);
    let source: Arc<dyn StateSource> = Arc::new(chain);
    let view = breakwater_evm::View::at(&Reader::new(source), 0, Rules::Auto).unwrap();
    let request = breakwater_evm::CallRequest::new(me, other.into_word().to_vec());
    let outcome = view.call(&request).unwrap();
    assert_eq!(outcome.word(), Some(U256::from(42)), "{outcome:?}");
    assert_eq!(outcome.trace.loads().next(), Some((me, U256::ZERO, U256::from(37))));
    assert_eq!(outcome.trace.stores().next(), Some((me, U256::ONE, U256::ZERO, U256::from(42))));
    assert_eq!(outcome.trace.hashes().next().map(|(preimage, _)| preimage.len()), Some(64));
    assert_eq!(outcome.trace.frames.len(), 2);
    assert_eq!(outcome.trace.frames[1].account, other);
    assert!(outcome.trace.entries.iter().any(|entry| matches!(entry.access, Access::Enter(1))));
    let changed = view.call(&request.with_word(me, U256::ZERO, U256::from(100))).unwrap();
    assert_eq!(changed.word(), Some(U256::from(105)));
    assert_eq!(view.storage(me, U256::ZERO).unwrap(), U256::from(37), "an override stays in its call");
}

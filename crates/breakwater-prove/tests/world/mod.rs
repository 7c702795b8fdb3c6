//! A chain in memory on which tests deploy the fixture contracts and act.

// Each test file that takes this module uses a part of it.
#![allow(dead_code)]

use std::{collections::BTreeMap, sync::Arc};

use alloy::{
    consensus::{Signed, TxEip1559, TxEnvelope},
    primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256},
    sol_types::SolValue,
};
use breakwater_evm::{
    BlockHead, BlockRef, MemorySource, MemoryState, Reader, Rules, SourceAccount, SourceTransaction, SpecId,
    TxReplay, View, replay_block,
};
use breakwater_prove::{
    compiler::{CompileOptions, Compiled, Refusal, compile_blocking, read_gauge},
    gauge::{Form, Reading},
};

pub(crate) const RULES: Rules = Rules::Fixed(SpecId::PRAGUE);
pub(crate) const ALICE: Address = Address::repeat_byte(0xa1);
pub(crate) const BOB: Address = Address::repeat_byte(0xb0);
pub(crate) const CAROL: Address = Address::repeat_byte(0xca);
pub(crate) const THIEF: Address = Address::repeat_byte(0x7f);
pub(crate) const MAKER: Address = Address::repeat_byte(0xde);

/// One whole coin or token of eighteen decimals.
pub(crate) fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

/// A word.
pub(crate) fn word(value: u64) -> U256 {
    U256::from(value)
}

/// An address as a word.
pub(crate) fn named(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

/// Calldata of a function with whole-word arguments.
pub(crate) fn call(signature: &str, arguments: &[U256]) -> Bytes {
    let mut data = keccak256(signature)[..4].to_vec();
    for argument in arguments {
        data.extend(argument.abi_encode());
    }
    data.into()
}

pub(crate) struct World {
    pub(crate) chain: MemorySource,
    codes: BTreeMap<String, Bytes>,
    tip: BlockHead,
    nonces: BTreeMap<Address, u64>,
    /// Seconds between blocks.
    pub(crate) pace: u64,
}

impl World {
    /// A chain whose contracts come from this set of artifacts.
    pub(crate) fn new(artifacts: &str) -> Self {
        let codes: BTreeMap<String, Bytes> = serde_json::from_str(artifacts).unwrap();
        let tip = head(0, 1_700_000_000, B256::ZERO);
        let mut state = MemoryState::whole();
        for account in [ALICE, BOB, CAROL, THIEF, MAKER] {
            let balance = ether(1_000_000);
            state.set_account(account, SourceAccount { balance, ..Default::default() });
        }
        let mut chain = MemorySource::new(31337);
        chain.push_state(tip, state);
        Self { chain, codes, tip, nonces: BTreeMap::new(), pace: 12 }
    }

    /// The newest block.
    pub(crate) fn tip(&self) -> u64 {
        self.tip.block.number
    }

    /// Deploys a fixture with whole-word constructor arguments.
    pub(crate) fn deploy(&mut self, name: &str, arguments: &[U256]) -> Address {
        let mut code = self.codes[name].to_vec();
        for argument in arguments {
            code.extend(argument.abi_encode());
        }
        let done = self.send(MAKER, TxKind::Create, code.into(), U256::ZERO);
        assert!(done.outcome.succeeded(), "{name} does not deploy");
        done.outcome.created.unwrap()
    }

    /// A transaction that must succeed, in a block of its own.
    pub(crate) fn act(
        &mut self,
        from: Address,
        to: Address,
        signature: &str,
        arguments: &[U256],
    ) -> TxReplay {
        self.pay(from, to, signature, arguments, U256::ZERO)
    }

    /// The same with value; an empty signature sends no data.
    pub(crate) fn pay(
        &mut self,
        from: Address,
        to: Address,
        signature: &str,
        arguments: &[U256],
        value: U256,
    ) -> TxReplay {
        let data = if signature.is_empty() { Bytes::new() } else { call(signature, arguments) };
        let done = self.send(from, TxKind::Call(to), data, value);
        assert!(done.outcome.succeeded(), "{signature} by {from} reverts: {}", done.outcome.output);
        done
    }

    /// A transaction that may revert; whether it succeeded.
    pub(crate) fn attempt(
        &mut self,
        from: Address,
        to: Address,
        signature: &str,
        arguments: &[U256],
    ) -> bool {
        self.send(from, TxKind::Call(to), call(signature, arguments), U256::ZERO).outcome.succeeded()
    }

    fn send(&mut self, from: Address, kind: TxKind, input: Bytes, value: U256) -> TxReplay {
        let nonce = self.nonces.entry(from).or_default();
        let tx = TxEip1559 {
            chain_id: 31337,
            nonce: *nonce,
            gas_limit: 16_000_000,
            max_fee_per_gas: 10,
            max_priority_fee_per_gas: 0,
            to: kind,
            value,
            access_list: Default::default(),
            input,
        };
        *nonce += 1;
        let number = self.tip() + 1;
        let hash = keccak256((named(from), U256::from(number)).abi_encode());
        let signature = Signature::test_signature();
        let envelope = TxEnvelope::Eip1559(Signed::new_unchecked(tx, signature, hash));
        self.tip = head(number, self.tip.timestamp + self.pace, self.tip.block.hash);
        let transactions = vec![SourceTransaction { hash, from, envelope }];
        self.chain.mine(self.tip, transactions, RULES).unwrap().transactions.remove(0)
    }

    /// Gives tokens to everyone and lets a contract take them.
    pub(crate) fn equip(&mut self, token: Address, spender: Address, amount: U256) {
        for holder in [ALICE, BOB, CAROL, THIEF, MAKER] {
            self.act(MAKER, token, "mint(address,uint256)", &[named(holder), amount]);
            self.act(holder, token, "approve(address,uint256)", &[named(spender), U256::MAX]);
        }
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(Arc::new(self.chain.clone()))
    }

    pub(crate) fn compile(&self, subject: Address) -> Result<Compiled, Refusal> {
        let tip = self.tip();
        let blocks = vec![tip, tip.saturating_sub(1), tip.saturating_sub(2)];
        let options = CompileOptions { blocks, rules: RULES, ..Default::default() };
        compile_blocking(&self.reader(), subject, &options)
    }

    /// Reads a gauge now, with everyone seen by now if it is enumerated.
    pub(crate) fn read(&self, compiled: &Compiled) -> Result<Reading, Refusal> {
        self.read_at(compiled, self.tip())
    }

    /// Reads a gauge at a block.
    pub(crate) fn read_at(&self, compiled: &Compiled, block: u64) -> Result<Reading, Refusal> {
        let reader = self.reader();
        let mut index = compiled.holders.clone();
        for number in index.fed_to().unwrap() + 1..=self.tip() {
            index.feed(&replay_block(&reader, number, RULES).unwrap());
        }
        let holders: Vec<Address> =
            if compiled.spec.form == Form::Enumerated { index.candidates().collect() } else { Vec::new() };
        read_gauge(&compiled.spec, &View::at(&reader, block, RULES).unwrap(), &holders)
    }
}

fn head(number: u64, timestamp: u64, parent: B256) -> BlockHead {
    BlockHead {
        block: BlockRef { number, hash: keccak256(U256::from(number).abi_encode()) },
        parent,
        state_root: B256::ZERO,
        timestamp,
        beneficiary: Address::repeat_byte(0x11),
        gas_limit: 30_000_000,
        gas_used: 0,
        base_fee: Some(7),
        difficulty: U256::ZERO,
        mix_hash: B256::ZERO,
        excess_blob_gas: Some(0),
        parent_beacon_root: None,
        has_withdrawals: true,
        has_requests: true,
    }
}

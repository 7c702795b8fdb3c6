//! How many holders one block settles, and what the proofs of their positions cost.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::{Policies, ProofRung, gauges};
use breakwater_policy::incident::Rung;
use breakwater_policy::ops::Clock;
use breakwater_primitives::DAY;
use breakwater_prove::evidence::{CALLDATA_BYTES_MAX, Evidence, position_reads};
use breakwater_prove::gauge::GaugeSpec;

use crate::chain::GAS_LIMIT;
use crate::gas::{Book, SLOT, SUM, grouped};
use crate::stage::{RefusingToken, Stage, gauge_specs};
use crate::tries::Block;

/// Policies that are sold to be settled: more than a block takes.
const MANY: usize = 260;
/// Holders of the vault: those with policies and others.
const HOLDERS: u64 = 10_000;
/// What each holder has of the vault, and what the vault has in all.
const SHARES: u128 = 2 * SUM;
const ASSETS: u128 = 1_000_000_000_000_000;

impl Book {
    /// Sells a policy to each of many holders.
    fn sell(&mut self, product: B256, protocol: bool) -> (Vec<Address>, Vec<U256>) {
        let registrant = self.stage.scene.users[0];
        let (policies, expiry) = (self.stage.policies, self.expiry);
        (0..MANY as u64)
            .map(|i| {
                let holder = holder(i);
                if protocol {
                    // The registrant alone buys; the tokens go to the holders.
                    let mut purchase = self.purchase(registrant, product, expiry);
                    purchase.to = holder;
                    let call = Policies::buyCall { purchase };
                    return (holder, self.stage.chain.call(registrant, policies, &call).expect("room"));
                }
                self.stage.fund(holder);
                (holder, self.buy(holder, product, expiry))
            })
            .unzip()
    }

    /// The most policies that one transaction settles, and its gas for each.
    fn settled(&mut self, ids: &[U256], incident: U256) -> (usize, u64) {
        let (keeper, policies) = (self.stage.scene.users[5], self.stage.policies);
        let mut gas = |count: usize| {
            let call = Policies::settleBatchCall { ids: ids[..count].to_vec(), incident };
            let done = self.stage.chain.dry_with(keeper, policies, call.abi_encode(), 4 * GAS_LIMIT);
            let done = done.expect("what is measured succeeds");
            let paid = U256::from_be_slice(&done.answer);
            assert!(paid >= U256::from(count as u128 * SUM / 4), "{count} policies were paid {paid} in all");
            done.gas
        };
        assert!(gas(ids.len()) > GAS_LIMIT, "a larger batch would still fit");
        let (mut low, mut high) = (1, ids.len());
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if gas(middle) <= GAS_LIMIT { low = middle } else { high = middle }
        }
        (low, gas(low) / low as u64)
    }

    /// Asserts with real proofs that half of the vault is gone. Answers the incident and the two blocks.
    fn lose_by_proof(&mut self, spec: &GaugeSpec, sol: &gauges::GaugeSpec) -> (U256, [Block; 2]) {
        let (call, blocks) = self.assertion(spec, sol);
        let (keeper, rung) = (self.stage.scene.users[5], self.rung());
        let id = self.stage.chain.call(keeper, rung, &call).expect("half of the vault is gone");
        self.stage.wait(SLOT);
        (id, blocks)
    }

    /// What asserts with real proofs that half of the vault is gone, and the two blocks.
    pub(crate) fn assertion(
        &mut self,
        spec: &GaugeSpec,
        sol: &gauges::GaugeSpec,
    ) -> (ProofRung::assertLossCall, [Block; 2]) {
        let Clock { time, block } = self.stage.chain.clock();
        let users = self.stage.scene.users.clone();
        let blocks = [(3, ASSETS), (2, ASSETS / 2)].map(|(back, assets)| {
            let mut storage: std::collections::BTreeMap<B256, U256> =
                (0..HOLDERS).map(|i| (spec.holder_slot(holder(i)), U256::from(SHARES))).collect();
            // Enough for every policy that a user has.
            storage.extend(users.iter().map(|user| (spec.holder_slot(*user), U256::from(20 * SHARES))));
            storage.insert(B256::ZERO, U256::from(ASSETS) << 128 | U256::from(assets));
            Block {
                number: block.0 - back,
                time: time.0 - back * SLOT,
                vault: sol.accounts[0].account,
                code_hash: sol.accounts[0].codeHash,
                storage,
            }
        });
        let proofs = blocks.each_ref().map(|block| {
            let (proof, hash) = block.prove(&spec.reads(&[]));
            self.stage.chain.set_block_hash(block.number, hash);
            proof
        });
        let evidence =
            Evidence::of_blocks(spec, &[], &[], &[&proofs[0], &proofs[1]]).expect("both blocks were proven");
        (ProofRung::assertLossCall { spec: sol.clone().into(), evidence: evidence.into() }, blocks)
    }

    /// Proves positions, in as few calls as calldata allows; answers the gas of the first and of all.
    pub(crate) fn prove(
        &mut self,
        (spec, sol): (&GaugeSpec, &gauges::GaugeSpec),
        id: U256,
        blocks: &[Block; 2],
        accounts: &[Address],
    ) -> (usize, u64, u64) {
        let (keeper, rung) = (self.stage.scene.users[5], self.rung());
        let reads = position_reads(spec, accounts, true).expect("a good spec");
        let proofs = blocks.each_ref().map(|block| block.prove(&reads).0);
        let (mut left, mut first, mut all) = (accounts, None, 0);
        while !left.is_empty() {
            let call = (1..=left.len()).rev().find_map(|count| {
                let evidence = Evidence::of_positions(spec, &left[..count], &proofs[0], &proofs[1], true);
                let call = ProofRung::provePositionsCall {
                    spec: sol.clone().into(),
                    id,
                    accounts: left[..count].to_vec(),
                    evidence: evidence.expect("the slots were proven").into(),
                };
                let fits = call.abi_encoded_size() + 4 <= CALLDATA_BYTES_MAX;
                fits.then(|| (count, call.abi_encode()))
            });
            let (count, data) = call.expect("one account always fits");
            let done = self.stage.chain.send(keeper, rung, data).expect("the proofs are good");
            all += done.gas;
            first.get_or_insert((count, done.gas));
            left = &left[count..];
        }
        let (count, gas) = first.expect("there are accounts");
        (count, gas, all)
    }

    pub(crate) fn rung(&self) -> Address {
        let mut rungs = self.stage.scene.deployment.rungs.iter();
        *rungs.find(|(_, rung)| **rung == Rung::Proof).expect("a proof rung is wired").0
    }
}

impl Stage {
    /// Money and an allowance for somebody without a key.
    fn fund(&mut self, account: Address) {
        let mint = RefusingToken::mintCall { to: account, amount: U256::from(SUM) };
        let approve = RefusingToken::approveCall { spender: self.policies, amount: U256::MAX };
        self.chain.call(account, self.asset, &mint).expect("anyone may mint");
        self.chain.call(account, self.asset, &approve).expect("anyone may approve");
    }
}

/// Ascending.
fn holder(i: u64) -> Address {
    Address::left_padding_from(&(0x00aa_0000 + i).to_be_bytes())
}

#[test]
fn holders_settled_in_one_block() {
    let mut book = Book::open_on(Stage::set(), 100);
    let (protocol, kind) = (book.protocol, true);
    let (_, ids) = book.sell(protocol, kind);
    book.stage.wait(4 * DAY);
    book.accrue();
    let incident = book.lose(protocol, &[]);
    book.accrue();
    let (count, gas) = book.settled(&ids, incident);
    println!("| kind | holders in 30 M gas | gas a holder |");
    println!("|---|---:|---:|");
    println!("| protocol | {count} | {} |", grouped(gas));

    let mut book = Book::open_on(Stage::with_proofs(), 100);
    let [sol, _] = gauge_specs(book.stage.asset, book.stage.scene.clock.time);
    let spec = GaugeSpec::try_from(sol.clone()).expect("a good spec");
    let plain = book.plain;
    let (accounts, ids) = book.sell(plain, false);
    book.stage.wait(4 * DAY);
    book.accrue();
    let (incident, blocks) = book.lose_by_proof(&spec, &sol);
    let (batch, first, proofs) = book.prove((&spec, &sol), incident, &blocks, &accounts);
    book.finalise(incident);
    book.accrue();
    let (count, gas) = book.settled(&ids, incident);
    let proof = proofs / accounts.len() as u64;
    println!("| position, proven before | {count} | {} |", grouped(gas));
    println!("| position, proof included | {} | {} |", GAS_LIMIT / (gas + proof), grouped(gas + proof));
    println!(
        "a call of {} bytes proves {batch} positions of {} holders for {} gas, {} each",
        grouped(CALLDATA_BYTES_MAX as u64),
        grouped(HOLDERS),
        grouped(first),
        grouped(first / batch as u64)
    );
    // What a keeper sends must pay for itself: a change that doubles a figure is to be seen here.
    assert!(count >= 150 && proof <= 120_000, "{count} holders a block, {proof} gas a proof");
}

//! What operations cost against the size of the book.
//!
//! All figures are of whole transactions, after refunds, as a receipt would tell them.
//! They are read from dry runs on one state, so that none of them changes what the next one finds.

use std::time::Instant;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::{Incidents, Policies, Pool, Tranche};
use breakwater_policy::ops::{CURATOR, Clock, Op};
use breakwater_primitives::{DAY, Wad};
use breakwater_prove::gauge::GaugeSpec;

use crate::stage::{RUNG, RefusingToken, Stage, gauge_specs};

/// Largest allowed difference between the sizes, in percent of the smallest figure.
const TOLERANCE_PERCENT: f64 = 2.0;
/// Policies of the batch that one of a batch is taken from.
const BATCH: usize = 10;
/// Sum of every policy, large enough that each second of its premium is several units.
pub(crate) const SUM: u128 = 10_000_000_000;
/// What underwriters and the curator add, so that a million policies find room and junior alone bears half of what they
/// cover: a layer more costs more, in a small book as in a large one.
const SENIOR: u128 = 3_000_000_000_000_000;
const JUNIOR: u128 = 9_000_000_000_000_000;
/// Most exposure of each product.
const CAP: u128 = 12_000_000_000_000_000;
/// Days in which the book is bought, one policy a block, each in a second of its own.
const BUYING: u64 = 16;
/// Days to the expiry of what is measured.
const TERM: u64 = 100;
pub(crate) const SLOT: u64 = 12;
/// What the gauge counted before the loss, in its unit.
const BASE: u128 = 1_000_000_000_000_000;

/// A pool with a book of policies, all bought by different purchases in different blocks.
pub(crate) struct Book {
    pub(crate) stage: Stage,
    pool: Address,
    tranches: [Address; 3],
    /// The plain product of the vault and the protocol product of the bank.
    pub(crate) plain: B256,
    pub(crate) protocol: B256,
    /// Of the policies that are measured.
    pub(crate) expiry: u64,
    /// The policies that are measured; they come after the others.
    own: Vec<U256>,
}

impl Book {
    /// `size` policies of others, and then a few of ours. Whatever the size, everything else happens at the same
    /// times.
    fn open(size: usize) -> Self {
        Self::open_on(Stage::with_proofs(), size)
    }

    pub(crate) fn open_on(mut stage: Stage, size: usize) -> Self {
        for op in stage.scene.opening() {
            stage.must(&op);
        }
        // He would wait with the great losses of the large books alone.
        stage.must(&Op::SetGuardian { guardian: Address::ZERO });
        let (pool, tranches, _) = stage.scene.pools[0].clone();
        let (plain, protocol) = (stage.scene.products[0].0, stage.scene.products[4].0);
        stage.make_room(&[plain, protocol]);
        stage.wait_until_day_and(600);
        let start = stage.chain.clock();
        let expiry = (start.time.day() + BUYING + TERM) * DAY;
        let mut book = Self { stage, pool, tranches, plain, protocol, expiry, own: Vec::new() };
        let users = book.stage.scene.users.clone();
        // Blocks of a second where slots of twelve would not do: what is looked up by time grows as it would in years.
        let slot = (BUYING * DAY / (size as u64).max(1)).clamp(1, SLOT);
        for i in 0..size as u64 {
            // Expiries are spread over half a year.
            book.buy(users[0], plain, (start.time.day() + TERM + i % 180) * DAY);
            book.stage.wait(slot);
            // Nobody reads them, and a million purchases would fill the memory.
            book.stage.chain.logs.clear();
        }
        book.stage.wait_from(start, BUYING * DAY);
        for _ in 0..=BATCH {
            let id = book.buy(users[1], plain, expiry);
            book.own.push(id);
            book.stage.wait(SLOT);
        }
        book.stage.wait_from(start, (BUYING + 4) * DAY);
        book.accrue();
        book
    }

    pub(crate) fn buy(&mut self, buyer: Address, product: B256, expiry: u64) -> U256 {
        let call = Policies::buyCall { purchase: self.purchase(buyer, product, expiry) };
        let policies = self.stage.policies;
        self.stage.chain.call(buyer, policies, &call).expect("the pool has room")
    }

    pub(crate) fn purchase(&self, buyer: Address, product: B256, expiry: u64) -> Policies::Purchase {
        let now = self.stage.chain.clock().time;
        Policies::Purchase {
            product,
            pool: self.pool,
            position: buyer,
            sum: SUM,
            expiry,
            maxPremium: U256::MAX,
            deadline: now.0,
            to: buyer,
            consent: Default::default(),
            distributor: Address::ZERO,
            feeBps: 0,
        }
    }

    /// Brings the pool up to now and goes on to the next block.
    pub(crate) fn accrue(&mut self) {
        let pool = self.pool;
        self.stage.chain.call(CURATOR, pool, &Pool::accrueCall {}).expect("anyone may accrue");
        self.stage.wait(SLOT);
    }

    /// Opens an incident of half of everything, proves positions and makes it final.
    pub(crate) fn lose(&mut self, product: B256, positions: &[Address]) -> U256 {
        let (_, terms) =
            self.stage.scene.products.iter().find(|(id, _)| *id == product).expect("a product of the scene");
        let Clock { time, block } = self.stage.chain.clock();
        let m = Incidents::Measurement {
            onset: block.0 - 3,
            reading: block.0 - 1,
            onsetTime: time.0 - 3 * SLOT,
            afterTime: time.0 - 2 * SLOT,
            base: BASE,
            loss: BASE / 2,
            evidence: B256::repeat_byte(7),
        };
        let incidents = self.stage.incidents;
        let open = Incidents::openCall { gauge: terms.gauge, rung: 0, opener: RUNG, m };
        let id = self.stage.chain.call(RUNG, incidents, &open).expect("a good measurement");
        for account in positions {
            // The same rate of the vault's unit and the pool's: enough for every policy of the account.
            let (lost, value) = (BASE / 1_000, BASE / 500);
            let record = Incidents::recordPositionCall { id, account: *account, lost, value };
            self.stage.chain.call(RUNG, incidents, &record).expect("the incident dwells");
        }
        self.finalise(id);
        id
    }

    /// Lets the dwell pass and makes an incident final.
    pub(crate) fn finalise(&mut self, id: U256) {
        let (incidents, dwell) = (self.stage.incidents, self.stage.scene.deployment.dwell + 1);
        self.stage.pass(dwell * SLOT, dwell);
        self.stage.chain.call(RUNG, incidents, &Incidents::finaliseCall { id }).expect("the dwell is over");
        self.stage.wait(SLOT);
    }

    fn gas_of(&mut self, from: Address, to: Address, call: &impl SolCall) -> u64 {
        self.stage.chain.dry(from, to, call.abi_encode()).expect("what is measured succeeds").gas
    }

    /// The named figures of this book, in the order in which they are shown.
    fn figures(&mut self) -> Vec<(&'static str, u64)> {
        let users = self.stage.scene.users.clone();
        let (owner, policies) = (users[1], self.stage.policies);
        let buy = Policies::buyCall { purchase: self.purchase(owner, self.plain, self.expiry) };
        let buy = self.gas_of(owner, policies, &buy);
        let lower = Policies::lowerCall { id: self.own[0], newSum: SUM / 2 };
        let lower = self.gas_of(owner, policies, &lower);
        let cancel = self.gas_of(owner, policies, &Policies::cancelCall { id: self.own[0] });
        let senior = self.tranches[2];
        let [deposit, shares, request, claim] = self.ways_in_and_out(users[3], senior);
        self.accrue();
        let keeper = users[5];
        let (assertion, incident) = self.assert_loss(keeper, owner);
        let ids = self.own[1..].to_vec();
        let batch = Policies::settleBatchCall { ids: ids.clone(), incident };
        let batch = self.gas_of(keeper, policies, &batch) / BATCH as u64;
        let alone = self.gas_of(keeper, policies, &Policies::settleCall { id: ids[0], incident });
        vec![
            ("buy", buy),
            ("lower", lower),
            ("cancel", cancel),
            ("assert a loss by proof", assertion),
            ("settle, one of a batch of 10", batch),
            ("settle alone", alone),
            ("request deposit", deposit),
            ("claim deposit", shares),
            ("request redemption", request),
            ("claim redemption", claim),
        ]
    }

    /// Gas of asserting by proof that half of the vault is gone, and the incident: final, with the owner's position.
    fn assert_loss(&mut self, keeper: Address, owner: Address) -> (u64, U256) {
        let [sol, _] = gauge_specs(self.stage.asset, self.stage.scene.clock.time);
        let spec = GaugeSpec::try_from(sol.clone()).expect("a good spec");
        let (call, blocks) = self.assertion(&spec, &sol);
        let rung = self.rung();
        let gas = self.gas_of(keeper, rung, &call);
        let incident = self.stage.chain.call(keeper, rung, &call).expect("half of the vault is gone");
        self.stage.wait(SLOT);
        self.prove((&spec, &sol), incident, &blocks, &[owner]);
        self.finalise(incident);
        self.accrue();
        (gas, incident)
    }

    /// Gas of asking for a deposit and claiming its shares, and of asking for a redemption and claiming its assets.
    fn ways_in_and_out(&mut self, holder: Address, tranche: Address) -> [u64; 4] {
        let (_, _, config) = self.stage.scene.pools[0].clone();
        let assets = U256::from(SUM);
        let call = Tranche::requestDepositCall { assets, controller: holder, owner: holder };
        let deposit = self.gas_of(holder, tranche, &call);
        let batch = self.stage.chain.call(holder, tranche, &call).expect("the tranche takes deposits");
        let shares = self.stage.chain.view(tranche, &Tranche::balanceOfCall { account: holder });
        let call = Tranche::requestRedeemCall {
            shares: shares / U256::from(100),
            controller: holder,
            owner: holder,
        };
        let request = self.gas_of(holder, tranche, &call);
        let cohort = self.stage.chain.call(holder, tranche, &call).expect("the shares are the holder's");
        let payable = u64::try_from(cohort).expect("an epoch") * config.epoch;
        let seconds = payable.saturating_sub(self.stage.chain.clock().time.0) + SLOT;
        self.stage.wait(seconds);
        self.accrue();
        let call = Tranche::claimDepositCall { requestId: batch, controller: holder };
        let shares = self.gas_of(holder, tranche, &call);
        let call = Tranche::claimRedeemCall { requestId: cohort, controller: holder };
        [deposit, shares, request, self.gas_of(holder, tranche, &call)]
    }
}

impl Stage {
    fn must(&mut self, op: &Op) {
        if let Some(Err(failure)) = self.act(op) {
            panic!("{op:?}: {failure:?}");
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64, blocks: u64) {
        let Clock { time, block } = self.chain.clock();
        self.chain.set_clock(Clock { time: time.plus(seconds), block: block.plus(blocks) });
    }

    /// Lets time pass, block by block.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.pass(seconds, seconds.div_ceil(SLOT));
    }

    /// Waits until so many seconds after `start` are over.
    fn wait_from(&mut self, start: Clock, seconds: u64) {
        // As many blocks as seconds, which no book's buying exceeds.
        let clock = Clock { time: start.time.plus(seconds), block: start.block.plus(seconds) };
        assert!(clock.time >= self.chain.clock().time, "it is later already");
        self.chain.set_clock(clock);
    }

    /// More capital in the first pool, a lock and caps for `products` that a million policies fit under.
    fn make_room(&mut self, products: &[B256]) {
        let (pool, _, config) = self.scene.pools[0].clone();
        let now = self.chain.clock().time;
        let request_id = now.epoch(config.epoch);
        for to in [CURATOR, self.scene.users[0], self.scene.users[2]] {
            let mint = RefusingToken::mintCall { to, amount: U256::from(JUNIOR) };
            self.chain.call(to, self.asset, &mint).expect("anyone may mint");
        }
        for (caller, layer, assets) in [(CURATOR, 1, JUNIOR), (self.scene.users[2], 3, SENIOR)] {
            self.must(&Op::RequestDeposit { caller, pool, layer, assets, controller: caller });
        }
        self.wait(config.epoch);
        for (caller, layer) in [(CURATOR, 1), (self.scene.users[2], 3)] {
            self.must(&Op::ClaimDeposit { caller, pool, layer, request_id, controller: caller });
        }
        let junior = self.tranche(pool, 1);
        let shares = self.chain.view(junior, &Tranche::balanceOfCall { account: CURATOR });
        let locked = self.chain.view(pool, &Pool::lockedCall {});
        self.must(&Op::Lock { caller: CURATOR, pool, shares: shares - locked });
        let (cap, floor_rate) = (CAP, Wad::new(20_000_000_000_000_000));
        for product in products.iter().copied() {
            self.must(&Op::SetProduct { caller: CURATOR, pool, product, cap, floor_rate });
        }
        self.wait(config.cooldown + 2 * config.epoch);
    }

    /// Waits for the next day's beginning and so many seconds more.
    fn wait_until_day_and(&mut self, seconds: u64) {
        let now = self.chain.clock().time;
        self.wait((now.day() + 1) * DAY + seconds - now.0);
    }
}

fn long() -> bool {
    std::env::var_os("BREAKWATER_LONG").is_some()
}

/// Measures books of so many policies, one after the other, and compares; returns the table.
fn flat(sizes: &[usize]) -> String {
    let columns: Vec<Vec<(&str, u64)>> = sizes
        .iter()
        .map(|size| {
            let start = Instant::now();
            let figures = Book::open(*size).figures();
            println!("{} policies: {:.0} s", grouped(*size as u64), start.elapsed().as_secs_f64());
            figures
        })
        .collect();
    let mut table = format!(
        "| | {} | most over least |\n|---|{}---:|\n",
        join(sizes.iter().map(|size| grouped(*size as u64))),
        "---:|".repeat(sizes.len())
    );
    let mut worst: (f64, &str) = (0.0, "");
    for (row, (name, first)) in columns[0].iter().enumerate() {
        let figures: Vec<u64> = columns.iter().map(|column| column[row].1).collect();
        let (least, most) = figures.iter().fold((*first, *first), |(a, b), gas| (a.min(*gas), b.max(*gas)));
        let spread = (most - least) as f64 * 100.0 / least as f64;
        let figures = join(figures.iter().map(|gas| grouped(*gas)));
        table.push_str(&format!("| {name} | {figures} | {spread:.2} % |\n"));
        if spread > worst.0 {
            worst = (spread, name);
        }
    }
    println!("{table}largest difference: {:.2} % ({})", worst.0, worst.1);
    assert!(worst.0 <= TOLERANCE_PERCENT, "{} differs by {:.2} %", worst.1, worst.0);
    table
}

fn join(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(" | ")
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn gas_is_flat_up_to_ten_thousand_policies() {
    flat(&[1, 100, 10_000]);
}

#[test]
fn long_gas_is_flat_up_to_a_million_policies() {
    if !long() {
        println!("SKIPPED 1 test (long_gas_is_flat_up_to_a_million_policies): BREAKWATER_LONG is not set");
        return;
    }
    let table = flat(&[1, 1_000, 100_000, 1_000_000]);
    // Committed beside the snapshots of the Foundry tests.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/snapshots/book.md");
    std::fs::write(path, table).expect("the checkout can be written");
}

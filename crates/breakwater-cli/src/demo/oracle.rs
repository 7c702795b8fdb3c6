//! Case study: a lender reads its price from a thin pair. A thief bends that price and liquidates the borrowers, who
//! are paid what was seized less what was repaid, at what three other feeds said.

use alloy::primitives::{Address, B256, I256, U256};
use alloy::sol_types::{SolConstructor, SolEvent, SolValue};
use breakwater_bindings::contracts::{ChainlinkFeed, OracleRung};
use breakwater_bindings::demo::{
    DemoAggregator, DemoLoans, DemoLoansAttack, DemoPair, DemoSpotFeed, DemoToken,
};
use breakwater_bindings::triggers::{Claims, FEED_BIT, LiquidationLog, OracleTerms, Sources};
use breakwater_bindings::{Catalog, Incidents};
use breakwater_chain::Receipt;
use breakwater_prove::packed::Packer;
use breakwater_prove::receipts;

use crate::demo::evidence;
use crate::demo::reckoning::{Ending, Loss};
use crate::demo::stage::{DECIMALS, SETUP, SPACING, SYMBOL, Stage, code_hash, ether, units};
use crate::demo::timeline::{Decider, Unit};
use crate::local::{Actor, Call, LocalError};
use crate::market::{self, Kind, Ladder, Offer};
use crate::style::{Screen, cents, grouped};
use crate::trouble::Trouble;

/// What a coin costs everywhere but in the pair, dUSD.
const PRICE: u64 = 2_500;
/// The same as an aggregator says it, with eight decimals.
const ANSWER: I256 = I256::from_raw(U256::from_limbs([PRICE * 100_000_000, 0, 0, 0]));
/// Coins in the pair; as many dollars as they cost are beside them.
const DEPTH: u64 = 200;
/// Coins that the thief sells, and dollars that he brings to repay debts with.
const SOLD: u64 = 60;
const BROUGHT: u64 = 100_000;
/// Borrowers, coins locked, dollars owed, and the sum insured.
const BORROWERS: [(&str, u64, u64, u64); 3] =
    [("alice", 60, 100_000, 60_000), ("bob", 30, 50_000, 20_000), ("carol", 20, 30_000, 0)];
/// How far off its references the feed is wrong, wad.
const TOLERANCE: u64 = breakwater_primitives::WAD / 20;
/// Seconds for which it must be wrong, and the longest between two looks.
const PERIOD: u32 = 3_600;
const MAX_GAP: u32 = 1_800;
/// Seconds between blocks while the price is bent, and how many there are at most.
const LOOK: u64 = 300;
const LOOKS_MAX: u64 = 60;
/// Most that all positions together may be paid, dUSD.
const BASE: u64 = 1_000_000;
/// Where the loans keep debts: their first word.
const DEBT_SLOT: u64 = 0;

struct Play {
    stage: Stage,
    borrowers: Vec<Actor>,
    provider: Actor,
    publisher: Actor,
    watcher: Actor,
    thief: Actor,
    coin: Address,
    pair: Address,
    loans: Address,
    aggregators: Vec<Address>,
    terms: Option<OracleTerms>,
    trigger: B256,
}

/// Plays it.
pub(crate) async fn play(screen: &Screen) -> Result<Ending, Trouble> {
    let mut play = Play::build(*screen).await?;
    let before = play.stage.books().await?;
    play.cover().await?;
    let held = play.worth().await?;
    let attack = play.attack().await?;
    let left = play.worth().await?;
    play.wait_out().await?;
    play.prove(&attack).await?;
    play.stage.wait_until_settled().await?;
    play.stage.close().await?;
    let notes = [
        "collateral seized at the wrong price, less the debt repaid",
        "the same; the sum insured is the most",
        "not insured",
    ];
    let losses = play.borrowers.iter().zip(held.into_iter().zip(left)).zip(notes);
    let losses = losses
        .map(|((who, (held, left)), note)| Loss { who: who.address(), lost: held.saturating_sub(left), note })
        .collect();
    Ok(Ending { stage: play.stage, before, losses })
}

impl Play {
    async fn build(screen: Screen) -> Result<Self, Trouble> {
        let borrowers: Vec<Actor> = BORROWERS.iter().map(|(name, ..)| Actor::new(name)).collect();
        let (provider, publisher) = (Actor::new("dan"), Actor::new("the publishers"));
        let (watcher, thief) = (Actor::new("a watcher"), Actor::new("thief"));
        let people = borrowers.iter().chain([&provider, &publisher, &watcher, &thief]).collect::<Vec<_>>();
        let ladder = Ladder { ceiling: units(500_000), disputes: false };
        let mut stage = Stage::open(screen, SETUP, ladder, &people).await?;
        let (deployer, asset) = (stage.market.cast.deployer.clone(), stage.market.asset);
        let coin =
            market::create_token(&mut stage.local, &deployer, "Demonstration coin", "dETH", 18).await?;
        let pair =
            stage.create(&deployer, "the pair", &DemoPair::BYTECODE, (coin, asset).abi_encode()).await?;
        let spot = DemoSpotFeed::constructorCall { pair }.abi_encode();
        let spot = stage.create(&deployer, "the spot price", &DemoSpotFeed::BYTECODE, spot).await?;
        let loans = (coin, asset, spot).abi_encode();
        let loans = stage.create(&deployer, "the loans", &DemoLoans::BYTECODE, loans).await?;
        let mut aggregators = Vec::new();
        for name in ["one price", "another price", "a third price"] {
            let arguments = DemoAggregator::constructorCall { publisher: publisher.address() }.abi_encode();
            aggregators.push(stage.create(&deployer, name, &DemoAggregator::BYTECODE, arguments).await?);
        }
        stage.ready().await?;
        let (terms, trigger) = (None, B256::ZERO);
        let mut play = Self {
            stage,
            borrowers,
            provider,
            publisher,
            watcher,
            thief,
            coin,
            pair,
            loans,
            aggregators,
            terms,
            trigger,
        };
        play.lend().await?;
        play.terms = Some(play.make_terms(spot).await?);
        Ok(play)
    }

    /// The pair and the lender are filled, and three borrow.
    async fn lend(&mut self) -> Result<(), Trouble> {
        let (asset, stage) = (self.stage.market.asset, &mut self.stage);
        let (amount0, amount1) = (ether(DEPTH), U256::from(units(DEPTH * PRICE)));
        stage.hold(&self.provider, (self.coin, amount0), self.pair).await?;
        stage.hold(&self.provider, (asset, amount1), self.pair).await?;
        let add = DemoPair::addCall { amount0, amount1 };
        stage.local.run(&self.provider, Call::to("providing", self.pair, &add)).await?;
        let mint = DemoToken::mintCall { to: self.loans, amount: U256::from(units(300_000)) };
        stage.local.run(&self.provider, Call::to("filling the loans", asset, &mint)).await?;
        for (borrower, (_, coins, debt, _)) in self.borrowers.iter().zip(BORROWERS) {
            stage.hold(borrower, (self.coin, ether(coins)), self.loans).await?;
            stage.market.endow(&mut stage.local, borrower, units(10_000)).await?;
            let lock = DemoLoans::lockCall { coins: ether(coins) };
            stage.local.run(borrower, Call::to("locking", self.loans, &lock)).await?;
            let borrow = DemoLoans::borrowCall { dollars: U256::from(units(debt)) };
            stage.local.run(borrower, Call::to("borrowing", self.loans, &borrow)).await?;
        }
        let text = "three borrowers owe 180,000 dUSD against 110 dETH, at the price of a pair of 200 dETH";
        stage.told("ready", text).await
    }

    /// What the rung watches, reads and counts.
    async fn make_terms(&mut self, watched: Address) -> Result<OracleTerms, Trouble> {
        let deployer = self.stage.market.cast.deployer.clone();
        let mut feeds = Vec::new();
        for aggregator in &self.aggregators {
            let code = ChainlinkFeed::constructorCall { source_: *aggregator }.abi_encode();
            // The adapter asks for the decimals only, so a price is not needed yet.
            feeds.push(self.stage.create(&deployer, "a reference", &ChainlinkFeed::BYTECODE, code).await?);
        }
        feeds.sort_unstable();
        let log = LiquidationLog {
            emitter: self.loans,
            topics: [DemoLoans::Liquidated::SIGNATURE_HASH, B256::ZERO, B256::ZERO, B256::ZERO],
            topicCount: 3,
            borrower: 1,
            seized: 1,
            repaid: 0,
            unitNum: 1,
            // Units of a coin for one of a dollar.
            unitDen: 1_000_000_000_000,
        };
        Ok(OracleTerms {
            watched,
            references: Sources { feeds, maxAge: PERIOD, grace: 0, sequencer: Address::ZERO },
            tolerance: TOLERANCE,
            period: PERIOD,
            maxGap: MAX_GAP,
            base: units(BASE),
            debtUnit: u128::from(breakwater_primitives::WAD),
            log,
            claims: Claims::mapping(code_hash(&self.stage.local, self.loans).await?, DEBT_SLOT),
        })
    }

    /// Lists the trigger, looks once, and sells cover.
    async fn cover(&mut self) -> Result<(), Trouble> {
        let terms = self.terms()?.clone();
        let stage = &mut self.stage;
        let trigger = Catalog::Trigger {
            chainId: U256::from(stage.local.chain_id()),
            rungs: FEED_BIT,
            asset: stage.market.asset,
            subject: self.loans,
            selector: Default::default(),
            claims: terms.claims.subject(stage.local.chain_id()),
            threshold: breakwater_primitives::WAD / 20,
            terms: terms.encode().into(),
        };
        let unit = Unit::proven("the loans", SYMBOL, DECIMALS).by(Decider::Feed);
        let rung = stage.market.deployment.oracle_rung;
        self.trigger = stage.trigger(&self.watcher, trigger, rung, unit).await?;
        let offer = Offer {
            gauge: self.trigger,
            kind: Kind::Oracle,
            registrant: None,
            rate_num: 1,
            rate_den: 1,
            deductible_bps: 0,
            bounty_bps: 50,
            instant: false,
            cap: units(200_000),
            salvage: Address::ZERO,
        };
        stage.offer(&offer, "oracle cover on the loans").await?;
        // Nothing is sold on prices that are stale.
        self.look().await?;
        let insured = self.borrowers.iter().cloned().zip(BORROWERS).filter(|(_, (.., sum))| *sum > 0);
        let buyers: Vec<(Actor, u128)> = insured.map(|(who, (.., sum))| (who, units(sum))).collect();
        self.stage.insure(&buyers).await?;
        self.look().await
    }

    /// The thief sells coins into the pair and liquidates all three at the price that this makes.
    async fn attack(&mut self) -> Result<Receipt, Trouble> {
        let (stage, thief) = (&mut self.stage, self.thief.clone());
        let arguments = DemoLoansAttack::constructorCall { loans: self.loans, pair: self.pair }.abi_encode();
        let code = [DemoLoansAttack::BYTECODE.as_ref(), &arguments].concat();
        let contract = thief.address().create(stage.local.nonce_of(&thief).await?);
        stage.local.queue(&thief, Call::create("creating the liquidator", code)).await?;
        stage.timeline.call(contract, "the thief's contract");
        stage.hold(&thief, (self.coin, ether(SOLD)), contract).await?;
        let bring = DemoToken::mintCall { to: contract, amount: U256::from(units(BROUGHT)) };
        stage.local.run(&thief, Call::to("bringing dollars", stage.market.asset, &bring)).await?;
        let borrowers = self.borrowers.iter().map(Actor::address).collect();
        let call = DemoLoansAttack::attackCall { coins: ether(SOLD), borrowers };
        let receipt = stage.act_quietly(&thief, "the liquidations", contract, &call).await?;
        let reserves = stage.local.view(self.pair, &DemoPair::getReservesCall {}).await?;
        // Dollars have twelve decimals fewer than coins.
        let spot = reserves.reserve1 * U256::from(10).pow(U256::from(18)) / reserves.reserve0;
        let text = format!(
            "a thief sells {SOLD} dETH into the pair, which then says {}, and liquidates three borrowers; {} gas",
            cents(spot, DECIMALS),
            grouped(receipt.gas_used)
        );
        stage.told("attack", &text).await?;
        Ok(receipt)
    }

    /// The price stays bent, the keeper looks on, and after an hour there is an incident.
    async fn wait_out(&mut self) -> Result<(), Trouble> {
        for _ in 0..LOOKS_MAX {
            if self.stage.has_incident() {
                return Ok(());
            }
            self.publish().await?;
            self.stage.pass(LOOK).await?;
        }
        Err(Trouble::Unsettled { blocks: LOOKS_MAX })
    }

    /// Each insured borrower's liquidation is proven from the receipts, and his debt from storage.
    async fn prove(&mut self, attack: &Receipt) -> Result<(), Trouble> {
        let deployment = self.stage.market.deployment.clone();
        let id = U256::ONE;
        let known = self.stage.local.view(deployment.incidents, &Incidents::incidentCall { id }).await?;
        for index in 0..2 {
            let who = self.borrowers[index].clone();
            let ours = |log: &&alloy::primitives::Log| {
                log.address == self.loans
                    && DemoLoans::Liquidated::decode_log(log).is_ok_and(|log| log.borrower == who.address())
            };
            let log = attack.logs.iter().position(|log| ours(&log));
            let log = log.ok_or_else(|| LocalError::Missing { what: format!("the log of {}", who.name) })?;
            let evidence = self.evidence(attack, known.onset, &who).await?;
            let size = evidence.nodes.len() + evidence.paths.len();
            let prove = OracleRung::proveLogCall {
                id,
                transaction: U256::from(attack.index),
                log: U256::from(log),
                evidence,
            };
            let text = format!("the log of {} and the debt before, in {} bytes", who.name, grouped(size));
            self.stage.act(&self.watcher, "proof", &text, deployment.oracle_rung, &prove, 0).await?;
        }
        Ok(())
    }

    /// The receipt's walk, then at the onset the loans' account and the borrower's word.
    async fn evidence(
        &self,
        attack: &Receipt,
        onset: u64,
        who: &Actor,
    ) -> Result<OracleRung::Evidence, Trouble> {
        let endpoints = self.stage.local.endpoints();
        let head = endpoints.head_at(attack.block_number, None).await?;
        let all = endpoints.receipts(&head).await?;
        let all: Vec<_> = all.into_iter().map(|receipt| receipt.inner.into_primitives_receipt()).collect();
        // A block has far fewer transactions than an index has numbers.
        let index = usize::try_from(attack.index).unwrap_or(usize::MAX);
        let mut packer = Packer::default();
        packer.push(&receipts::walk(&head, &all, index)?)?;
        let reads = [evidence::reads(&self.terms()?.claims, &[who.address()], true)];
        let block = evidence::block(&self.stage.local, onset, &reads).await?;
        block.pack(&reads, &mut packer)?;
        let (nodes, paths) = packer.finish();
        let headers = vec![block.rlp().clone(), head.rlp().clone()];
        Ok(OracleRung::Evidence { headers, nodes, paths, holders: Vec::new(), newcomers: Vec::new() })
    }

    /// Somebody has the rung look at fresh prices.
    async fn look(&mut self) -> Result<(), Trouble> {
        self.publish().await?;
        self.stage.pass(SPACING).await?;
        let rung = self.stage.market.deployment.oracle_rung;
        let poke = OracleRung::pokeCall { trigger: self.trigger };
        self.stage.act_quietly(&self.watcher, "looking", rung, &poke).await?;
        self.stage.follow().await?;
        Ok(())
    }

    /// The publishers post what a coin costs, for the next block.
    async fn publish(&mut self) -> Result<(), Trouble> {
        let local = &mut self.stage.local;
        for aggregator in &self.aggregators {
            let post = DemoAggregator::postCall { answer: ANSWER };
            local.queue(&self.publisher, Call::to("posting a price", *aggregator, &post)).await?;
        }
        Ok(())
    }

    /// What each borrower has: his coins at the price that everybody else pays, less his debt.
    async fn worth(&self) -> Result<Vec<U256>, Trouble> {
        let mut worth = Vec::new();
        for borrower in self.borrowers.iter().map(Actor::address) {
            let coins = self.stage.local.view(self.loans, &DemoLoans::collateralOfCall { borrower }).await?;
            let debt = self.stage.local.view(self.loans, &DemoLoans::debtOfCall { borrower }).await?;
            let price = U256::from(units(PRICE));
            worth.push((coins * price / ether(1)).saturating_sub(debt));
        }
        Ok(worth)
    }

    fn terms(&self) -> Result<&OracleTerms, LocalError> {
        self.terms.as_ref().ok_or_else(|| LocalError::Missing { what: "the terms".to_owned() })
    }
}

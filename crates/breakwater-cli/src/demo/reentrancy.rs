//! Case study: a grantee re-enters a treasury and takes 30 % of it. Nobody has claims on a treasury that a proof could
//! read, so three bonded reporters say what was lost.

use alloy::primitives::{Address, B256, Bytes, U64, U256};
use alloy::sol_types::SolConstructor;
use breakwater_bindings::Catalog;
use breakwater_bindings::demo::{DemoTreasury, DemoTreasuryAttack};
use breakwater_bindings::triggers::QUORUM_BIT;
use breakwater_prove::document::{BlockRef, Document, Finding, RuleReading};

use crate::demo::reckoning::{Ending, Loss};
use crate::demo::reporters::{self, Figures};
use crate::demo::stage::{SETUP, Stage, ether, units};
use crate::demo::timeline::{Decider, Unit};
use crate::local::{Actor, Call};
use crate::market::{Kind, Ladder, Offer};
use crate::style::{Screen, cents, grouped};
use crate::trouble::Trouble;

/// What the treasury begins with, and what it has when it is attacked, ether.
const ENDOWMENT: u64 = 610;
const HONEST_GRANT: u64 = 10;
/// The thief's grant, ether.
const GRANT: u64 = 6;
/// Agreed rate: 2,500 dUSD for an ether, as dUSD units for wei.
const RATE: (u128, u128) = (25, 10_000_000_000);
/// The sum insured, dUSD: all of the treasury.
const INSURED: u64 = 1_500_000;
/// Of a loss and of the sum, the treasury's own.
const DEDUCTIBLE_BPS: u16 = 500;

struct Play {
    stage: Stage,
    reporters: Vec<Actor>,
    dao: Actor,
    grantee: Actor,
    thief: Actor,
    treasury: Address,
    trigger: B256,
}

/// Plays it.
pub(crate) async fn play(screen: &Screen) -> Result<Ending, Trouble> {
    let mut play = Play::build(*screen).await?;
    let before = play.stage.books().await?;
    play.cover().await?;
    play.grant().await?;
    let held = play.stage.ether_of(play.treasury).await?;
    let attacked = play.attack().await?;
    let lost = held.saturating_sub(play.stage.ether_of(play.treasury).await?);
    play.report(attacked).await?;
    play.stage.wait_until_settled().await?;
    play.stage.close().await?;
    // Rounded up: what the pool pays for a wei is never more than its part of this.
    let lost = (lost * U256::from(RATE.0)).div_ceil(U256::from(RATE.1));
    let note = "30 % of the treasury; 5 % of it is the deductible";
    let losses = vec![Loss { who: play.dao.address(), lost, note }];
    Ok(Ending { stage: play.stage, before, losses })
}

impl Play {
    async fn build(screen: Screen) -> Result<Self, Trouble> {
        let reporters = reporters::three();
        let (grantee, thief) = (Actor::new("heidi"), Actor::new("thief"));
        let people: Vec<&Actor> = reporters.iter().chain([&grantee, &thief]).collect();
        let ladder = Ladder { ceiling: units(2_000_000), disputes: true };
        let mut stage = Stage::open(screen, SETUP, ladder, &people).await?;
        let (deployer, dao) = (stage.market.cast.deployer.clone(), stage.market.cast.registrant.clone());
        stage.timeline.call(dao.address(), "the treasury's DAO");
        reporters::admit(&mut stage, &reporters).await?;
        let arguments = DemoTreasury::constructorCall { owner_: dao.address() };
        let code = arguments.abi_encode();
        let treasury = stage.create(&deployer, "the treasury", &DemoTreasury::BYTECODE, code).await?;
        stage.ready().await?;
        let fund = Call::raw("endowing", Some(treasury), Bytes::new()).with_value(ether(ENDOWMENT));
        stage.local.run(&dao, fund).await?;
        let text =
            format!("the treasury holds {ENDOWMENT} ETH; three reporters have bonded 20,000 dUSD each");
        stage.told("ready", &text).await?;
        Ok(Self { stage, reporters, dao, grantee, thief, treasury, trigger: Default::default() })
    }

    /// Lists the treasury for reporters alone and sells cover to its DAO.
    async fn cover(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let trigger = Catalog::Trigger {
            chainId: U256::from(stage.local.chain_id()),
            rungs: QUORUM_BIT,
            asset: Address::ZERO,
            subject: self.treasury,
            selector: Default::default(),
            claims: Default::default(),
            threshold: breakwater_primitives::WAD / 20,
            terms: Bytes::new(),
        };
        self.trigger = stage.market.list_trigger(&mut stage.local, trigger).await?;
        stage.timeline.gauge(self.trigger, Unit::proven("the treasury", "ETH", 18).by(Decider::Reporters));
        let offer = Offer {
            gauge: self.trigger,
            kind: Kind::Custom,
            registrant: Some(self.dao.address()),
            rate_num: RATE.0,
            rate_den: RATE.1,
            deductible_bps: DEDUCTIBLE_BPS,
            bounty_bps: 50,
            instant: false,
            cap: units(INSURED),
            salvage: Address::ZERO,
        };
        stage.offer(&offer, "custom cover of the treasury").await?;
        stage.insure(&[(self.dao.clone(), units(INSURED))]).await
    }

    /// An honest grant, collected; and one that is not.
    async fn grant(&mut self) -> Result<(), Trouble> {
        let (dao, thief) = (self.dao.clone(), self.thief.clone());
        let award = |grantee, whole| DemoTreasury::awardCall { grantee, amount: ether(whole) };
        let honest = award(self.grantee.address(), HONEST_GRANT);
        self.stage.local.run(&dao, Call::to("awarding", self.treasury, &honest)).await?;
        let collect = DemoTreasury::collectCall {};
        let text = format!("heidi collects her grant of {HONEST_GRANT} ETH");
        self.stage.act(&self.grantee, "traffic", &text, self.treasury, &collect, 0).await?;
        let arguments = DemoTreasuryAttack::constructorCall { treasury: self.treasury }.abi_encode();
        let code = [DemoTreasuryAttack::BYTECODE.as_ref(), &arguments].concat();
        let contract = self.stage.local.create(&thief, "the grantee", code).await?;
        self.stage.timeline.call(contract, "the thief's contract");
        let dishonest = award(contract, GRANT);
        let text = format!("the DAO grants {GRANT} ETH to a contract that nobody has read");
        self.stage.act(&dao, "traffic", &text, self.treasury, &dishonest, 0).await?;
        // The limit is by the day, and this one's is set already.
        self.stage.pass(86_400).await
    }

    /// The grant is collected again from within its payment, as often as a day allows; the transaction and its block.
    async fn attack(&mut self) -> Result<(B256, u64), Trouble> {
        let (stage, thief) = (&mut self.stage, self.thief.clone());
        let contract = thief.address().create(0);
        let before = stage.ether_of(self.treasury).await?;
        let call = DemoTreasuryAttack::attackCall {};
        let receipt = stage.act_quietly(&thief, "the re-entrancy", contract, &call).await?;
        let text = format!(
            "the thief's contract collects its grant of {GRANT} ETH from within the payment of it: {} of {} ETH are left; {} gas",
            cents(stage.ether_of(self.treasury).await?, 18),
            cents(before, 18),
            grouped(receipt.gas_used)
        );
        stage.told("attack", &text).await?;
        Ok((receipt.tx_hash, receipt.block_number))
    }

    /// Each reporter reads both blocks himself, writes the evidence and signs; one of them posts.
    async fn report(&mut self, (transaction, block): (B256, u64)) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        for _ in 0..8 {
            stage.block().await?;
        }
        let blocks = [block - 1, block + 4];
        let mut signed = Vec::new();
        let mut last = None;
        for reporter in &self.reporters {
            let figures = measure(stage, self.treasury, self.trigger, blocks, transaction).await?;
            let report = reporters::report(stage, &figures).await?;
            signed.push((reporter.address(), reporters::sign(stage, reporter, &report)?));
            last = Some(report);
        }
        let Some(report) = last else { return Ok(()) };
        let post = reporters::post(&report, &signed)?;
        let (rung, _) = reporters::contracts(stage)?;
        let text = format!(
            "three reporters read the treasury at blocks {} and {} and sign that {} of {} ETH are gone",
            blocks[0],
            blocks[1],
            cents(U256::from(report.loss), 18),
            cents(U256::from(report.base), 18)
        );
        let who = self.reporters[0].clone();
        stage.act(&who, "report", &text, rung, &post, 0).await
    }
}

/// What the treasury held in two blocks, with the document that says so.
async fn measure(
    stage: &Stage,
    treasury: Address,
    gauge: B256,
    blocks: [u64; 2],
    transaction: B256,
) -> Result<Figures, Trouble> {
    let (mut refs, mut readings) = (Vec::new(), Vec::new());
    for number in blocks {
        let head = stage.local.endpoints().head_at(number, None).await?;
        let value: U256 =
            stage.local.endpoints().request("eth_getBalance", (treasury, U64::from(number))).await?;
        refs.push(BlockRef { number, hash: head.hash() });
        readings.push(RuleReading { block: number, name: "balance".to_owned(), value });
    }
    let base = readings[0].value.saturating_to::<u128>();
    let left = readings[1].value.saturating_to::<u128>();
    let document = Document {
        chain_id: stage.local.chain_id(),
        blocks: refs,
        finding: Finding::Rule { rule: "balance/1".to_owned(), readings },
        transactions: vec![transaction],
        tool: "breakwater demo".to_owned(),
    };
    let evidence = document.hash()?;
    Ok(Figures { gauge, blocks, base, loss: base.saturating_sub(left), evidence })
}

//! Case study: a lending market is upgraded to code that never looks whether a transfer went through, and loses
//! 5 million. The gauge's pins no longer hold, so no proof decides: three reporters' nodes measure by
//! rule, people sign, and a reinsurer bears its layer.

use alloy::primitives::aliases::U40;
use alloy::primitives::{Address, U256};
use alloy::sol_types::{SolCall, SolConstructor, SolEvent};
use breakwater_bindings::contracts::{Pool, Treaty, TreatyFactory};
use breakwater_bindings::demo::{DemoMarket, DemoMarketAttack, DemoMarketV2, UpgradableProxy};

use crate::demo::reckoning::{Ending, Loss};
use crate::demo::reporters;
use crate::demo::stage::{DECIMALS, SETUP, SYMBOL, Stage, units};
use crate::demo::timeline::{Decider, Unit};
use crate::keeper::LocalKeeper;
use crate::local::{Actor, Call, LocalError};
use crate::market::{DAY, Kind, Ladder, Offer, Setup};
use crate::style::{Screen, cents, grouped};
use crate::trouble::Trouble;

/// Suppliers, what they supply and what they insure, dUSD; the last one has borrowed as well.
const SUPPLIERS: [(&str, u64, u64); 4] = [
    ("alice", 2_000_000, 2_000_000),
    ("bob", 1_000_000, 500_000),
    ("carol", 1_000_000, 0),
    ("dan", 5_000_000, 0),
];
/// What the last of them has borrowed, dUSD.
const BORROWED: u64 = 4_000_000;

/// A pool of four million.
const LARGE: Setup =
    Setup { junior: units(800_000), mezzanine: units(1_200_000), senior: units(2_000_000), ..SETUP };

/// The reinsurer bears what an event costs the pool above the first million, up to another one, for a tenth of the
/// premiums.
const ATTACHMENT: u64 = 1_000_000;
const LIMIT: u64 = 1_000_000;
const PREMIUM_BPS: u16 = 1_000;

/// Blocks in which all must be paid: readings, signatures, and the windows of the report and of the positions.
const PAID_BY: u64 = 160;

/// Blocks from the upgrade to the attack.
const UNNOTICED: u32 = 10;

struct Play {
    stage: Stage,
    suppliers: Vec<Actor>,
    reporters: Vec<Actor>,
    team: Actor,
    thief: Actor,
    market: Address,
    treaty: Address,
    /// Where nodes leave their signatures; it goes with the play.
    _signatures: tempfile::TempDir,
}

/// Plays it.
pub(crate) async fn play(screen: &Screen) -> Result<Ending, Trouble> {
    let mut play = Play::build(*screen).await?;
    let before = play.stage.books().await?;
    play.cover().await?;
    play.upgrade().await?;
    let held = play.worth().await?;
    play.attack().await?;
    let left = play.worth().await?;
    play.sign().await?;
    play.wait_until_paid().await?;
    play.stage.wait_until_settled().await?;
    play.stage.close().await?;
    let pay = Pool::payPremiumCall { treaty: play.treaty };
    let pool = play.stage.market.pool;
    play.stage
        .act(&play.team, "premium", "the reinsurer is sent its part of the premiums", pool, &pay, 0)
        .await?;
    let notes = [
        "all of it insured; 5 % is the deductible",
        "half of it insured",
        "not insured",
        "not insured; owes 4,000,000",
    ];
    let losses = play.suppliers.iter().zip(held.into_iter().zip(left)).zip(notes);
    let losses = losses
        .map(|((who, (held, left)), note)| Loss { who: who.address(), lost: held.saturating_sub(left), note })
        .collect();
    Ok(Ending { stage: play.stage, before, losses })
}

impl Play {
    async fn build(screen: Screen) -> Result<Self, Trouble> {
        let three = reporters::three();
        let suppliers: Vec<Actor> = SUPPLIERS.iter().map(|(name, ..)| Actor::new(name)).collect();
        let (team, thief) = (Actor::new("the market's team"), Actor::new("thief"));
        let reinsurer = Actor::new("the reinsurer");
        let people: Vec<&Actor> = suppliers.iter().chain(&three).chain([&team, &thief, &reinsurer]).collect();
        let ladder = Ladder { ceiling: units(3_000_000), disputes: true };
        let mut stage = Stage::open(screen, LARGE, ladder, &people).await?;
        reporters::admit(&mut stage, &three).await?;
        let treaty = reinsure(&mut stage, &reinsurer).await?;
        let first = stage.local.create(&team, "version 1", DemoMarket::BYTECODE.to_vec()).await?;
        let code = UpgradableProxy::constructorCall { implementation: first }.abi_encode();
        let market = stage.create(&team, "the market", &UpgradableProxy::BYTECODE, code).await?;
        let set_up = DemoMarket::setUpCall { asset_: stage.market.asset };
        stage.local.run(&team, Call::to("setting up", market, &set_up)).await?;
        let signatures = tempfile::tempdir()?;
        let desk = |reporter| LocalKeeper::desk(signatures.path(), reporter);
        let keeper = stage.market.cast.keeper.clone();
        let mut nodes =
            vec![LocalKeeper::start_as(&stage.local, &stage.market, &keeper, Some(desk(None))).await?];
        for reporter in &three {
            let desk = Some(desk(Some(reporter)));
            nodes.push(LocalKeeper::start_as(&stage.local, &stage.market, reporter, desk).await?);
        }
        stage.nodes = nodes;
        stage.ready().await?;
        let mut play =
            Self { stage, suppliers, reporters: three, team, thief, market, treaty, _signatures: signatures };
        play.supply().await?;
        Ok(play)
    }

    /// Money comes, some is lent, a little comes and goes.
    async fn supply(&mut self) -> Result<(), Trouble> {
        let (stage, market) = (&mut self.stage, self.market);
        let asset = stage.market.asset;
        for (supplier, (_, dollars, insured)) in self.suppliers.iter().zip(SUPPLIERS) {
            let amount = U256::from(units(dollars));
            if insured > 0 {
                // A hundredth is more than enough for a month's premium.
                stage.market.endow(&mut stage.local, supplier, units(insured / 100)).await?;
            }
            stage.hold(supplier, (asset, amount), market).await?;
            let supply = DemoMarket::supplyCall { amount };
            stage.local.run(supplier, Call::to("supplying", market, &supply)).await?;
        }
        let (carol, dan) = (self.suppliers[2].clone(), self.suppliers[3].clone());
        let borrow = DemoMarket::borrowCall { amount: U256::from(units(BORROWED)) };
        stage.local.run(&dan, Call::to("borrowing", market, &borrow)).await?;
        stage
            .told("ready", "the market owes 9,000,000 dUSD to four suppliers; 4,000,000 of it are lent out")
            .await?;
        let amount = U256::from(units(20_000));
        let redeem = DemoMarket::redeemCall { shares: amount };
        stage.act(&carol, "traffic", "carol redeems 20,000 dUSD", market, &redeem, 0).await?;
        let repay = DemoMarket::repayCall { amount };
        stage.act(&dan, "traffic", "dan repays 20,000 dUSD", market, &repay, 0).await?;
        let supply = DemoMarket::supplyCall { amount };
        stage.act(&carol, "traffic", "carol supplies them again", market, &supply, 0).await?;
        let borrow = DemoMarket::borrowCall { amount };
        stage.act(&dan, "traffic", "dan borrows them again", market, &borrow, 0).await
    }

    /// Finds the gauge and sells cover to two suppliers.
    async fn cover(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let unit = Unit::proven("the market", SYMBOL, DECIMALS).by(Decider::Reporters);
        let gauge = stage.gauge(self.market, unit).await?;
        let offer = Offer {
            gauge,
            kind: Kind::Position,
            registrant: None,
            rate_num: 1,
            rate_den: 1,
            deductible_bps: 500,
            bounty_bps: 50,
            instant: false,
            cap: units(3_000_000),
            salvage: Address::ZERO,
        };
        stage.offer(&offer, "position cover on the market").await?;
        let insured = self.suppliers.iter().cloned().zip(SUPPLIERS).filter(|(_, (.., sum))| *sum > 0);
        let buyers: Vec<(Actor, u128)> = insured.map(|(who, (.., sum))| (who, units(sum))).collect();
        stage.insure(&buyers).await
    }

    /// The team means well.
    async fn upgrade(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let second = stage.local.create(&self.team, "version 2", DemoMarketV2::BYTECODE.to_vec()).await?;
        // The proxy wants a call, whatever it is.
        let data = DemoMarketV2::getCashCall {}.abi_encode().into();
        let upgrade = UpgradableProxy::upgradeToAndCallCall { implementation: second, data };
        let text = "the team upgrades the market to code that saves gas on transfers";
        stage.act(&self.team, "upgrade", text, self.market, &upgrade, 0).await?;
        for _ in 0..UNNOTICED {
            stage.block().await?;
        }
        Ok(())
    }

    /// Shares for a transfer that never happened, redeemed for all the cash there is.
    async fn attack(&mut self) -> Result<(), Trouble> {
        let (stage, thief) = (&mut self.stage, self.thief.clone());
        let arguments = DemoMarketAttack::constructorCall { market: self.market, asset_: stage.market.asset };
        let code = [DemoMarketAttack::BYTECODE.as_ref(), &arguments.abi_encode()].concat();
        let contract = stage.local.create(&thief, "the supplier of nothing", code).await?;
        stage.timeline.call(contract, "the thief's contract");
        stage.follow().await?;
        let call = DemoMarketAttack::attackCall {};
        let receipt = stage.act_quietly(&thief, "the fake supply", contract, &call).await?;
        let text = format!(
            "a thief supplies what he does not have and redeems the shares: {} {SYMBOL} are gone; {} gas",
            cents(stage.dollars_of(thief.address()).await?, DECIMALS),
            grouped(receipt.gas_used)
        );
        stage.told("attack", &text).await
    }

    /// The nodes measure and list, since a machine cannot tell a migration from a theft; three people look and sign.
    async fn sign(&mut self) -> Result<(), Trouble> {
        for _ in 0..PAID_BY {
            if self.stage.timeline.listed.len() >= self.reporters.len() {
                break;
            }
            self.stage.block().await?;
        }
        let stage = &mut self.stage;
        let mut listed = stage.timeline.listed.clone();
        // The keeper is node 0, and reporters follow in the order of their addresses, as signatures must.
        listed.sort_by_key(|(node, _)| *node);
        let mut signed = Vec::new();
        for (reporter, (_, report)) in self.reporters.iter().zip(&listed) {
            signed.push((reporter.address(), reporters::sign(stage, reporter, report)?));
        }
        let Some((_, report)) = listed.first().filter(|_| signed.len() == self.reporters.len()) else {
            return Err(Trouble::Unsettled { blocks: PAID_BY });
        };
        let post = reporters::post(report, &signed)?;
        let (rung, _) = reporters::contracts(stage)?;
        let text = "three people find that it is no migration, and sign what their nodes have listed";
        stage.act(&self.reporters[0], "report", text, rung, &post, 0).await
    }

    /// Blocks until positions are signed and posted too, and the word of the reporters stood unchallenged, twice.
    async fn wait_until_paid(&mut self) -> Result<(), Trouble> {
        let insured = self.suppliers.iter().zip(SUPPLIERS).filter(|(_, (.., sum))| *sum > 0);
        let insured: Vec<Address> = insured.map(|(supplier, _)| supplier.address()).collect();
        for _ in 0..PAID_BY {
            if insured.iter().all(|account| !self.stage.timeline.paid_to(*account).is_zero()) {
                return Ok(());
            }
            self.stage.block().await?;
        }
        Err(Trouble::Unsettled { blocks: PAID_BY })
    }

    /// What the shares of each supplier are worth.
    async fn worth(&self) -> Result<Vec<U256>, Trouble> {
        let (local, market) = (&self.stage.local, self.market);
        let assets = local.view(market, &DemoMarket::totalAssetsCall {}).await?;
        let supply = local.view(market, &DemoMarket::totalSupplyCall {}).await?;
        let mut worth = Vec::new();
        for account in self.suppliers.iter().map(Actor::address) {
            let shares = local.view(market, &DemoMarket::balanceOfCall { account }).await?;
            worth.push(shares * assets / supply);
        }
        Ok(worth)
    }
}

/// An excess of loss on each event, its collateral in place; the curator cedes to it.
async fn reinsure(stage: &mut Stage, reinsurer: &Actor) -> Result<Address, Trouble> {
    let (pool, asset) = (stage.market.pool, stage.market.asset);
    // An hour more than underwriters need to leave first.
    let notice = u64::from(SETUP.cooldown) + 2 * u64::from(SETUP.epoch) + 3_600;
    let start = stage.local.time() + notice;
    let terms = TreatyFactory::TreatyTerms {
        cedant: pool,
        asset,
        aggregate: false,
        shareBps: 10_000,
        premiumBps: PREMIUM_BPS,
        attachment: units(ATTACHMENT),
        limit: units(LIMIT),
        yearlyLimit: units(LIMIT),
        start: U40::from(start),
        end: U40::from(start + 365 * DAY),
        notice: 30 * 86_400,
    };
    let make = TreatyFactory::makeCall { terms };
    let factory = stage.market.deployment.treaty_factory;
    let receipt = stage.local.run(reinsurer, Call::to("making a treaty", factory, &make)).await?;
    let made = receipt.logs.iter().find_map(|log| TreatyFactory::TreatyMade::decode_log(log).ok());
    let treaty = made.ok_or_else(|| LocalError::Missing { what: "event TreatyMade".to_owned() })?.treaty;
    stage.timeline.call(treaty, "the treaty");
    let assets = U256::from(units(LIMIT));
    stage.hold(reinsurer, (asset, assets), treaty).await?;
    let deposit = Treaty::depositCall { assets, receiver: reinsurer.address() };
    stage.local.run(reinsurer, Call::to("depositing collateral", treaty, &deposit)).await?;
    let curator = stage.market.cast.curator.clone();
    let attach = Pool::attachTreatyCall { treaty };
    stage.local.run(&curator, Call::to("ceding to the treaty", pool, &attach)).await?;
    Ok(treaty)
}

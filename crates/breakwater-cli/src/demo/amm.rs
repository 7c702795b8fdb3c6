//! Case study: a flash loan drains 15 % of a constant-product pair, whose team bought cover for all its users.

use alloy::primitives::{Address, U256};
use alloy::sol_types::{SolConstructor, SolValue};
use breakwater_bindings::demo::{DemoPair, DemoPairAttack, DemoVault};

use crate::demo::reckoning::{Ending, Loss};
use crate::demo::stage::{DECIMALS, SETUP, SYMBOL, Stage, ether, units};
use crate::demo::timeline::Unit;
use crate::local::{Actor, Call};
use crate::market::{self, Kind, Ladder, Offer};
use crate::style::{Screen, cents};
use crate::trouble::Trouble;

/// What a coin costs, dUSD.
const PRICE: u64 = 2_500;
/// What the pair is worth, dUSD, and what of it is insured: a protocol is paid at most nine tenths.
const WORTH: u64 = 2_000_000;
const INSURED: u64 = WORTH / 10 * 9;
/// A share's unit is the root of a coin's and a dollar's unit; in all they are worth `WORTH`.
const RATE: (u128, u128) = (1, 10_000);
/// The loan of which 15 % of the pair are left behind, dUSD.
const LOAN: u64 = 2_255_200;
/// What the lender of flash loans has, dUSD.
const LENDER: u64 = 3_000_000;

/// Who puts how many coins into the pair, with as many dollars as they cost.
const PROVIDERS: [(&str, u64); 3] = [("alice", 200), ("bob", 120), ("carol", 80)];

struct Play {
    stage: Stage,
    providers: Vec<Actor>,
    trader: Actor,
    thief: Actor,
    coin: Address,
    pair: Address,
    lender: Address,
}

/// Plays it.
pub(crate) async fn play(screen: &Screen) -> Result<Ending, Trouble> {
    let mut play = Play::build(*screen).await?;
    let before = play.stage.books().await?;
    play.cover().await?;
    let worth = play.worth().await?;
    play.attack().await?;
    let lost = worth.saturating_sub(play.worth().await?);
    play.stage.wait_until_settled().await?;
    play.stage.close().await?;
    let team = play.stage.market.cast.registrant.address();
    let losses = vec![Loss { who: team, lost, note: "of all providers; nine tenths of a loss are payable" }];
    Ok(Ending { stage: play.stage, before, losses })
}

impl Play {
    async fn build(screen: Screen) -> Result<Self, Trouble> {
        let providers: Vec<Actor> = PROVIDERS.iter().map(|(name, _)| Actor::new(name)).collect();
        let (trader, thief) = (Actor::new("dan"), Actor::new("thief"));
        let people: Vec<&Actor> = providers.iter().chain([&trader, &thief]).collect();
        let mut stage = Stage::open(screen, SETUP, Ladder::default(), &people).await?;
        let (deployer, asset) = (stage.market.cast.deployer.clone(), stage.market.asset);
        stage.timeline.call(stage.market.cast.registrant.address(), "the pair's team");
        let coin =
            market::create_token(&mut stage.local, &deployer, "Demonstration coin", "dETH", 18).await?;
        let pair =
            stage.create(&deployer, "the pair", &DemoPair::BYTECODE, (coin, asset).abi_encode()).await?;
        let arguments = DemoVault::constructorCall { asset_: asset }.abi_encode();
        let lender = stage.create(&deployer, "the flash lender", &DemoVault::BYTECODE, arguments).await?;
        stage.ready().await?;
        let mut play = Self { stage, providers, trader, thief, coin, pair, lender };
        play.provide().await?;
        Ok(play)
    }

    /// Everyone brings what he has; somebody trades, and somebody takes a little out again.
    async fn provide(&mut self) -> Result<(), Trouble> {
        let Self { stage, pair, coin, .. } = self;
        let (pair, coin, asset) = (*pair, *coin, stage.market.asset);
        for (provider, (_, coins)) in self.providers.iter().zip(PROVIDERS) {
            let (amount0, amount1) = (ether(coins), U256::from(units(coins * PRICE)));
            stage.hold(provider, (coin, amount0), pair).await?;
            stage.hold(provider, (asset, amount1), pair).await?;
            let add = DemoPair::addCall { amount0, amount1 };
            stage.local.run(provider, Call::to("providing", pair, &add)).await?;
        }
        let deployer = stage.market.cast.deployer.clone();
        let assets = U256::from(units(LENDER));
        stage.hold(&deployer, (asset, assets), self.lender).await?;
        let deposit = DemoVault::depositCall { assets, receiver: deployer.address() };
        stage.local.run(&deployer, Call::to("filling the lender", self.lender, &deposit)).await?;
        stage.told("ready", "the pair holds 400 dETH and 1,000,000 dUSD of three providers").await?;
        let trader = self.trader.clone();
        stage.hold(&trader, (asset, U256::from(units(50_000))), pair).await?;
        stage.hold(&trader, (coin, ether(20)), pair).await?;
        let buy =
            DemoPair::swapCall { forward: false, amountIn: U256::from(units(25_000)), leastOut: U256::ZERO };
        stage.act(&trader, "traffic", "dan buys dETH for 25,000 dUSD", pair, &buy, 0).await?;
        let sell = DemoPair::swapCall { forward: true, amountIn: ether(10), leastOut: U256::ZERO };
        stage.act(&trader, "traffic", "dan sells 10 dETH", pair, &sell, 0).await?;
        let carol = self.providers[2].clone();
        let shares = stage.local.view(pair, &DemoPair::balanceOfCall { account: carol.address() }).await?;
        let remove = DemoPair::removeCall { shares: shares / U256::from(80) };
        stage.act(&carol, "traffic", "carol takes the eightieth part of hers out", pair, &remove, 0).await?;
        let add = DemoPair::addCall { amount0: ether(1), amount1: U256::from(units(PRICE)) };
        stage.hold(&carol, (coin, ether(1)), pair).await?;
        stage.hold(&carol, (asset, U256::from(units(PRICE))), pair).await?;
        stage.act(&carol, "traffic", "carol brings it back", pair, &add, 0).await
    }

    /// Finds the gauge and sells cover to the team.
    async fn cover(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let unit = Unit::proven("the pair", "roots of dETH by dUSD", 12);
        let gauge = stage.gauge(self.pair, unit).await?;
        let registrant = stage.market.cast.registrant.clone();
        let offer = Offer {
            gauge,
            kind: Kind::Protocol,
            registrant: Some(registrant.address()),
            rate_num: RATE.0,
            rate_den: RATE.1,
            deductible_bps: 0,
            bounty_bps: 50,
            instant: false,
            cap: units(INSURED),
            salvage: Address::ZERO,
        };
        stage.offer(&offer, "protocol cover on the pair").await?;
        stage.insure(&[(registrant, units(INSURED))]).await
    }

    /// The price of a moment is taken for a price.
    async fn attack(&mut self) -> Result<(), Trouble> {
        let (stage, thief) = (&mut self.stage, self.thief.clone());
        let arguments = DemoPairAttack::constructorCall { pair: self.pair, lender: self.lender }.abi_encode();
        let code = [DemoPairAttack::BYTECODE.as_ref(), &arguments].concat();
        let attack = stage.local.create(&thief, "the manipulator", code).await?;
        stage.timeline.call(attack, "the thief's contract");
        stage.follow().await?;
        let call = DemoPairAttack::attackCall { loan: U256::from(units(LOAN)) };
        let receipt = stage.act_quietly(&thief, "the manipulation", attack, &call).await?;
        let gained = stage.dollars_of(thief.address()).await?;
        let text = format!(
            "a thief borrows {} {SYMBOL} for a moment, zaps at the price that it makes, and keeps {}; {} gas",
            cents(U256::from(units(LOAN)), DECIMALS),
            cents(gained, DECIMALS),
            crate::style::grouped(receipt.gas_used)
        );
        stage.told("attack", &text).await
    }

    /// What all shares are worth by the agreed rate, rounded up: the root of both reserves.
    async fn worth(&self) -> Result<U256, Trouble> {
        let reserves = self.stage.local.view(self.pair, &DemoPair::getReservesCall {}).await?;
        let root = (reserves.reserve0 * reserves.reserve1).root(2);
        Ok((root * U256::from(RATE.0)).div_ceil(U256::from(RATE.1)))
    }
}

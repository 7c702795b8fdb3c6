//! Case study: a failed upgrade locks everyone in. A canary tells, holders are paid 95 % of their positions against
//! the shares, and the shares are sold for those who bore the loss.

use alloy::hex;
use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::{SolCall, SolConstructor, SolError, SolEvent};
use breakwater_bindings::Catalog;
use breakwater_bindings::contracts::{Canary, CanaryRung, Policies, Salvage};
use breakwater_bindings::demo::{DemoSavings, DemoSavingsV2, DemoToken, UpgradableProxy};
use breakwater_bindings::triggers::{CANARY_BIT, CanaryTerms, Claims};

use crate::demo::evidence::{self, Packed};
use crate::demo::reckoning::{Ending, Loss};
use crate::demo::stage::{DECIMALS, SETUP, SYMBOL, Stage, code_hash, units};
use crate::demo::timeline::{Decider, Unit};
use crate::local::{Actor, Call, LocalError};
use crate::market::{Kind, Ladder, Offer};
use crate::style::{Screen, cents, grouped};
use crate::trouble::Trouble;

/// Who has saved how much, and how many shares he insures and later gives up, dUSD.
const SAVERS: [(&str, u64, u64); 3] =
    [("alice", 100_000, 100_000), ("bob", 60_000, 40_000), ("carol", 40_000, 0)];
/// What the first version takes at most, dUSD; the second one reads it as a date.
const CAP: u64 = 10_000_000;
/// What the canary is funded with, dUSD: it is given up.
const CANARY: u64 = 200;
/// Seconds between two failed probes.
const SPACING: u32 = 6 * 3_600;
/// Seconds between blocks while the keeper looks on, and how many there are at most.
const LOOK: u64 = 1_200;
const LOOKS_MAX: u64 = 60;
/// Most that all positions together may be paid, dUSD.
const BASE: u64 = 1_000_000;
/// Where the savings keep shares: the first word of an ERC-20.
const SHARES_SLOT: u64 = 0;
/// keccak256("eip1967.proxy.implementation") - 1
const IMPLEMENTATION: B256 =
    B256::new(hex!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"));

struct Play {
    stage: Stage,
    savers: Vec<Actor>,
    team: Actor,
    watcher: Actor,
    savings: Address,
    canary: Address,
    claims: Claims,
    trigger: B256,
}

/// Plays it.
pub(crate) async fn play(screen: &Screen) -> Result<Ending, Trouble> {
    let mut play = Play::build(*screen).await?;
    let before = play.stage.books().await?;
    play.cover().await?;
    let worth = play.positions().await?;
    play.upgrade().await?;
    play.probes().await?;
    play.claim().await?;
    play.stage.wait_until_settled().await?;
    play.stage.close().await?;
    play.salvage().await?;
    let notes = [
        "all her shares insured and given up: 95 % of them",
        "40,000 shares insured and given up; he keeps the others",
        "not insured",
    ];
    let lost = play.savers.iter().zip(worth).zip(notes);
    let losses = lost.map(|((saver, lost), note)| Loss { who: saver.address(), lost, note }).collect();
    Ok(Ending { stage: play.stage, before, losses })
}

impl Play {
    async fn build(screen: Screen) -> Result<Self, Trouble> {
        let savers: Vec<Actor> = SAVERS.iter().map(|(name, ..)| Actor::new(name)).collect();
        let (team, watcher) = (Actor::new("the savings' team"), Actor::new("a watcher"));
        let people: Vec<&Actor> = savers.iter().chain([&team, &watcher]).collect();
        let ladder = Ladder { ceiling: units(500_000), disputes: false };
        let mut stage = Stage::open(screen, SETUP, ladder, &people).await?;
        let asset = stage.market.asset;
        let first = stage.local.create(&team, "version 1", DemoSavings::BYTECODE.to_vec()).await?;
        let code = UpgradableProxy::constructorCall { implementation: first }.abi_encode();
        let savings = stage.create(&team, "the savings", &UpgradableProxy::BYTECODE, code).await?;
        let set_up = DemoSavings::setUpCall { asset_: asset, cap: U256::from(units(CAP)) };
        stage.local.run(&team, Call::to("setting up", savings, &set_up)).await?;
        let keeper = code_hash(&stage.local, savings).await?;
        let claims = Claims::mapping(keeper, SHARES_SLOT).pinned_to(IMPLEMENTATION, first.into_word());
        let redeem = DemoSavings::redeemCall {
            shares: U256::from(units(1)),
            receiver: Address::ZERO,
            owner: Address::ZERO,
        };
        let arguments = Canary::constructorCall {
            target_: savings,
            input_: redeem.abi_encode().into(),
            // The second and the third word of the arguments are the canary's own address.
            own: U256::from(0b110),
            asset_: asset,
            least_: U256::from(units(1) * 9 / 10),
            spends_: Address::ZERO,
        };
        let canary = stage.create(&team, "the canary", &Canary::BYTECODE, arguments.abi_encode()).await?;
        stage.ready().await?;
        let trigger = B256::ZERO;
        let mut play = Self { stage, savers, team, watcher, savings, canary, claims, trigger };
        play.save().await?;
        Ok(play)
    }

    /// Everyone brings his savings, the canary its own.
    async fn save(&mut self) -> Result<(), Trouble> {
        let (stage, savings) = (&mut self.stage, self.savings);
        let asset = stage.market.asset;
        for (saver, (_, dollars, _)) in self.savers.iter().zip(SAVERS) {
            let assets = U256::from(units(dollars));
            // Half as much again, so that premiums can be paid.
            stage.market.endow(&mut stage.local, saver, units(dollars) / 2).await?;
            stage.hold(saver, (asset, assets), savings).await?;
            let deposit = DemoSavings::depositCall { assets, receiver: saver.address() };
            stage.local.run(saver, Call::to("saving", savings, &deposit)).await?;
            let again =
                DemoToken::approveCall { spender: stage.market.deployment.policies, value: U256::MAX };
            stage.local.run(saver, Call::to("approving premiums", asset, &again)).await?;
        }
        let assets = U256::from(units(CANARY));
        stage.hold(&self.team, (asset, assets), savings).await?;
        let fund = DemoSavings::depositCall { assets, receiver: self.canary };
        stage.local.run(&self.team, Call::to("funding the canary", savings, &fund)).await?;
        stage.told("ready", "the savings hold 200,000 dUSD of three savers, and 200 dUSD of a canary").await
    }

    /// Lists the canary as a trigger, lets it get out once, and sells cover.
    async fn cover(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let terms = CanaryTerms {
            canary: self.canary,
            breaker: Address::ZERO,
            gasLimit: 400_000,
            spacing: SPACING,
            base: units(BASE),
            claims: self.claims.clone(),
        };
        let trigger = Catalog::Trigger {
            chainId: U256::from(stage.local.chain_id()),
            rungs: CANARY_BIT,
            asset: stage.market.asset,
            subject: self.savings,
            selector: Default::default(),
            claims: self.claims.subject(stage.local.chain_id()),
            threshold: breakwater_primitives::WAD / 20,
            terms: terms.encode().into(),
        };
        let unit = Unit::proven("the savings", SYMBOL, DECIMALS).by(Decider::Canary);
        let rung = stage.market.deployment.canary_rung;
        self.trigger = stage.trigger(&self.watcher, trigger, rung, unit).await?;
        // Before a first success nothing is sold.
        self.probe().await?;
        let offer = Offer {
            gauge: self.trigger,
            kind: Kind::Upgrade,
            registrant: None,
            rate_num: 1,
            rate_den: 1,
            deductible_bps: 0,
            bounty_bps: 50,
            instant: false,
            cap: units(300_000),
            salvage: self.savings,
        };
        self.stage.offer(&offer, "upgrade cover on the savings").await?;
        let insured = self.savers.iter().cloned().zip(SAVERS).filter(|(_, (.., sum))| *sum > 0);
        let buyers: Vec<(Actor, u128)> = insured.map(|(saver, (.., sum))| (saver, units(sum))).collect();
        self.stage.insure(&buyers).await?;
        self.probe().await
    }

    /// The team's second version finds the cap where it looks for a date.
    async fn upgrade(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let second = stage.local.create(&self.team, "version 2", DemoSavingsV2::BYTECODE.to_vec()).await?;
        // The proxy wants a call, whatever it is.
        let data = DemoSavingsV2::totalSupplyCall {}.abi_encode().into();
        let upgrade = UpgradableProxy::upgradeToAndCallCall { implementation: second, data };
        stage
            .act(
                &self.team,
                "upgrade",
                "the team upgrades the savings to version 2",
                self.savings,
                &upgrade,
                0,
            )
            .await?;
        let alice = &self.savers[0];
        let redeem = DemoSavings::redeemCall {
            shares: U256::from(units(1_000)),
            receiver: alice.address(),
            owner: alice.address(),
        };
        let data = stage.refused(alice, self.savings, &redeem).await?;
        let refusal = DemoSavingsV2::NotOpenYet::abi_decode(&data)
            .map_err(|_| Trouble::NotRefused { what: "a redemption".to_owned(), got: data.to_string() })?;
        let text = format!(
            "alice asks for 1,000 dUSD and is told that withdrawals open in the year {}",
            // Of 31,556,952 seconds each, as the calendar has them on average.
            grouped(U256::from(1970) + refusal.opensAt / U256::from(31_556_952))
        );
        stage.told("locked", &text).await
    }

    /// The keeper lets the canary try: two failures hours apart, with nobody out in between, are an incident.
    async fn probes(&mut self) -> Result<(), Trouble> {
        for _ in 0..LOOKS_MAX {
            if self.stage.has_incident() {
                return Ok(());
            }
            self.stage.pass(LOOK).await?;
        }
        Err(Trouble::Unsettled { blocks: LOOKS_MAX })
    }

    /// Holdings are proven from storage, and the shares given up.
    async fn claim(&mut self) -> Result<(), Trouble> {
        let market = self.stage.market.deployment.clone();
        let incident = U256::ONE;
        let known = self
            .stage
            .local
            .view(market.incidents, &breakwater_bindings::Incidents::incidentCall { id: incident })
            .await?;
        let mut accounts: Vec<Address> = self.savers[..2].iter().map(Actor::address).collect();
        accounts.sort_unstable();
        let blocks = [known.onset, known.reading];
        let Packed { headers, nodes, paths } =
            evidence::holdings(&self.stage.local, &self.claims, blocks, &accounts).await?;
        let size = nodes.len() + paths.len();
        let evidence =
            CanaryRung::Evidence { headers, nodes, paths, holders: Vec::new(), newcomers: Vec::new() };
        let prove = CanaryRung::provePositionsCall { id: incident, accounts, evidence };
        let text = format!("the watcher proves two holdings with {} bytes", grouped(size));
        self.stage.act(&self.watcher, "proof", &text, market.canary_rung, &prove, 0).await?;
        let salvage = self.stage.local.view(market.policies, &Policies::salvageCall {}).await?;
        self.stage.timeline.call(salvage, "the salvage");
        for (policy, (saver, (name, _, sum))) in (1_u64..).zip(self.savers.iter().zip(SAVERS)).take(2) {
            let approve = DemoToken::approveCall { spender: salvage, value: U256::MAX };
            self.stage.local.queue(saver, Call::to("approving the salvage", self.savings, &approve)).await?;
            let assign = Salvage::assignCall { policy: U256::from(policy), incident, amount: units(sum) };
            let text = format!("{name} gives {} shares up for the claim", grouped(sum));
            self.stage.act(saver, "assigned", &text, salvage, &assign, 0).await?;
        }
        Ok(())
    }

    /// The claims are over: what was paid for is sold, half a week into the auctions.
    async fn salvage(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let (incident, asset) = (U256::ONE, stage.market.asset);
        let policies = stage.market.deployment.policies;
        let salvage = stage.local.view(policies, &Policies::salvageCall {}).await?;
        stage.hold(&self.team, (asset, U256::from(units(200_000))), salvage).await?;
        let mut lots = Vec::new();
        for policy in [U256::ONE, U256::from(2)] {
            let take = Salvage::takeCall { policy, incident };
            let receipt = stage.act_quietly(&self.watcher, "taking salvage", salvage, &take).await?;
            let taken = receipt.logs.iter().find_map(|log| Salvage::Taken::decode_log(log).ok());
            let taken = taken.ok_or_else(|| LocalError::Missing { what: "event Taken".to_owned() })?;
            let text = format!(
                "{} shares of policy {policy} are the pool's, {} go back",
                cents(taken.taken, DECIMALS),
                cents(taken.returned, DECIMALS)
            );
            stage.told("salvage", &text).await?;
            lots.push((policy, taken.taken));
        }
        stage.pass(7 * 86_400 / 2).await?;
        for (policy, taken) in lots {
            let amount = taken.saturating_to();
            let buy = Salvage::buyCall { policy, incident, amount, most: U256::MAX };
            let receipt = stage.act_quietly(&self.team, "buying salvage", salvage, &buy).await?;
            let sold = receipt.logs.iter().find_map(|log| Salvage::Sold::decode_log(log).ok());
            let sold = sold.ok_or_else(|| LocalError::Missing { what: "event Sold".to_owned() })?;
            let text = format!(
                "the team, which means to repair them, buys {} shares for {} {SYMBOL}",
                cents(sold.amount, DECIMALS),
                cents(sold.cost, DECIMALS)
            );
            stage.told("salvage", &text).await?;
        }
        Ok(())
    }

    /// What the shares of each saver can be redeemed for now.
    async fn positions(&self) -> Result<Vec<U256>, Trouble> {
        let mut worth = Vec::new();
        for saver in &self.savers {
            let held = DemoSavings::balanceOfCall { account: saver.address() };
            let shares = self.stage.local.view(self.savings, &held).await?;
            worth.push(
                self.stage.local.view(self.savings, &DemoSavings::convertToAssetsCall { shares }).await?,
            );
        }
        Ok(worth)
    }

    /// Anyone may let the canary try.
    async fn probe(&mut self) -> Result<(), Trouble> {
        let probe = CanaryRung::probeCall { trigger: self.trigger };
        let rung = self.stage.market.deployment.canary_rung;
        self.stage.act_quietly(&self.watcher, "probing", rung, &probe).await?;
        self.stage.follow().await?;
        Ok(())
    }
}

//! The people, protocols and events of the demo.

use alloy::primitives::{Address, U256};
use alloy::sol_types::SolConstructor;
use breakwater_bindings::demo::{DemoBank, DemoBankAttack, DemoToken, DemoVault, DemoVaultAttack};

use crate::demo::stage::{DECIMALS, SETUP, SYMBOL, Stage, ether, units};
use crate::demo::timeline::Unit;
use crate::local::{Actor, Call, LocalError};
use crate::market::{Kind, Ladder, Offer};
use crate::style::{Screen, cents};
use crate::trouble::Trouble;

/// What the thief of the bank brings, ether: he gets it back once for each time that he asks.
const STAKE: u64 = 2;

/// Agreed rate of the bank's cover: 2,500 dUSD for an ether, as dUSD units for wei.
const RATE: (u128, u128) = (25, 10_000_000_000);

/// The stage with everyone on it.
pub(crate) struct Scenery {
    /// The chain, and what is told of it.
    pub(crate) stage: Stage,
    people: People,
    vault: Address,
    bank: Address,
}

/// Everyone who is not Breakwater.
struct People {
    /// Who deposits how many dUSD in the vault, and what sum he insures.
    vault_holders: Vec<(Actor, u64, u64)>,
    /// Who deposits how many ether in the bank.
    bank_users: Vec<(Actor, u64)>,
    thief: Actor,
}

impl People {
    fn new() -> Self {
        let holder = |name: &str, dollars, insured| (Actor::new(name), dollars, insured);
        let user = |name: &str, ether| (Actor::new(name), ether);
        Self {
            vault_holders: vec![
                holder("alice", 120_000, 120_000),
                holder("bob", 80_000, 50_000),
                holder("carol", 40_000, 60_000),
                holder("dan", 60_000, 0),
            ],
            bank_users: vec![user("erin", 25), user("frank", 15), user("grace", 12), user("heidi", 8)],
            thief: Actor::new("thief"),
        }
    }

    fn all(&self) -> Vec<&Actor> {
        let holders = self.vault_holders.iter().map(|(actor, ..)| actor);
        holders.chain(self.bank_users.iter().map(|(actor, _)| actor)).chain([&self.thief]).collect()
    }
}

impl Scenery {
    /// Starts the chain, deploys Breakwater, fills the tranches, and opens a vault and a bank.
    pub(crate) async fn build(screen: Screen) -> Result<Self, Trouble> {
        let people = People::new();
        let mut stage = Stage::open(screen, SETUP, Ladder::default(), &people.all()).await?;
        let (deployer, asset) = (stage.market.cast.deployer.clone(), stage.market.asset);
        stage.timeline.call(stage.market.cast.registrant.address(), "the bank's team");
        let arguments = DemoVault::constructorCall { asset_: asset }.abi_encode();
        let vault = stage.create(&deployer, "the vault", &DemoVault::BYTECODE, arguments).await?;
        let bank = stage.create(&deployer, "the bank", &DemoBank::BYTECODE, Vec::new()).await?;
        stage.ready().await?;
        let mut scenery = Self { stage, people, vault, bank };
        scenery.deposits().await?;
        Ok(scenery)
    }

    /// Finds the gauges, offers products on them, and sells cover for the holders and the bank.
    pub(crate) async fn cover(&mut self) -> Result<(), Trouble> {
        let stage = &mut self.stage;
        let vault = stage.gauge(self.vault, Unit::proven("the vault", SYMBOL, DECIMALS)).await?;
        let bank = stage.gauge(self.bank, Unit::proven("the bank", "ETH", 18)).await?;
        let positions = Offer {
            gauge: vault,
            kind: Kind::Position,
            registrant: None,
            rate_num: 1,
            rate_den: 1,
            deductible_bps: 500,
            bounty_bps: 50,
            instant: false,
            cap: 300_000_000_000,
            salvage: Address::ZERO,
        };
        let protocol = Offer {
            gauge: bank,
            kind: Kind::Protocol,
            registrant: Some(stage.market.cast.registrant.address()),
            rate_num: RATE.0,
            rate_den: RATE.1,
            deductible_bps: 0,
            bounty_bps: 50,
            instant: true,
            cap: 200_000_000_000,
            salvage: Address::ZERO,
        };
        let (positions, _) = stage.market.offer(&mut stage.local, &positions).await?;
        let (protocol, effective_at) = stage.market.offer(&mut stage.local, &protocol).await?;
        stage.timeline.tell(
            stage.local.head().await?.number(),
            "offered",
            "position cover on the vault, protocol cover on the bank; sold when underwriters had time to leave",
        );
        stage.local.seal(effective_at).await?;
        for (holder, _, sum) in self.people.vault_holders.iter().filter(|(_, _, sum)| *sum > 0) {
            stage.market.buy(&mut stage.local, holder, positions, units(*sum)).await?;
        }
        let registrant = stage.market.cast.registrant.clone();
        stage.market.buy(&mut stage.local, &registrant, protocol, units(135_000)).await?;
        stage.narrate().await?;
        stage.local.seal(stage.local.time() + u64::from(SETUP.waiting)).await?;
        stage.block().await?;
        Ok(())
    }

    /// Ordinary days: money comes and goes, and nothing happens.
    pub(crate) async fn traffic(&mut self) -> Result<(), Trouble> {
        let (erin, alice) = (self.people.bank_users[0].0.clone(), self.people.vault_holders[0].0.clone());
        let withdraw = DemoBank::withdrawCall { amount: ether(5) };
        self.stage.act(&erin, "traffic", "erin takes 5 ETH out of the bank", self.bank, &withdraw, 0).await?;
        let redeem = self.redemption(&alice, 10_000).await?;
        self.stage.act(&alice, "traffic", "alice redeems 10,000 dUSD", self.vault, &redeem, 0).await?;
        self.stage
            .act(&erin, "traffic", "erin brings them back", self.bank, &DemoBank::depositCall {}, 5)
            .await
    }

    /// A day on which only the vault is left to be used.
    pub(crate) async fn later_traffic(&mut self) -> Result<(), Trouble> {
        let bob = self.people.vault_holders[1].0.clone();
        let redeem = self.redemption(&bob, 5_000).await?;
        self.stage.act(&bob, "traffic", "bob redeems 5,000 dUSD", self.vault, &redeem, 0).await?;
        self.stage.block().await?;
        Ok(())
    }

    /// The bank pays before it books, and is asked again from within its own payment.
    pub(crate) async fn drain_bank(&mut self) -> Result<(), Trouble> {
        let thief = self.people.thief.clone();
        let code = DemoBankAttack::constructorCall { bank: self.bank }.abi_encode();
        let code = [DemoBankAttack::BYTECODE.as_ref(), &code].concat();
        let call = Call::create("creating the re-entrant", code).with_value(ether(STAKE));
        let receipt = self.stage.local.run(&thief, call).await?;
        let attack = created(receipt.created, "the re-entrant")?;
        self.stage.timeline.call(attack, "the thief's contract");
        self.stage.follow().await?;
        let before = self.stage.ether_of(self.bank).await?;
        let call = DemoBankAttack::attackCall {};
        self.stage.act_quietly(&thief, "the re-entrancy", attack, &call).await?;
        let text = format!(
            "a thief brings {STAKE} ETH and re-enters the withdrawal: {} of {} ETH are left in the bank",
            cents(self.stage.ether_of(self.bank).await?, 18),
            cents(before, 18)
        );
        self.stage.told("attack", &text).await
    }

    /// A loan counts as repaid although it came back as a deposit that minted shares.
    pub(crate) async fn drain_vault(&mut self) -> Result<(), Trouble> {
        let thief = self.people.thief.clone();
        let code = DemoVaultAttack::constructorCall { vault: self.vault }.abi_encode();
        let code = [DemoVaultAttack::BYTECODE.as_ref(), &code].concat();
        let attack = self.stage.local.create(&thief, "the borrower", code).await?;
        self.stage.timeline.call(attack, "the thief's borrower");
        self.stage.follow().await?;
        let before = self.stage.dollars_of(self.vault).await?;
        // All but a tenth: the deposit then mints nine shares for each one there was.
        let loan = before * U256::from(9) / U256::from(10);
        let call = DemoVaultAttack::attackCall { amount: loan };
        self.stage.act_quietly(&thief, "the flash loan", attack, &call).await?;
        let text = format!(
            "the thief repays a flash loan by depositing it: {} of {} {SYMBOL} are left in the vault",
            cents(self.stage.dollars_of(self.vault).await?, DECIMALS),
            cents(before, DECIMALS)
        );
        self.stage.told("attack", &text).await
    }
}

impl Scenery {
    /// Everyone brings what he has, and some take a little out again.
    async fn deposits(&mut self) -> Result<(), Trouble> {
        let holders = self.people.vault_holders.clone();
        for (holder, dollars, _) in &holders {
            // Twice what he deposits, so that premiums can be paid.
            self.stage.market.endow(&mut self.stage.local, holder, 2 * units(*dollars)).await?;
            let approve = DemoToken::approveCall { spender: self.vault, value: U256::MAX };
            self.stage
                .local
                .queue(holder, Call::to("approving the vault", self.stage.market.asset, &approve))
                .await?;
            let assets = U256::from(units(*dollars));
            let deposit = DemoVault::depositCall { assets, receiver: holder.address() };
            self.stage.local.queue(holder, Call::to("depositing in the vault", self.vault, &deposit)).await?;
        }
        for (user, whole) in &self.people.bank_users {
            let call = Call::to("depositing in the bank", self.bank, &DemoBank::depositCall {});
            self.stage.local.queue(user, call.with_value(ether(*whole))).await?;
        }
        self.stage.local.flush().await?;
        self.stage
            .told("ready", "the vault holds 300,000 dUSD of four holders, the bank 60 ETH of four users")
            .await?;
        let (dan, heidi) = (holders[3].0.clone(), self.people.bank_users[3].0.clone());
        let redeem = self.redemption(&dan, 2_000).await?;
        self.stage.act(&dan, "traffic", "dan redeems 2,000 dUSD", self.vault, &redeem, 0).await?;
        let withdraw = DemoBank::withdrawCall { amount: ether(2) };
        self.stage.act(&heidi, "traffic", "heidi takes 2 ETH out of the bank", self.bank, &withdraw, 0).await
    }

    async fn redemption(&self, holder: &Actor, dollars: u64) -> Result<DemoVault::redeemCall, Trouble> {
        let assets = U256::from(units(dollars));
        let shares = self.stage.local.view(self.vault, &DemoVault::convertToSharesCall { assets }).await?;
        Ok(DemoVault::redeemCall { shares, receiver: holder.address(), owner: holder.address() })
    }
}

fn created(address: Option<Address>, what: &str) -> Result<Address, LocalError> {
    address.ok_or_else(|| LocalError::Missing { what: format!("the address of {what}") })
}

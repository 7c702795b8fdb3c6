//! The people, protocols and events of the demo.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy::primitives::{Address, B256, U64, U256};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::{SolCall, SolConstructor};
use breakwater_bindings::demo::{DemoBank, DemoBankAttack, DemoToken, DemoVault, DemoVaultAttack};
use breakwater_chain::Receipt;
use breakwater_evm::{EvmError, Reader, RpcSource, off_thread};
use breakwater_prove::compiler::{CompileOptions, compile_blocking};

use crate::books::Books;
use crate::demo::timeline::{Timeline, Unit};
use crate::keeper::LocalKeeper;
use crate::local::{Actor, Call, Genesis, Local, LocalError};
use crate::market::{Cast, Market, Offer, Setup};
use crate::style::{Screen, cents, grouped};
use crate::trouble::Trouble;

/// What the demo's dollar is called.
pub(crate) const SYMBOL: &str = "dUSD";
/// Its decimals.
pub(crate) const DECIMALS: u8 = 6;

/// 2026-01-05, a Monday, in seconds since the epoch: the same output every time.
const GENESIS_TIME: u64 = 1_767_571_200;
/// Seconds between blocks of the story.
const SPACING: u64 = 12;

/// What the thief of the bank brings, ether: he gets it back once for each time that he asks.
const STAKE: u64 = 2;

/// Agreed rate of the bank's cover: 2,500 dUSD for an ether, as dUSD units for wei.
const RATE: (u128, u128) = (25, 10_000_000_000);

/// A market of ordinary pace: daily epochs, a week's notice, a day's wait.
const SETUP: Setup = Setup {
    symbol: SYMBOL,
    decimals: DECIMALS,
    epoch: 86_400,
    cooldown: 7 * 86_400,
    waiting: 86_400,
    junior: 400_000_000_000,
    mezzanine: 600_000_000_000,
    senior: 1_000_000_000_000,
    purse: 50_000_000_000,
};

/// Longer than claims are open, seconds.
const CLAIMS_OVER: u64 = 31 * 86_400;

/// Blocks that are made at most until everything is settled.
const BLOCKS_MAX: u64 = 200;

/// Blocks without work after which nothing more is expected.
const QUIET_BLOCKS: u64 = 2;

/// The stage with everyone on it.
pub(crate) struct Scenery {
    local: Local,
    market: Market,
    keeper: LocalKeeper,
    people: People,
    vault: Address,
    bank: Address,
    /// What is told and counted.
    pub(crate) timeline: Timeline,
    /// The newest block whose logs are told.
    narrated: u64,
    /// The first block after the deployment.
    first_block: u64,
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
        let (cast, people) = (Cast::new(), People::new());
        let genesis =
            Genesis { chain_id: 31337, time: GENESIS_TIME, base_fee: 1_000_000_000, alloc: BTreeMap::new() };
        let actors: Vec<&Actor> = cast.all().into_iter().chain(people.all()).collect();
        let mut local = Local::start(&genesis, &actors).await?;
        let market = Market::open(&mut local, cast.clone(), SETUP).await?;
        let keeper = LocalKeeper::start(&local, &market).await?;
        let mut timeline = Timeline::new(screen, &market, SYMBOL, DECIMALS);
        for actor in actors {
            timeline.call(actor.address(), actor.name.clone());
        }
        let vault_code = DemoVault::constructorCall { asset_: market.asset }.abi_encode();
        let vault_code = [DemoVault::BYTECODE.as_ref(), &vault_code].concat();
        let vault = local.create(&cast.deployer, "the vault", vault_code).await?;
        let bank = local.create(&cast.deployer, "the bank", DemoBank::BYTECODE.to_vec()).await?;
        timeline.call(cast.registrant.address(), "the bank's team");
        timeline.call(market.pool, "the pool");
        timeline.call(vault, "the vault");
        timeline.call(bank, "the bank");
        let narrated = local.head().await?.number();
        timeline.head();
        timeline.tell(
            narrated,
            "ready",
            &format!(
                "Breakwater stands; underwriters put in {} {SYMBOL} junior, {} mezzanine, {} senior",
                dollars(SETUP.junior),
                dollars(SETUP.mezzanine),
                dollars(SETUP.senior)
            ),
        );
        let first_block = narrated + 1;
        let mut scenery =
            Self { local, market, keeper, people, vault, bank, timeline, narrated, first_block };
        scenery.deposits().await?;
        Ok(scenery)
    }

    /// Finds the gauges, offers products on them, and sells cover for the holders and the bank.
    pub(crate) async fn cover(&mut self) -> Result<(), Trouble> {
        let vault = self.gauge(self.vault, "the vault", SYMBOL, DECIMALS).await?;
        let bank = self.gauge(self.bank, "the bank", "ETH", 18).await?;
        let positions = Offer {
            gauge: vault,
            registrant: None,
            rate_num: 1,
            rate_den: 1,
            deductible_bps: 500,
            bounty_bps: 50,
            instant: false,
            cap: 300_000_000_000,
        };
        let protocol = Offer {
            gauge: bank,
            registrant: Some(self.market.cast.registrant.address()),
            rate_num: RATE.0,
            rate_den: RATE.1,
            deductible_bps: 0,
            bounty_bps: 50,
            instant: true,
            cap: 200_000_000_000,
        };
        let (positions, _) = self.market.offer(&mut self.local, &positions).await?;
        let (protocol, effective_at) = self.market.offer(&mut self.local, &protocol).await?;
        self.timeline.tell(
            self.local.head().await?.number(),
            "offered",
            "position cover on the vault, protocol cover on the bank; sold when underwriters had time to leave",
        );
        self.local.seal(effective_at).await?;
        for (holder, _, sum) in self.people.vault_holders.iter().filter(|(_, _, sum)| *sum > 0) {
            self.market.buy(&mut self.local, holder, positions, units(*sum)).await?;
        }
        let registrant = self.market.cast.registrant.clone();
        self.market.buy(&mut self.local, &registrant, protocol, units(135_000)).await?;
        self.narrate().await?;
        self.local.seal(self.local.time() + u64::from(SETUP.waiting)).await?;
        self.block().await?;
        Ok(())
    }

    /// Ordinary days: money comes and goes, and nothing happens.
    pub(crate) async fn traffic(&mut self) -> Result<(), Trouble> {
        let (erin, alice) = (self.people.bank_users[0].0.clone(), self.people.vault_holders[0].0.clone());
        let withdraw = DemoBank::withdrawCall { amount: ether(5) };
        self.act(&erin, "traffic", "erin takes 5 ETH out of the bank", self.bank, &withdraw, 0).await?;
        let redeem = self.redemption(&alice, 10_000).await?;
        self.act(&alice, "traffic", "alice redeems 10,000 dUSD", self.vault, &redeem, 0).await?;
        self.act(&erin, "traffic", "erin brings them back", self.bank, &DemoBank::depositCall {}, 5).await
    }

    /// A day on which only the vault is left to be used.
    pub(crate) async fn later_traffic(&mut self) -> Result<(), Trouble> {
        let bob = self.people.vault_holders[1].0.clone();
        let redeem = self.redemption(&bob, 5_000).await?;
        self.act(&bob, "traffic", "bob redeems 5,000 dUSD", self.vault, &redeem, 0).await?;
        self.block().await?;
        Ok(())
    }

    /// The bank pays before it books, and is asked again from within its own payment.
    pub(crate) async fn drain_bank(&mut self) -> Result<(), Trouble> {
        let thief = self.people.thief.clone();
        let code = DemoBankAttack::constructorCall { bank: self.bank }.abi_encode();
        let code = [DemoBankAttack::BYTECODE.as_ref(), &code].concat();
        let call = Call::create("creating the re-entrant", code).with_value(ether(STAKE));
        let receipt = self.local.run(&thief, call).await?;
        let attack = created(receipt.created, "the re-entrant")?;
        self.timeline.call(attack, "the thief's contract");
        self.follow().await?;
        let before = self.ether_of(self.bank).await?;
        let call = DemoBankAttack::attackCall {};
        self.act_quietly(&thief, "the re-entrancy", attack, &call).await?;
        let text = format!(
            "a thief brings {STAKE} ETH and re-enters the withdrawal: {} of {} ETH are left in the bank",
            cents(self.ether_of(self.bank).await?, 18),
            cents(before, 18)
        );
        self.told("attack", &text).await
    }

    /// A loan counts as repaid although it came back as a deposit that minted shares.
    pub(crate) async fn drain_vault(&mut self) -> Result<(), Trouble> {
        let thief = self.people.thief.clone();
        let code = DemoVaultAttack::constructorCall { vault: self.vault }.abi_encode();
        let code = [DemoVaultAttack::BYTECODE.as_ref(), &code].concat();
        let attack = self.local.create(&thief, "the borrower", code).await?;
        self.timeline.call(attack, "the thief's borrower");
        self.follow().await?;
        let before = self.dollars_of(self.vault).await?;
        // All but a tenth: the deposit then mints nine shares for each one there was.
        let loan = before * U256::from(9) / U256::from(10);
        let call = DemoVaultAttack::attackCall { amount: loan };
        self.act_quietly(&thief, "the flash loan", attack, &call).await?;
        let text = format!(
            "the thief repays a flash loan by depositing it: {} of {} {SYMBOL} are left in the vault",
            cents(self.dollars_of(self.vault).await?, DECIMALS),
            cents(before, DECIMALS)
        );
        self.told("attack", &text).await
    }

    /// Blocks until no incident dwells and the keeper has nothing left to do.
    pub(crate) async fn wait_until_settled(&mut self) -> Result<(), Trouble> {
        let mut quiet = 0;
        for _ in 0..BLOCKS_MAX {
            let idle = self.block().await?;
            let waits = self.local.pooled().await? > 0 || self.keeper.dwells();
            quiet = if waits || !idle { 0 } else { quiet + 1 };
            if quiet > QUIET_BLOCKS {
                return Ok(());
            }
        }
        Err(Trouble::Unsettled { blocks: BLOCKS_MAX })
    }

    /// The time for claims runs out, and what nobody is owed goes back to the underwriters.
    pub(crate) async fn close(&mut self) -> Result<(), Trouble> {
        self.local.seal(self.local.time() + CLAIMS_OVER).await?;
        self.told("later", "a month has passed: the time for claims is over").await?;
        self.wait_until_settled().await
    }

    /// The books at the newest block.
    pub(crate) async fn books(&self) -> Result<Books, Trouble> {
        let incidents = self.timeline.incidents();
        Ok(Books::read(&self.local, &self.market, &incidents, &self.timeline.everybody()).await?)
    }
}

impl Scenery {
    /// Everyone brings what he has, and some take a little out again.
    async fn deposits(&mut self) -> Result<(), Trouble> {
        let holders = self.people.vault_holders.clone();
        for (holder, dollars, _) in &holders {
            // Twice what he deposits, so that premiums can be paid.
            self.market.endow(&mut self.local, holder, 2 * units(*dollars)).await?;
            let approve = DemoToken::approveCall { spender: self.vault, value: U256::MAX };
            self.local.queue(holder, Call::to("approving the vault", self.market.asset, &approve)).await?;
            let assets = U256::from(units(*dollars));
            let deposit = DemoVault::depositCall { assets, receiver: holder.address() };
            self.local.queue(holder, Call::to("depositing in the vault", self.vault, &deposit)).await?;
        }
        for (user, whole) in &self.people.bank_users {
            let call = Call::to("depositing in the bank", self.bank, &DemoBank::depositCall {});
            self.local.queue(user, call.with_value(ether(*whole))).await?;
        }
        self.local.flush().await?;
        self.told("ready", "the vault holds 300,000 dUSD of four holders, the bank 60 ETH of four users")
            .await?;
        let (dan, heidi) = (holders[3].0.clone(), self.people.bank_users[3].0.clone());
        let redeem = self.redemption(&dan, 2_000).await?;
        self.act(&dan, "traffic", "dan redeems 2,000 dUSD", self.vault, &redeem, 0).await?;
        let withdraw = DemoBank::withdrawCall { amount: ether(2) };
        self.act(&heidi, "traffic", "heidi takes 2 ETH out of the bank", self.bank, &withdraw, 0).await
    }

    /// Compiles and lists the gauge of a contract, and says what was found.
    async fn gauge(
        &mut self,
        subject: Address,
        name: &str,
        symbol: &'static str,
        decimals: u8,
    ) -> Result<B256, Trouble> {
        let source = RpcSource::http(self.local.url().as_str()).map_err(EvmError::from)?;
        let reader = Reader::new(Arc::new(source));
        let options = CompileOptions {
            blocks: vec![self.local.head().await?.number()],
            traffic_from: self.first_block,
            ..CompileOptions::default()
        };
        let compiled = off_thread(move || compile_blocking(&reader, subject, &options)).await??;
        let gauge = self.market.list_gauge(&mut self.local, &compiled.spec, &[]).await?;
        self.timeline.gauge(gauge, Unit { name: name.to_owned(), symbol, decimals });
        let checks: usize = compiled.checks.iter().map(|check| check.count).sum();
        let health = if compiled.spec.has_shares() { "assets over shares" } else { "assets against claims" };
        let text =
            format!("of {name}: {health}, found by running its code; {} checks agree", grouped(checks));
        self.told("gauge", &text).await?;
        Ok(gauge)
    }

    async fn redemption(&self, holder: &Actor, dollars: u64) -> Result<DemoVault::redeemCall, Trouble> {
        let assets = U256::from(units(dollars));
        let shares = self.local.view(self.vault, &DemoVault::convertToSharesCall { assets }).await?;
        Ok(DemoVault::redeemCall { shares, receiver: holder.address(), owner: holder.address() })
    }

    /// Somebody does something in a block of its own; told, then the keeper's turn.
    async fn act(
        &mut self,
        who: &Actor,
        event: &str,
        text: &str,
        to: Address,
        call: &impl SolCall,
        whole_ether: u64,
    ) -> Result<(), Trouble> {
        self.local.queue(who, Call::to(text, to, call).with_value(ether(whole_ether))).await?;
        self.local.seal(self.local.time() + SPACING).await?;
        self.told(event, text).await
    }

    /// The same, to be told when its effect is known.
    async fn act_quietly(
        &mut self,
        who: &Actor,
        what: &str,
        to: Address,
        call: &impl SolCall,
    ) -> Result<(), Trouble> {
        self.local.queue(who, Call::to(what, to, call)).await?;
        self.local.seal(self.local.time() + SPACING).await?;
        Ok(())
    }

    async fn told(&mut self, event: &str, text: &str) -> Result<(), Trouble> {
        self.timeline.tell(self.local.head().await?.number(), event, text);
        self.follow().await?;
        Ok(())
    }

    /// An empty block of the story, but for what the keeper sent; whether the keeper has nothing to do then.
    async fn block(&mut self) -> Result<bool, Trouble> {
        self.local.seal(self.local.time() + SPACING).await?;
        self.follow().await
    }

    /// Tells what is new on the chain and lets the keeper handle it; whether it had nothing to send.
    async fn follow(&mut self) -> Result<bool, Trouble> {
        self.narrate().await?;
        let report = self.keeper.tick().await?;
        self.timeline.keeper(&report);
        Ok(report.sent.is_empty())
    }

    async fn narrate(&mut self) -> Result<(), Trouble> {
        let endpoints = self.local.endpoints().clone();
        let newest = self.local.head().await?.number();
        for number in self.narrated + 1..=newest {
            let head = endpoints.head_at(number, None).await?;
            let receipts = endpoints
                .call_checked(
                    "eth_getBlockReceipts",
                    [U64::from(number)],
                    |found: Vec<TransactionReceipt>| {
                        found.into_iter().map(Receipt::from_rpc).collect::<Result<Vec<_>, _>>()
                    },
                )
                .await?;
            self.timeline.logs(&head, &receipts);
        }
        self.narrated = newest;
        Ok(())
    }

    async fn ether_of(&self, account: Address) -> Result<U256, Trouble> {
        Ok(self.local.endpoints().request("eth_getBalance", (account, "latest")).await?)
    }

    async fn dollars_of(&self, account: Address) -> Result<U256, Trouble> {
        Ok(self.local.view(self.market.asset, &DemoToken::balanceOfCall { account }).await?)
    }
}

fn created(address: Option<Address>, what: &str) -> Result<Address, LocalError> {
    address.ok_or_else(|| LocalError::Missing { what: format!("the address of {what}") })
}

fn ether(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(18))
}

/// Whole dollars in units.
fn units(dollars: u64) -> u128 {
    u128::from(dollars) * 10_u128.pow(u32::from(DECIMALS))
}

fn dollars(units: u128) -> String {
    cents(U256::from(units), DECIMALS)
}

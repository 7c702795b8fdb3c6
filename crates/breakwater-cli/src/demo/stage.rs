//! What all plays have in common: a chain with Breakwater on it, a keeper, and a teller of what happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use alloy::sol_types::{SolCall, SolValue};
use breakwater_bindings::Catalog;
use breakwater_bindings::contracts::CanaryRung;
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::triggers::PinnedAccount;
use breakwater_chain::Receipt;
use breakwater_evm::{EvmError, Reader, RpcSource, off_thread};
use breakwater_prove::compiler::{CompileOptions, compile_blocking};

use crate::books::Books;
use crate::demo::timeline::{Timeline, Unit};
use crate::keeper::LocalKeeper;
use crate::local::{Actor, Call, Genesis, Local, LocalError};
use crate::market::{Cast, Ladder, Market, Offer, Setup};
use crate::style::{Screen, cents, grouped};
use crate::trouble::Trouble;

/// What the demo's dollar is called.
pub(crate) const SYMBOL: &str = "dUSD";
/// Its decimals.
pub(crate) const DECIMALS: u8 = 6;

/// 2026-01-05, a Monday, in seconds since the epoch: the same output every time.
const GENESIS_TIME: u64 = 1_767_571_200;
/// Seconds between blocks of the story.
pub(crate) const SPACING: u64 = 12;

/// A market of ordinary pace: daily epochs, a week's notice, a day's wait.
pub(crate) const SETUP: Setup = Setup {
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
const BLOCKS_MAX: u64 = 400;

/// Blocks without work after which nothing more is expected.
const QUIET_BLOCKS: u64 = 2;

/// A chain with Breakwater, a pool and a keeper.
pub(crate) struct Stage {
    pub(crate) local: Local,
    pub(crate) market: Market,
    /// The keeper first; reporters behind it.
    pub(crate) nodes: Vec<LocalKeeper>,
    /// What is told and counted.
    pub(crate) timeline: Timeline,
    /// What was offered last.
    pub(crate) product: B256,
    /// The newest block whose logs are told.
    narrated: u64,
    /// The first block after the deployment.
    first_block: u64,
}

impl Stage {
    /// Starts the chain, deploys Breakwater and fills the tranches; `people` are everyone who is not Breakwater.
    pub(crate) async fn open(
        screen: Screen,
        setup: Setup,
        ladder: Ladder,
        people: &[&Actor],
    ) -> Result<Self, Trouble> {
        let cast = Cast::new();
        let genesis =
            Genesis { chain_id: 31337, time: GENESIS_TIME, base_fee: 1_000_000_000, alloc: BTreeMap::new() };
        let actors: Vec<&Actor> = cast.all().into_iter().chain(people.iter().copied()).collect();
        let mut local = Local::start(&genesis, &actors).await?;
        let market = Market::open_with(&mut local, cast.clone(), setup, ladder).await?;
        let keeper = LocalKeeper::start(&local, &market).await?;
        let mut timeline = Timeline::new(screen, &market, SYMBOL, DECIMALS);
        for actor in actors {
            timeline.call(actor.address(), actor.name.clone());
        }
        timeline.call(market.pool, "the pool");
        Ok(Self {
            local,
            market,
            nodes: vec![keeper],
            timeline,
            product: B256::ZERO,
            narrated: 0,
            first_block: 0,
        })
    }

    /// From here on everything is told.
    pub(crate) async fn ready(&mut self) -> Result<(), Trouble> {
        self.narrated = self.local.head().await?.number();
        self.first_block = self.narrated + 1;
        self.timeline.head();
        let Setup { junior, mezzanine, senior, .. } = self.market.setup;
        let text = format!(
            "Breakwater stands; underwriters put in {} {SYMBOL} junior, {} mezzanine, {} senior",
            dollars(junior),
            dollars(mezzanine),
            dollars(senior)
        );
        self.timeline.tell(self.narrated, "ready", &text);
        Ok(())
    }

    /// Creates a contract and gives it a name.
    pub(crate) async fn create(
        &mut self,
        by: &Actor,
        name: &str,
        code: &[u8],
        arguments: Vec<u8>,
    ) -> Result<Address, Trouble> {
        let address = self.local.create(by, name, [code, &arguments].concat()).await?;
        self.timeline.call(address, name);
        Ok(address)
    }

    /// Compiles and lists the gauge of a contract, and says what was found.
    pub(crate) async fn gauge(&mut self, subject: Address, unit: Unit) -> Result<B256, Trouble> {
        let source = RpcSource::http(self.local.url().as_str()).map_err(EvmError::from)?;
        let reader = Reader::new(Arc::new(source));
        let options = CompileOptions {
            blocks: vec![self.local.head().await?.number()],
            traffic_from: self.first_block,
            ..CompileOptions::default()
        };
        let compiled = off_thread(move || compile_blocking(&reader, subject, &options)).await??;
        let gauge = self.market.list_gauge(&mut self.local, &compiled.spec, &[]).await?;
        let checks: usize = compiled.checks.iter().map(|check| check.count).sum();
        let health = if compiled.spec.has_shares() { "assets over shares" } else { "assets against claims" };
        let name = &unit.name;
        let text =
            format!("of {name}: {health}, found by running its code; {} checks agree", grouped(checks));
        self.timeline.gauge(gauge, unit);
        self.told("gauge", &text).await?;
        Ok(gauge)
    }

    /// Lists a trigger and makes it known to the machine rung that reads its terms; every such rung enrols alike.
    pub(crate) async fn trigger(
        &mut self,
        watcher: &Actor,
        trigger: Catalog::Trigger,
        rung: Address,
        unit: Unit,
    ) -> Result<B256, Trouble> {
        let id = self.market.list_trigger(&mut self.local, trigger.clone()).await?;
        self.timeline.gauge(id, unit);
        let trigger = CanaryRung::Trigger::abi_decode(&trigger.abi_encode()).map_err(|error| {
            LocalError::Missing { what: format!("one struct for both contracts: {error}") }
        })?;
        self.local.run(watcher, Call::to("enrolling", rung, &CanaryRung::enrolCall { trigger })).await?;
        Ok(id)
    }

    /// Lists terms and has the pool offer them; returns when they are sold.
    pub(crate) async fn offer(&mut self, offer: &Offer, what: &str) -> Result<(), Trouble> {
        let (product, effective_at) = self.market.offer(&mut self.local, offer).await?;
        let text = format!("{what}; sold when underwriters had time to leave");
        self.timeline.tell(self.local.head().await?.number(), "offered", &text);
        self.local.seal(effective_at).await?;
        self.product = product;
        Ok(())
    }

    /// Sells what is offered to each of these, and lets the waiting period pass.
    pub(crate) async fn insure(&mut self, buyers: &[(Actor, u128)]) -> Result<(), Trouble> {
        for (buyer, sum) in buyers {
            self.market.buy(&mut self.local, buyer, self.product, *sum).await?;
        }
        self.narrate().await?;
        self.local.seal(self.local.time() + u64::from(SETUP.waiting)).await?;
        self.block().await?;
        Ok(())
    }

    /// Somebody does something in a block of its own; told, then the keeper's turn.
    pub(crate) async fn act(
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
    pub(crate) async fn act_quietly(
        &mut self,
        who: &Actor,
        what: &str,
        to: Address,
        call: &impl SolCall,
    ) -> Result<Receipt, Trouble> {
        let hash = self.local.queue(who, Call::to(what, to, call)).await?;
        let receipts = self.local.seal(self.local.time() + SPACING).await?;
        let found = receipts.into_iter().find(|receipt| receipt.tx_hash == hash);
        Ok(found.ok_or_else(|| crate::local::LocalError::NotMined {
            what: what.to_owned(),
            hash,
            blocks: 1,
        })?)
    }

    /// Mints units of a token for somebody and lets `spender` take them.
    pub(crate) async fn hold(
        &mut self,
        who: &Actor,
        (token, amount): (Address, U256),
        spender: Address,
    ) -> Result<(), Trouble> {
        let mint = DemoToken::mintCall { to: who.address(), amount };
        self.local.queue(who, Call::to("minting", token, &mint)).await?;
        let approve = DemoToken::approveCall { spender, value: U256::MAX };
        self.local.run(who, Call::to("approving", token, &approve)).await?;
        Ok(())
    }

    /// What a call by somebody is refused with, as revert data.
    pub(crate) async fn refused(
        &self,
        who: &Actor,
        to: Address,
        call: &impl SolCall,
    ) -> Result<Bytes, Trouble> {
        let request =
            TransactionRequest::default().from(who.address()).to(to).input(call.abi_encode().into());
        let outcome = self.local.endpoints().call(&self.local.head().await?, &request).await;
        let got = match &outcome {
            Ok(answer) => answer.to_string(),
            Err(error) => match error.revert_data() {
                Some(data) => return Ok(data.clone()),
                None => error.to_string(),
            },
        };
        Err(Trouble::NotRefused { what: format!("a call by {}", who.name), got })
    }

    /// Tells something of the newest block, then what the logs say since, then the keeper's turn.
    pub(crate) async fn told(&mut self, event: &str, text: &str) -> Result<(), Trouble> {
        self.timeline.tell(self.local.head().await?.number(), event, text);
        self.follow().await?;
        Ok(())
    }

    /// An empty block of the story, but for what the keeper sent; whether the keeper has nothing to do then.
    pub(crate) async fn block(&mut self) -> Result<bool, Trouble> {
        self.local.seal(self.local.time() + SPACING).await?;
        self.follow().await
    }

    /// A block after a pause.
    pub(crate) async fn pass(&mut self, seconds: u64) -> Result<(), Trouble> {
        self.local.seal(self.local.time() + seconds).await?;
        self.follow().await?;
        Ok(())
    }

    /// Tells what is new on the chain and lets the nodes handle it; whether they had nothing to send.
    pub(crate) async fn follow(&mut self) -> Result<bool, Trouble> {
        self.narrate().await?;
        let mut idle = true;
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let report = node.tick().await?;
            match index {
                0 => self.timeline.keeper(&report),
                _ => self.timeline.reporter(index, &report),
            }
            idle &= report.sent.is_empty();
        }
        Ok(idle)
    }

    /// Tells what is new on the chain.
    pub(crate) async fn narrate(&mut self) -> Result<(), Trouble> {
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

    /// Whether an incident was opened.
    pub(crate) fn has_incident(&self) -> bool {
        !self.timeline.incidents().is_empty()
    }

    /// Blocks until no incident dwells and the nodes have nothing left to do.
    pub(crate) async fn wait_until_settled(&mut self) -> Result<(), Trouble> {
        let mut quiet = 0;
        for _ in 0..BLOCKS_MAX {
            let idle = self.block().await?;
            let waits = self.local.pooled().await? > 0 || self.nodes.iter().any(LocalKeeper::dwells);
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

    /// Native coin of an account, wei.
    pub(crate) async fn ether_of(&self, account: Address) -> Result<U256, Trouble> {
        Ok(self.local.endpoints().request("eth_getBalance", (account, "latest")).await?)
    }

    /// Units of the pool's asset that an account has.
    pub(crate) async fn dollars_of(&self, account: Address) -> Result<U256, Trouble> {
        Ok(self.local.view(self.market.asset, &DemoToken::balanceOfCall { account }).await?)
    }
}

/// A contract with the hash of its code, to be pinned.
pub(crate) async fn code_hash(local: &Local, account: Address) -> Result<PinnedAccount, Trouble> {
    let code: Bytes = local.endpoints().request("eth_getCode", (account, "latest")).await?;
    Ok(PinnedAccount { account, codeHash: keccak256(code) })
}

/// Whole ether in wei.
pub(crate) fn ether(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(18))
}

/// Whole dollars in units.
pub(crate) const fn units(dollars: u64) -> u128 {
    // A wider type of the same number; `From` is not for constants.
    dollars as u128 * 10_u128.pow(DECIMALS as u32)
}

fn dollars(units: u128) -> String {
    cents(U256::from(units), DECIMALS)
}

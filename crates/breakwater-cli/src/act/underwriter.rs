//! Commands of an underwriter: deposit, redeem, claim.

use std::collections::BTreeSet;

use alloy::primitives::{Address, U256};
use alloy::rpc::types::Filter;
use alloy::sol_types::{SolCall, SolEvent};
use breakwater_bindings::{Pool, Tranche};
use clap::Args;

use crate::act::bench::{Bench, Step};
use crate::act::capital::{Layer, Place, accrue};
use crate::act::frame::{Act, Scene};
use crate::act::permit;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::{Quantity, utc};
use crate::act::words;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// A tranche of a pool.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL")]
    pub(crate) pool: String,
    /// Which tranche
    #[arg(long, value_enum)]
    pub(crate) tranche: Layer,
}

/// What is put in.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater deposit --pool dollars --tranche senior --amount 25000 --account me\n\
    The amount is in whole units of the pool's asset, and exactly it is approved. It becomes shares in the next epoch."
)]
pub(crate) struct Deposit {
    #[command(flatten)]
    place: Where,
    /// How much, in whole units of the pool's asset
    #[arg(long, value_name = "AMOUNT")]
    amount: String,
    /// Who gets the shares [default: the account that acts]
    #[arg(long, value_name = "ADDRESS")]
    controller: Option<Address>,
    #[command(flatten)]
    act: Act,
}

/// What is taken out.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater redeem --pool dollars --tranche senior --amount 10000 --account me\n\
    A request cannot be taken back; it stops earning at once and bears losses until it is paid."
)]
pub(crate) struct Redeem {
    #[command(flatten)]
    place: Where,
    /// Shares, in whole units with six decimals more than the asset
    #[arg(long, value_name = "SHARES", conflicts_with_all = ["amount", "all"])]
    shares: Option<String>,
    /// Shares that are worth this much now, in whole units of the asset, rounded down to a share
    #[arg(long, value_name = "AMOUNT", required_unless_present_any = ["shares", "all"], conflicts_with = "all")]
    amount: Option<String>,
    /// All shares of the account
    #[arg(long)]
    all: bool,
    /// Who gets the assets [default: the account that acts]
    #[arg(long, value_name = "ADDRESS")]
    controller: Option<Address>,
    #[command(flatten)]
    act: Act,
}

/// What is fetched.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater claim --pool dollars --tranche senior --account me\n\
    Fetches shares of processed deposits and assets of paid redemptions; anybody may do so for a controller.")]
pub(crate) struct Claim {
    #[command(flatten)]
    place: Where,
    /// Only this request: the number that `deposit` or `redeem` gave
    #[arg(long, value_name = "NUMBER")]
    request: Option<U256>,
    /// Shares that this incident gave back, instead
    #[arg(long, value_name = "NUMBER")]
    incident: Option<U256>,
    /// Whose [default: the account that acts]
    #[arg(long, value_name = "ADDRESS")]
    controller: Option<Address>,
    #[command(flatten)]
    act: Act,
}

/// Requests a deposit.
pub(crate) async fn deposit(asked: &Deposit, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let place = Place::find(&scene, scene.pool(&asked.place.pool).await?, asked.place.tranche).await?;
    let assets = place.asset.parse("--amount", &asked.amount)?;
    let owner = signer.address();
    let controller = asked.controller.unwrap_or(owner);
    let mut bench = scene.bench().await?;
    let mut steps = permit::allow(&mut bench, &place.asset, owner, place.tranche, assets).await?;
    let request = Tranche::requestDepositCall { assets, controller, owner };
    steps.push(Step::new("requesting a deposit", place.tranche, &request));
    let title = format!(
        "depositing {} into {} of pool {}",
        place.asset.show(assets),
        asked.place.tranche.name(),
        scene.pool_name(place.pool)
    );
    let unit = place.asset.clone();
    let probes = vec![
        Probe::balance("balance of the depositor", &place.asset, owner),
        Probe::allowance("allowance left to the tranche", &place.asset, owner, place.tranche),
        Probe::balance("balance of the pool", &place.asset, place.pool),
        Probe::new("deposits that wait in the pool", place.pool, &Pool::stateCall {}, move |state| {
            Quantity::Amount(state.pendingDeposits, unit.clone())
        }),
    ];
    let epoch = place.epoch;
    let plan = Plan::new("deposit", title, steps, probes).telling(move |logs| {
        let found = logs.iter().find_map(|log| Tranche::DepositRequest::decode_log(log).ok());
        let from = |id: U256| id.saturating_to::<u64>().saturating_add(1).saturating_mul(epoch);
        found.map_or_else(Vec::new, |event| {
            vec![
                ("request", Quantity::Number(event.requestId)),
                ("claimable_from", Quantity::Time(from(event.requestId))),
            ]
        })
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// Requests a redemption.
pub(crate) async fn redeem(asked: &Redeem, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let place = Place::find(&scene, scene.pool(&asked.place.pool).await?, asked.place.tranche).await?;
    let owner = signer.address();
    let shares = shares(asked, &scene, &place, owner).await?;
    let controller = asked.controller.unwrap_or(owner);
    let request = Tranche::requestRedeemCall { shares, controller, owner };
    let steps = vec![Step::new("requesting a redemption", place.tranche, &request)];
    let title = format!(
        "redeeming {} of {} of pool {}",
        place.shares.show(shares),
        asked.place.tranche.name(),
        scene.pool_name(place.pool)
    );
    let probes = vec![
        Probe::balance("shares of the holder", &place.shares, owner),
        Probe::balance("shares in the queue", &place.shares, place.tranche),
    ];
    let epoch = place.epoch;
    let plan = Plan::new("redeem", title, steps, probes).telling(move |logs| {
        let found = logs.iter().find_map(|log| Tranche::RedeemRequest::decode_log(log).ok());
        let from = |id: U256| id.saturating_to::<u64>().saturating_mul(epoch);
        found.map_or_else(Vec::new, |event| {
            vec![
                ("request", Quantity::Number(event.requestId)),
                ("payable_from", Quantity::Time(from(event.requestId))),
            ]
        })
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

async fn shares(asked: &Redeem, scene: &Scene, place: &Place, owner: Address) -> Result<U256, Failure> {
    if let Some(text) = &asked.shares {
        return place.shares.parse("--shares", text);
    }
    if let Some(text) = &asked.amount {
        let assets = place.asset.parse("--amount", text)?;
        let mut bench = scene.bench().await?;
        accrue(&mut bench, place.pool).await?;
        return bench.view(place.tranche, &Tranche::convertToSharesCall { assets }).await;
    }
    scene.view(place.tranche, &Tranche::balanceOfCall { account: owner }).await
}

/// Fetches whatever can be fetched now.
pub(crate) async fn claim(asked: &Claim, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let place = Place::find(&scene, scene.pool(&asked.place.pool).await?, asked.place.tranche).await?;
    let controller = asked.controller.unwrap_or_else(|| signer.address());
    let candidates = candidates(asked, &scene, &place, controller).await?;
    let mut bench = scene.bench().await?;
    let steps = possible(&mut bench, signer.address(), &place, candidates).await?;
    let title = format!(
        "claiming for {controller} in {} of pool {}",
        asked.place.tranche.name(),
        scene.pool_name(place.pool)
    );
    let probes = vec![
        Probe::balance("shares of the controller", &place.shares, controller),
        Probe::balance("assets of the controller", &place.asset, controller),
    ];
    let plan = Plan::new("claim", title, steps, probes);
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// Claims that could be made if everything were ready, with the sentence for one that is not.
async fn candidates(
    asked: &Claim,
    scene: &Scene,
    place: &Place,
    controller: Address,
) -> Result<Vec<(Step, String)>, Failure> {
    let mine = Filter::new().topic1(controller.into_word());
    let deposits: Vec<(u64, Tranche::DepositRequest)> = scene.events(place.tranche, mine.clone()).await?;
    let redemptions: Vec<(u64, Tranche::RedeemRequest)> = scene.events(place.tranche, mine).await?;
    let wanted = |id: &U256| asked.request.is_none_or(|wanted| wanted == *id);
    let deposits: BTreeSet<U256> =
        deposits.into_iter().map(|(_, event)| event.requestId).filter(wanted).collect();
    let redemptions: BTreeSet<U256> =
        redemptions.into_iter().map(|(_, event)| event.requestId).filter(wanted).collect();
    let start = |id: U256| utc(id.saturating_to::<u64>().saturating_mul(place.epoch));
    let mut all = Vec::new();
    if let Some(incident) = asked.incident {
        let call = Tranche::claimRecoveryCall { incident, account: controller };
        all.push((
            Step::new("claiming what came back", place.tranche, &call),
            format!("incident {incident}"),
        ));
        for id in deposits.union(&redemptions).copied() {
            let call = Tranche::claimQueuedRecoveryCall { incident, requestId: id, controller };
            let what = format!("claiming what came back for request {id}");
            all.push((Step::new(what, place.tranche, &call), format!("request {id}")));
        }
        return Ok(all);
    }
    for id in deposits {
        let call = Tranche::claimDepositCall { requestId: id, controller };
        let when = format!("deposit {id} becomes shares from {}", start(id.saturating_add(U256::ONE)));
        all.push((Step::new(format!("claiming deposit {id}"), place.tranche, &call), when));
    }
    for id in redemptions {
        let call = Tranche::claimRedeemCall { requestId: id, controller };
        let when = format!("redemption {id} is payable from {}", start(id));
        all.push((Step::new(format!("claiming redemption {id}"), place.tranche, &call), when));
    }
    Ok(all)
}

/// The claims that would run now, each behind what runs before it; none is a failure that says when.
async fn possible(
    bench: &mut Bench,
    from: Address,
    place: &Place,
    candidates: Vec<(Step, String)>,
) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    let process = Step::new("paying what is payable", place.tranche, &Tranche::processRedemptionsCall {});
    let waits = candidates.iter().any(|(step, _)| step.data.starts_with(&Tranche::claimRedeemCall::SELECTOR));
    // A redemption that has matured is paid by the first call of an epoch, which may well be ours.
    if waits && bench.would_run(from, &process).await? {
        bench.apply(from, &process).await?;
        steps.push(process);
    }
    let before = steps.len();
    let mut waiting = Vec::new();
    for (step, when) in candidates {
        match bench.would_run(from, &step).await? {
            true => {
                bench.apply(from, &step).await?;
                steps.push(step);
            }
            false => waiting.push((step, when)),
        }
    }
    if steps.len() > before {
        return Ok(steps);
    }
    let Some((step, when)) = waiting.last() else {
        return Err(Failure::new("nothing to claim: this account never asked for anything here")
            .right("the --controller, --pool and --tranche of a request"));
    };
    let output = bench.ask(from, step.to, step.data.clone()).await?;
    Err(words::reverted(&step.what, &output.err().unwrap_or_default()).right(format!("to wait: {when}")))
}

//! Commands of a buyer: look at products, quote, consent, buy.

use std::path::PathBuf;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolEvent;
use breakwater_bindings::{Catalog, Policies, Pool};
use breakwater_primitives::BPS;
use clap::Args;
use serde_json::{Value, json};

use crate::act::bench::{Bench, Step};
use crate::act::consent;
use crate::act::cover::{Cover, Offer};
use crate::act::frame::{Act, Look, Scene, Signer};
use crate::act::permit;
use crate::act::probe::Probe;
use crate::act::run::{self, Fact, Plan};
use crate::act::show;
use crate::act::units::{Quantity, parse_time, percent};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, table};

/// What can be insured, and where.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater products --deployment deployment.json")]
pub(crate) struct Products {
    #[command(flatten)]
    look: Look,
}

/// What is to be insured, for how much and how long.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Id of the product or of a portfolio, 32 bytes in hex
    #[arg(long, value_name = "ID", required_unless_present = "portfolio")]
    product: Option<B256>,
    /// Ids of 2 to 8 products that are insured under one sum
    #[arg(long, value_name = "ID,ID", value_delimiter = ',', conflicts_with = "product")]
    portfolio: Vec<B256>,
    /// Sum insured, in whole units of the product's asset with at most its decimals
    #[arg(long, value_name = "AMOUNT")]
    sum: String,
    /// Pool by its name in the deployment file or its address [default: the cheapest that sells]
    #[arg(long, value_name = "POOL")]
    pool: Option<String>,
    /// Whole days of cover after the waiting period, up to the next 00:00 UTC [default: 30]
    #[arg(long, value_name = "DAYS", conflicts_with = "until")]
    days: Option<u64>,
    /// End of cover at 00:00 UTC of a date
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// How far the premium may rise above the quote before the purchase is refused, basis points
    #[arg(long, value_name = "BPS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(..=10_000))]
    slippage_bps: u16,
}

impl Wanted {
    async fn cover(&self, scene: &Scene) -> Result<Cover, Failure> {
        match self.product {
            Some(product) => Cover::read(scene, product).await,
            None => Cover::of_legs(scene, &self.portfolio).await,
        }
    }
}

/// What a quote is asked for.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater quote --product 0x… --sum 10000.5 --days 90\n\
    Amounts are in whole units of the product's asset, times in UTC.")]
pub(crate) struct Quote {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    look: Look,
}

/// What is bought.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater buy --product 0x… --sum 10000.5 --days 90 --account me --dry-run\n\
    Several products under one sum: breakwater buy --portfolio 0x…,0x… --sum 10000.5 --account me --dry-run\n\
    Amounts are in whole units of the product's asset, times in UTC. Exactly the highest premium is approved."
)]
pub(crate) struct Buy {
    #[command(flatten)]
    wanted: Wanted,
    /// Highest premium, in whole units of the asset, in place of --slippage-bps
    #[arg(long, value_name = "AMOUNT", conflicts_with = "slippage_bps")]
    max_premium: Option<String>,
    /// Last moment at which the purchase may be mined: +20m, or a time with zone
    #[arg(long, value_name = "TIME", default_value = "+20m")]
    deadline: String,
    /// Account whose loss is covered [default: the one that acts]
    #[arg(long, value_name = "ADDRESS", requires = "consent")]
    position: Option<Address>,
    /// The position account's consent, as `breakwater consent --out` wrote it; its deadline is the purchase's
    #[arg(long, value_name = "FILE")]
    consent: Option<PathBuf>,
    /// Who gets the policy, and with it payments and refunds [default: the account that acts]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Sign a permit (EIP-2612) in place of an approving transaction
    #[arg(long)]
    permit: bool,
    #[command(flatten)]
    act: Act,
}

/// Whose wording.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater wording --product 0x… > wording.md")]
pub(crate) struct WordingOf {
    /// Id of the product, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    product: B256,
    #[command(flatten)]
    look: Look,
}

/// Lists every product with the pools that sell it.
pub(crate) async fn products(asked: &Products, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let listed: Vec<(u64, Catalog::ProductListed)> =
        scene.events(scene.deployment.catalog, alloy::rpc::types::Filter::new()).await?;
    let mut rows = Vec::new();
    for (_, event) in listed {
        let cover = Cover::read(&scene, event.product).await?;
        let mut pools = Vec::new();
        for pool in cover.pools(&scene).await? {
            let known = scene.view(pool, &Pool::underwritingCall { product: cover.id }).await?;
            let left = known.cap.saturating_sub(known.exposure);
            pools.push(json!({ "pool": pool, "name": scene.pool_name(pool), "cap": known.cap.to_string(),
                "exposure": known.exposure.to_string(), "left": left.to_string() }));
            rows.push(vec![
                cover.id.to_string(),
                cover.kind().to_owned(),
                cover.gauge.account.to_string(),
                scene.pool_name(pool),
                cover.token.show(U256::from(left)),
            ]);
        }
        if pools.is_empty() {
            rows.push(vec![
                cover.id.to_string(),
                cover.kind().to_owned(),
                cover.gauge.account.to_string(),
                "-".into(),
                "-".into(),
            ]);
        }
        if screen.json {
            screen.object(&json!({
                "product": cover.id, "kind": cover.kind(), "covered": cover.gauge.account, "gauge": cover.terms.gauge,
                "registrant": cover.terms.registrant, "asset": cover.token.json(), "wording_hash": event.wordingHash,
                "min_sum": cover.terms.minSum.to_string(), "pools": pools,
            }));
        }
    }
    screen.say(table(&["product", "kind", "covered contract", "pool", "left to sell"], &rows, &[4]));
    Ok(Outcome::Ok)
}

/// Prints what each pool asks, and what is promised for it.
pub(crate) async fn quote(asked: &Quote, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let cover = asked.wanted.cover(&scene).await?;
    let sum = cover.token.parse_u128("--sum", &asked.wanted.sum)?;
    let mut bench = scene.bench().await?;
    let market = market(&scene, &cover, &asked.wanted, sum, &mut bench).await?;
    let (wording, hash) = cover.wording(&scene).await?;
    let limit = |offer: &Offer| with_slippage(offer.premium, asked.wanted.slippage_bps);
    if screen.json {
        screen.object(&show::quote_json(&scene, &cover, sum, &market, hash, limit, &bench));
    } else {
        show::quote(&scene, &cover, sum, &market, (&wording, hash), limit, &bench, screen);
    }
    Ok(Outcome::Ok)
}

/// Offers of the pools that sell, cheapest first, and why the others do not.
pub(crate) struct Market {
    /// At least one.
    pub(crate) offers: Vec<Offer>,
    /// Pools and their reasons in words.
    pub(crate) refused: Vec<(Address, Failure)>,
}

async fn market(
    scene: &Scene,
    cover: &Cover,
    wanted: &Wanted,
    sum: u128,
    bench: &mut Bench,
) -> Result<Market, Failure> {
    let expiry = cover.expiry(bench.time, wanted.days, wanted.until.as_deref())?;
    let pools = match &wanted.pool {
        Some(text) => vec![scene.pool(text).await?],
        None => cover.pools(scene).await?,
    };
    let mut market = Market { offers: Vec::new(), refused: Vec::new() };
    for pool in pools {
        match cover.offer(bench, pool, sum, expiry).await {
            Ok(offer) => market.offers.push(offer),
            Err(why) => market.refused.push((pool, why)),
        }
    }
    market.offers.sort_by_key(|offer| offer.premium);
    if !market.offers.is_empty() {
        return Ok(market);
    }
    Err(market.refused.into_iter().next().map_or_else(
        || {
            Failure::new(format!("no pool underwrites {}", cover.id))
                .right("a product with a pool: breakwater products")
        },
        |(_, why)| why,
    ))
}

/// Buys from one pool.
pub(crate) async fn buy(asked: &Buy, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let cover = asked.wanted.cover(&scene).await?;
    let sum = cover.token.parse_u128("--sum", &asked.wanted.sum)?;
    let mut bench = scene.bench().await?;
    let market = market(&scene, &cover, &asked.wanted, sum, &mut bench).await?;
    let Some(offer) = market.offers.first() else { return Err(Failure::new("no pool sells")) };
    let limit = match &asked.max_premium {
        Some(text) => cover.token.parse("--max-premium", text)?,
        None => with_slippage(offer.premium, asked.wanted.slippage_bps),
    };
    let purchase = purchase(asked, &scene, &cover, offer, sum, limit, signer.address(), bench.time).await?;
    let steps = pay(asked, &scene, &cover, &signer, &mut bench, purchase, limit).await?;
    let title = format!(
        "buying {} of {} cover from pool {} for at most {}",
        cover.token.show(U256::from(sum)),
        cover.kind(),
        scene.pool_name(offer.pool),
        cover.token.show(limit)
    );
    let probes = probes(&scene, &cover, offer.pool, signer.address());
    let unit = cover.token.clone();
    let plan = Plan::new("buy", title, steps, probes).telling(move |logs| {
        let bought = logs.iter().find_map(|log| Policies::Bought::decode_log(log).ok());
        bought.map_or_else(Vec::new, |bought| facts(&bought.data, &unit))
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// What there is to say of a purchase.
pub(crate) fn facts(bought: &Policies::Bought, unit: &crate::act::units::Token) -> Vec<Fact> {
    vec![
        ("policy", Quantity::Number(bought.id)),
        ("premium", Quantity::Amount(bought.premium, unit.clone())),
        ("sum", Quantity::Amount(U256::from(bought.policy.sum), unit.clone())),
        ("inception", Quantity::Time(bought.policy.inception)),
        ("expiry", Quantity::Time(bought.policy.expiry)),
        ("position", Quantity::Account(bought.policy.position)),
    ]
}

#[allow(clippy::too_many_arguments, reason = "a purchase is made of this much")]
async fn purchase(
    asked: &Buy,
    scene: &Scene,
    cover: &Cover,
    offer: &Offer,
    sum: u128,
    limit: U256,
    buyer: Address,
    now: u64,
) -> Result<Policies::Purchase, Failure> {
    let position = asked.position.unwrap_or(buyer);
    let (deadline, signature) = match &asked.consent {
        Some(file) => {
            let consent = consent::read(file)?;
            consent.check(scene, position, cover.id, buyer, U256::ZERO).await?;
            (consent.deadline, consent.signature)
        }
        None => (parse_time("--deadline", &asked.deadline, now)?, Default::default()),
    };
    Ok(Policies::Purchase {
        product: cover.id,
        pool: offer.pool,
        position,
        sum,
        expiry: offer.expiry,
        maxPremium: limit,
        deadline,
        to: asked.to.unwrap_or(buyer),
        consent: signature,
        distributor: Address::ZERO,
        feeBps: 0,
    })
}

/// The transactions of a purchase: with an approval before it, or with a permit in it.
async fn pay(
    asked: &Buy,
    scene: &Scene,
    cover: &Cover,
    signer: &Signer,
    bench: &mut Bench,
    purchase: Policies::Purchase,
    limit: U256,
) -> Result<Vec<Step>, Failure> {
    let policies = scene.deployment.policies;
    let mut steps = name(scene, cover).await?;
    if !asked.permit {
        steps.extend(permit::allow(bench, &cover.token, signer.address(), policies, limit).await?);
        steps.push(Step::new("buying cover", policies, &Policies::buyCall { purchase }));
        return Ok(steps);
    }
    let Signer::Key(key) = signer else {
        return Err(Failure::usage("--permit: no key to sign it with")
            .right("--account or --keystore, or no --permit"));
    };
    let signature = permit::sign(scene, &cover.token, key, policies, limit, purchase.deadline).await?;
    let call = Policies::buyWithPermitCall {
        value: limit,
        permitDeadline: U256::from(purchase.deadline),
        v: 27 + u8::from(signature.v()),
        r: signature.r().into(),
        s: signature.s().into(),
        purchase,
    };
    steps.push(Step::new("buying cover with a permit", policies, &call));
    Ok(steps)
}

/// A portfolio is named once for all buyers.
async fn name(scene: &Scene, cover: &Cover) -> Result<Vec<Step>, Failure> {
    let policies = scene.deployment.policies;
    let named = scene.view(policies, &Policies::legsOfCall { portfolio: cover.id }).await?;
    if cover.legs.is_empty() || !named.is_empty() {
        return Ok(Vec::new());
    }
    let call = Policies::listPortfolioCall { products: cover.products() };
    Ok(vec![Step::new("naming the portfolio", policies, &call)])
}

fn probes(scene: &Scene, cover: &Cover, pool: Address, buyer: Address) -> Vec<Probe> {
    let (token, policies) = (&cover.token, scene.deployment.policies);
    let unit = token.clone();
    let amount = move |units: u128| Quantity::Amount(U256::from(units), unit.clone());
    let unit = token.clone();
    let mut probes = vec![
        Probe::balance("balance of the buyer", token, buyer),
        Probe::allowance("allowance left to policies", token, buyer, policies),
        Probe::balance("balance of the pool", token, pool),
        Probe::new("exposure of the pool", pool, &Pool::stateCall {}, move |state| {
            Quantity::Amount(state.exposure, unit.clone())
        }),
        Probe::new("policies sold in all", policies, &Policies::countCall {}, Quantity::Number),
    ];
    for (at, product) in cover.products().into_iter().enumerate() {
        let (call, exposure) = (Pool::underwritingCall { product }, amount.clone());
        let what = match cover.legs.is_empty() {
            true => "exposure of the product".to_owned(),
            false => format!("exposure of leg {}", at + 1),
        };
        probes.push(Probe::new(what, pool, &call, move |known| exposure(known.exposure)));
    }
    probes
}

/// The premium and a part of it, rounded down: nobody pays more than the slippage that was named.
fn with_slippage(premium: U256, slippage_bps: u16) -> U256 {
    let part = premium.saturating_mul(U256::from(slippage_bps)) / U256::from(BPS);
    premium.saturating_add(part)
}

/// Prints the text of a product, and nothing else.
pub(crate) async fn wording(asked: &WordingOf, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let (text, hash) = Cover::read(&scene, asked.product).await?.wording(&scene).await?;
    if screen.json {
        screen.object(&json!({ "product": asked.product, "hash": hash, "wording": text }));
    }
    screen.say(text.trim_end());
    Ok(Outcome::Ok)
}

/// An offer for scripts.
pub(crate) fn offer_json(scene: &Scene, offer: &Offer, limit: U256) -> Value {
    let utilisation = crate::act::cover::share(offer.exposure, offer.capacity);
    json!({
        "pool": offer.pool, "name": scene.pool_name(offer.pool), "premium": offer.premium.to_string(),
        "max_premium": limit.to_string(), "annual_rate_wad": offer.rate.to_string(),
        "annual_rate": percent(offer.rate), "exposure": offer.exposure.to_string(),
        "capacity": offer.capacity.to_string(), "utilisation_wad": utilisation.to_string(),
    })
}

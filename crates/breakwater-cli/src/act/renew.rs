//! Renewals by signed order: the holder signs, anybody executes, holder and position may take it back.
//!
//! A file carries the order as its ABI encoding, with its fields beside it for people; what is executed is the
//! encoding, and a file whose fields say something else is refused.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, Bytes, U256, aliases::U192};
use alloy::signers::SignerSync;
use alloy::sol_types::{SolEvent, SolValue};
use breakwater_bindings::eip712::{self, RenewalOrder};
use breakwater_bindings::{Policies, Pool, decimal};
use breakwater_primitives::DAY;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene, Signer};
use crate::act::held::Held;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::{Quantity, parse_time, span, utc};
use crate::act::{consent, permit};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What is done with an order.
#[derive(Debug, Subcommand)]
pub(crate) enum Renew {
    /// Sign an order to renew a policy, and allow what it may cost
    Sign(Sign),
    /// Execute somebody's order and earn its tip
    Execute(Execute),
    /// Take back what was signed for a renewal, as holder or as position account
    Cancel(Cancel),
}

/// What is ordered.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater renew sign --policy 7 --days 90 --max-premium 120 --tip 1 \
    --account me --out order.json\n\
    Amounts are in whole units of the policy's asset. The new policy begins where the old one ends, and at most the\n\
    lead before; whoever holds the policy when the order is executed must be who signed it.")]
pub(crate) struct Sign {
    /// Number of the policy
    #[arg(long, value_name = "NUMBER")]
    policy: U256,
    /// Most that the renewal insures [default: what the policy insures]
    #[arg(long, value_name = "AMOUNT")]
    sum: Option<String>,
    /// Whole days from the end of the policy to that of its renewal
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
    /// Whole days that the renewal may begin before the policy ends
    #[arg(long, value_name = "DAYS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=7))]
    lead_days: u32,
    /// Most that it costs, premium and tip together
    #[arg(long, value_name = "AMOUNT")]
    max_premium: String,
    /// For whoever executes it
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    tip: String,
    /// Last moment of its execution: +20m, or a time with zone [default: the end of the policy]
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    /// Where the signed order is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    act: Act,
}

/// Whose order.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater renew execute --order order.json --account me --dry-run\n\
    It can be executed from the policy's end less waiting period and lead on, until one waiting period before the end.")]
pub(crate) struct Execute {
    /// The order, as `breakwater renew sign` wrote it
    #[arg(long, value_name = "FILE")]
    order: PathBuf,
    /// Consent of the position account where it is not the holder: breakwater consent --renewal
    #[arg(long, value_name = "FILE")]
    consent: Option<PathBuf>,
    #[command(flatten)]
    act: Act,
}

/// For which policy.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater renew cancel --policy 7 --account me\n\
    Ends what the account signed for this policy's renewal: orders of its holder, consents of its position.")]
pub(crate) struct Cancel {
    /// Number of the policy
    #[arg(long, value_name = "NUMBER")]
    policy: U256,
    #[command(flatten)]
    act: Act,
}

/// An order with everything that its signature covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    #[serde(with = "decimal")]
    chain_id: u64,
    policies: Address,
    holder: Address,
    /// The ABI encoding of the order.
    order: Bytes,
    fields: Map<String, Value>,
    /// 65 bytes, or whatever a contract account takes for one.
    signature: Bytes,
}

/// Runs one of these commands.
pub(crate) async fn renew(command: &Renew, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        Renew::Sign(asked) => sign(asked, screen).await,
        Renew::Execute(asked) => execute(asked, screen).await,
        Renew::Cancel(asked) => cancel(asked, screen).await,
    }
}

async fn sign(asked: &Sign, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let Signer::Key(key) = &signer else {
        return Err(Failure::usage("no key to sign the order with").right("--account or --keystore"));
    };
    let scene = Scene::open(&asked.act.look).await?;
    let held = Held::read(&scene, asked.policy).await?;
    let holder = key.address();
    if held.owner != Some(holder) {
        return Err(Failure::usage(format!("--policy: expected its holder, got {holder}"))
            .right("the key of the policy's holder: breakwater policies --policy"));
    }
    let order = order(asked, &scene, &held, holder).await?;
    let (token, policies) = (&held.cover.token, scene.deployment.policies);
    let digest = eip712::digest(&order, scene.deployment.chain_id, policies);
    let signature = key.sign_hash_sync(&digest).map_err(|error| Failure::new(error.to_string()))?;
    let signed = Signed {
        chain_id: scene.deployment.chain_id,
        policies,
        holder,
        order: order.abi_encode().into(),
        fields: fields(&order),
        signature: signature.as_bytes().into(),
    };
    let mut bench = scene.bench().await?;
    let steps = permit::allow(&mut bench, token, holder, policies, order.maxPremium).await?;
    let title = format!(
        "ordering the renewal of policy {} for {} from {} on, for at most {}",
        held.id,
        span(order.term.into()),
        utc(held.policy.expiry),
        token.show(order.maxPremium)
    );
    let probes = vec![Probe::allowance("allowance left to policies", token, holder, policies)];
    let (unit, deadline) = (token.clone(), order.deadline);
    let plan = Plan::new("renew sign", title, steps, probes).telling(move |_| {
        vec![
            ("max_premium", Quantity::Amount(order.maxPremium, unit.clone())),
            ("tip", Quantity::Amount(order.tip, unit.clone())),
            ("deadline", Quantity::Time(deadline)),
        ]
    });
    // Only then, so that an order is in the world when it can be paid for.
    let outcome = run::run(&asked.act, &scene, &signer, plan, screen).await?;
    if !asked.act.dry_run {
        write(&asked.out, &signed)?;
    }
    Ok(outcome)
}

async fn order(asked: &Sign, scene: &Scene, held: &Held, holder: Address) -> Result<RenewalOrder, Failure> {
    let token = &held.cover.token;
    let deadline = match &asked.deadline {
        Some(text) => parse_time("--deadline", text, scene.head.timestamp())?,
        None => held.policy.expiry,
    };
    let days = |days: u32| days.saturating_mul(u32::try_from(DAY).unwrap_or(u32::MAX));
    Ok(RenewalOrder {
        policy: held.id,
        sum: match &asked.sum {
            Some(text) => token.parse_u128("--sum", text)?,
            None => held.policy.sum,
        },
        term: days(asked.days),
        lead: days(asked.lead_days),
        maxPremium: token.parse("--max-premium", &asked.max_premium)?,
        tip: token.parse("--tip", &asked.tip)?,
        distributor: Address::ZERO,
        feeBps: 0,
        nonce: nonce(scene, holder, held.id).await?,
        deadline,
    })
}

async fn execute(asked: &Execute, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let (signed, order) = read(&asked.order, &scene)?;
    let held = Held::read(&scene, order.policy).await?;
    let consent = match &asked.consent {
        Some(file) => {
            let consent = consent::read(file)?;
            let (position, product) = (held.policy.position, held.policy.product);
            consent.check(&scene, position, product, signed.holder, order.policy).await?;
            consent.signature
        }
        None => Bytes::new(),
    };
    let policies = scene.deployment.policies;
    let call = Policies::renewCall { order: call_of(&order), signature: signed.signature, consent };
    let token = &held.cover.token;
    let exposure = token.clone();
    let probes = vec![
        Probe::balance("balance of the holder", token, signed.holder),
        Probe::balance("balance of the account", token, signer.address()),
        Probe::new("exposure of the pool", held.policy.pool, &Pool::stateCall {}, move |state| {
            Quantity::Amount(state.exposure, exposure.clone())
        }),
        Probe::new("policies sold in all", policies, &Policies::countCall {}, Quantity::Number),
    ];
    let unit = token.clone();
    let title = format!("renewing policy {} for {}", held.id, signed.holder);
    let steps = vec![Step::new("executing the order", policies, &call)];
    let plan = Plan::new("renew execute", title, steps, probes).telling(move |logs| {
        let bought = logs.iter().find_map(|log| Policies::Bought::decode_log(log).ok());
        let mut facts = bought.map_or_else(Vec::new, |bought| crate::act::buyer::facts(&bought.data, &unit));
        let renewed = logs.iter().find_map(|log| Policies::Renewed::decode_log(log).ok());
        facts.extend(renewed.map(|renewed| ("tip", Quantity::Amount(renewed.tip, unit.clone()))));
        facts
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

async fn cancel(asked: &Cancel, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let held = Held::read(&scene, asked.policy).await?;
    let (policies, account) = (scene.deployment.policies, signer.address());
    if held.owner != Some(account) && held.policy.position != account {
        return Err(Failure::usage(format!(
            "--policy: {account} neither holds policy {} nor is insured by it",
            held.id
        ))
        .right("the account that signed"));
    }
    let call = Policies::cancelRenewalCall { id: held.id };
    let asks = Policies::nonces_1Call { owner: account, key: held.id.to::<U192>() };
    let probes = vec![Probe::new("next nonce of the account", policies, &asks, Quantity::Number)];
    let title = format!("taking back what {account} signed for the renewal of policy {}", held.id);
    let steps = vec![Step::new("taking it back", policies, &call)];
    run::run(&asked.act, &scene, &signer, Plan::new("renew cancel", title, steps, probes), screen).await
}

/// The next nonce that an account signs for a policy's renewal; key zero is that of purchases.
pub(crate) async fn nonce(scene: &Scene, account: Address, policy: U256) -> Result<U256, Failure> {
    let [low, middle, high, 0] = *policy.as_limbs() else {
        return Err(Failure::usage(format!("--policy: there is no policy {policy}"))
            .right("the number of a policy: breakwater policies"));
    };
    let key = U192::from_limbs([low, middle, high]);
    scene.view(scene.deployment.policies, &Policies::nonces_1Call { owner: account, key }).await
}

fn read(file: &Path, scene: &Scene) -> Result<(Signed, RenewalOrder), Failure> {
    let refuse = |wrong: String| Failure::usage(wrong).right("a file that `breakwater renew sign` wrote");
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("--order: cannot read {}: {error}", file.display())))?;
    let signed: Signed = serde_json::from_str(&text)
        .map_err(|error| refuse(format!("--order: {}: {error}", file.display())))?;
    let order = RenewalOrder::abi_decode(&signed.order)
        .map_err(|error| refuse(format!("--order: {}: {error}", file.display())))?;
    let here = (scene.deployment.chain_id, scene.deployment.policies);
    if (signed.chain_id, signed.policies) != here {
        return Err(refuse(format!(
            "--order: expected chain {} and contract {}, got {} and {}",
            here.0, here.1, signed.chain_id, signed.policies
        )));
    }
    match signed.fields == fields(&order) {
        true => Ok((signed, order)),
        false => Err(refuse("--order: its fields say something else than what was signed".to_owned())),
    }
}

fn write(file: &Path, signed: &Signed) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(signed).map_err(|error| Failure::new(error.to_string()))?;
    std::fs::write(file, format!("{text}\n")).map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", file.display())).right("a path that can be written")
    })
}

/// The order for people.
fn fields(order: &RenewalOrder) -> Map<String, Value> {
    let text = |value: String| Value::String(value);
    Map::from_iter([
        ("policy".to_owned(), text(order.policy.to_string())),
        ("sum".to_owned(), text(order.sum.to_string())),
        ("term".to_owned(), text(span(order.term.into()))),
        ("lead".to_owned(), text(span(order.lead.into()))),
        ("maxPremium".to_owned(), text(order.maxPremium.to_string())),
        ("tip".to_owned(), text(order.tip.to_string())),
        ("distributor".to_owned(), json!(order.distributor)),
        ("feeBps".to_owned(), text(order.feeBps.to_string())),
        ("nonce".to_owned(), text(order.nonce.to_string())),
        ("deadline".to_owned(), text(utc(order.deadline))),
    ])
}

fn call_of(order: &RenewalOrder) -> Policies::RenewalOrder {
    let RenewalOrder { policy, sum, term, lead, maxPremium, tip, distributor, feeBps, nonce, deadline } =
        order.clone();
    Policies::RenewalOrder { policy, sum, term, lead, maxPremium, tip, distributor, feeBps, nonce, deadline }
}

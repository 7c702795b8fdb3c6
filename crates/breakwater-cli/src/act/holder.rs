//! Commands of a policy's holder, and of whoever settles: cancel, lower, transfer, settle, withdraw.

use alloy::primitives::{Address, U256};
use alloy::sol_types::SolEvent;
use breakwater_bindings::{Policies, Pool};
use clap::Args;

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene, Signer};
use crate::act::held::Held;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::Quantity;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// Which policy ends.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater cancel --policy 7 --account me --dry-run\n\
    The refund is what of the premium is neither earned nor used; it goes to the holder.")]
pub(crate) struct Cancel {
    /// Number of the policy
    #[arg(long, value_name = "NUMBER")]
    policy: U256,
    #[command(flatten)]
    act: Act,
}

/// Which policy covers less.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater lower --policy 7 --sum 5000 --account me\n\
    The sum is in whole units of the policy's asset.")]
pub(crate) struct Lower {
    /// Number of the policy
    #[arg(long, value_name = "NUMBER")]
    policy: U256,
    /// The new sum insured, in whole units of the policy's asset
    #[arg(long, value_name = "AMOUNT")]
    sum: String,
    #[command(flatten)]
    act: Act,
}

/// Which policy becomes two.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater split --policy 7 --sum 4000 --to 0x… --account me\n\
    The new policy has this much of the sum and its part of the premium left; all else is the old one's, and what was\n\
    paid stays there. The sum is in whole units of the policy's asset.")]
pub(crate) struct Split {
    /// Number of the policy
    #[arg(long, value_name = "NUMBER")]
    policy: U256,
    /// Sum of the new policy, in whole units of the policy's asset
    #[arg(long, value_name = "AMOUNT")]
    sum: String,
    /// Who gets the new policy [default: the account that acts]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    #[command(flatten)]
    act: Act,
}

/// Which policy goes where.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater transfer --policy 7 --to 0x… --account me\n\
    Every right goes along: payments, refunds, and to lower or cancel it. The position stays what it was.")]
pub(crate) struct Transfer {
    /// Number of the policy
    #[arg(long, value_name = "NUMBER")]
    policy: U256,
    /// Who gets it
    #[arg(long, value_name = "ADDRESS")]
    to: Address,
    #[command(flatten)]
    act: Act,
}

/// What is settled for which incident.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater settle --policy 7 --policy 8 --incident 1 --account me\n\
    Anybody may settle and earns the settler's half of the bounty; the payment goes to the holder.\n\
    Of several policies those that cannot be settled are passed over.")]
pub(crate) struct Settle {
    /// Number of a policy; may be given several times
    #[arg(long = "policy", value_name = "NUMBER", required = true)]
    policies: Vec<U256>,
    /// Number of the incident
    #[arg(long, value_name = "NUMBER")]
    incident: U256,
    #[command(flatten)]
    act: Act,
}

/// Whose money is pushed out.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater withdraw --pool dollars --account me\n\
    Sends what a pool owes because a transfer failed before; anybody may do so for an account.")]
pub(crate) struct Withdraw {
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL")]
    pool: String,
    /// Who is owed [default: the account that acts]
    #[arg(long, value_name = "ADDRESS")]
    owed: Option<Address>,
    #[command(flatten)]
    act: Act,
}

/// Ends a policy.
pub(crate) async fn cancel(asked: &Cancel, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let held = Held::read(&scene, asked.policy).await?;
    let step = Step::new("cancelling", scene.deployment.policies, &Policies::cancelCall { id: held.id });
    let title =
        format!("cancelling policy {} over {}", held.id, held.cover.token.show(U256::from(held.policy.sum)));
    let unit = held.cover.token.clone();
    let plan = Plan::new("cancel", title, vec![step], probes(&scene, &held, &signer)).telling(move |logs| {
        let found = logs.iter().find_map(|log| Policies::Cancelled::decode_log(log).ok());
        found.map_or_else(Vec::new, |event| vec![("refund", Quantity::Amount(event.refund, unit.clone()))])
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// Lowers the sum of a policy.
pub(crate) async fn lower(asked: &Lower, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let held = Held::read(&scene, asked.policy).await?;
    let sum = held.cover.token.parse_u128("--sum", &asked.sum)?;
    let call = Policies::lowerCall { id: held.id, newSum: sum };
    let title = format!(
        "lowering policy {} from {} to {}",
        held.id,
        held.cover.token.show(U256::from(held.policy.sum)),
        held.cover.token.show(U256::from(sum))
    );
    let steps = vec![Step::new("lowering the sum", scene.deployment.policies, &call)];
    let unit = held.cover.token.clone();
    let plan = Plan::new("lower", title, steps, probes(&scene, &held, &signer)).telling(move |logs| {
        let found = logs.iter().find_map(|log| Policies::Lowered::decode_log(log).ok());
        found.map_or_else(Vec::new, |event| {
            vec![
                ("sum", Quantity::Amount(event.sum, unit.clone())),
                ("refund", Quantity::Amount(event.refund, unit.clone())),
            ]
        })
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// Makes two policies of one.
pub(crate) async fn split(asked: &Split, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let held = Held::read(&scene, asked.policy).await?;
    let sum = held.cover.token.parse_u128("--sum", &asked.sum)?;
    let to = asked.to.unwrap_or_else(|| signer.address());
    usable(&scene, to)?;
    let call = Policies::splitCall { id: held.id, sumOff: sum, to };
    let title = format!("splitting {} off policy {}", held.cover.token.show(U256::from(sum)), held.id);
    let steps = vec![Step::new("splitting the policy", scene.deployment.policies, &call)];
    let unit = held.cover.token.clone();
    let plan = Plan::new("split", title, steps, probes(&scene, &held, &signer)).telling(move |logs| {
        let found = logs.iter().find_map(|log| Policies::SplitOff::decode_log(log).ok());
        found.map_or_else(Vec::new, |event| {
            vec![
                ("policy", Quantity::Number(event.newId)),
                ("sum", Quantity::Amount(U256::from(event.policy.sum), unit.clone())),
                ("holder", Quantity::Account(to)),
            ]
        })
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// A policy is of no use to our own contracts, or to nobody.
fn usable(scene: &Scene, to: Address) -> Result<(), Failure> {
    if to.is_zero() || scene.deployment.contracts().contains(&to) {
        return Err(Failure::usage(format!("--to: {to} could never use a policy"))
            .right("an account that can, since payments go to the holder"));
    }
    Ok(())
}

/// Hands a policy over.
pub(crate) async fn transfer(asked: &Transfer, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let held = Held::read(&scene, asked.policy).await?;
    usable(&scene, asked.to)?;
    let call = Policies::transferFromCall { from: signer.address(), to: asked.to, tokenId: held.id };
    let steps = vec![Step::new("handing the policy over", scene.deployment.policies, &call)];
    let title = format!("handing policy {} over to {}", held.id, asked.to);
    let plan = Plan::new("transfer", title, steps, probes(&scene, &held, &signer));
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// Settles policies.
pub(crate) async fn settle(asked: &Settle, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let (incident, policies) = (asked.incident, scene.deployment.policies);
    let mut probes = Vec::new();
    let mut token = None;
    for id in &asked.policies {
        let held = Held::read(&scene, *id).await?;
        let unit = token.get_or_insert_with(|| held.cover.token.clone()).clone();
        if unit != held.cover.token {
            return Err(Failure::usage(format!(
                "--policy: {} and {} in one go",
                unit.symbol, held.cover.token.symbol
            ))
            .right("policies of one asset at a time"));
        }
        let of = Policies::settlementCall { id: *id, incident };
        let (due, paid) = (unit.clone(), unit.clone());
        probes.push(Probe::new(format!("due to policy {id}"), policies, &of, move |known| {
            Quantity::Amount(U256::from(known.due), due.clone())
        }));
        probes.push(Probe::new(format!("paid to policy {id}"), policies, &of, move |known| {
            Quantity::Amount(U256::from(known.paid), paid.clone())
        }));
        if let Some(owner) = held.owner {
            probes.push(Probe::balance(format!("balance of the holder of policy {id}"), &unit, owner));
        }
    }
    let Some(unit) = token else { return Err(Failure::usage("--policy: expected at least one")) };
    probes.push(Probe::balance("balance of the settler", &unit, signer.address()));
    let step = match asked.policies.as_slice() {
        [id] => Step::new("settling", policies, &Policies::settleCall { id: *id, incident }),
        ids => Step::new("settling", policies, &Policies::settleBatchCall { ids: ids.to_vec(), incident }),
    };
    let title = format!("settling {} policies for incident {incident}", asked.policies.len());
    let plan = Plan::new("settle", title, vec![step], probes).telling(move |logs| {
        let paid: U256 = logs
            .iter()
            .filter_map(|log| Policies::Settled::decode_log(log).ok())
            .map(|event| event.paid)
            .sum();
        let skipped = logs.iter().filter(|log| Policies::Skipped::decode_log(log).is_ok()).count();
        vec![
            ("paid", Quantity::Amount(paid, unit.clone())),
            ("skipped", Quantity::Number(U256::from(skipped))),
        ]
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// Pushes out what a pool owes.
pub(crate) async fn withdraw(asked: &Withdraw, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let pool = scene.pool(&asked.pool).await?;
    let asset = scene.asset_of(pool).await?;
    let account = asked.owed.unwrap_or_else(|| signer.address());
    let steps = vec![Step::new("withdrawing what is owed", pool, &Pool::withdrawCall { account })];
    let unit = asset.clone();
    let probes = vec![
        Probe::new("owed by the pool", pool, &Pool::owedCall { account }, move |units| {
            Quantity::Amount(units, unit.clone())
        }),
        Probe::balance("balance of the account", &asset, account),
    ];
    let title = format!("withdrawing what pool {} owes {account}", scene.pool_name(pool));
    run::run(&asked.act, &scene, &signer, Plan::new("withdraw", title, steps, probes), screen).await
}

/// What a holder looks at when a policy changes.
fn probes(scene: &Scene, held: &Held, signer: &Signer) -> Vec<Probe> {
    let (policies, id, token) = (scene.deployment.policies, held.id, &held.cover.token);
    let (sum, exposure) = (token.clone(), token.clone());
    vec![
        Probe::new(
            "holder of the policy",
            policies,
            &Policies::ownerOfCall { tokenId: id },
            Quantity::Account,
        ),
        Probe::new("sum insured", policies, &Policies::policyCall { id }, move |policy| {
            Quantity::Amount(U256::from(policy.sum), sum.clone())
        }),
        Probe::balance("balance of the account", token, signer.address()),
        Probe::new("exposure of the pool", held.policy.pool, &Pool::stateCall {}, move |state| {
            Quantity::Amount(state.exposure, exposure.clone())
        }),
    ]
}

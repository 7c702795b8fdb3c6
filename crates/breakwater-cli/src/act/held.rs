//! Policies as their holders see them: what each covers, where it stands, and what it is owed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};
use alloy::rpc::types::Filter;
use alloy::sol_types::SolCall;
use breakwater_bindings::{Incidents, Policies};
use clap::Args;
use serde_json::{Value, json};

use crate::act::bench::Bench;
use crate::act::cover::Cover;
use crate::act::frame::{Look, Scene};
use crate::act::incidents::{self, Seen};
use crate::act::units::utc;
use crate::args::Wallet;
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::revert;
use crate::style::{Screen, table};

/// Whose policies.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater policies --owner 0x…\n\
    Amounts are in whole units of the policy's asset, times in UTC. The list follows from the logs.")]
pub(crate) struct PoliciesOf {
    /// Who holds them [default: the account of the key that is named]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "all")]
    owner: Option<Address>,
    /// Everybody's, also those that were cancelled
    #[arg(long)]
    all: bool,
    /// One policy alone
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["owner", "all"])]
    policy: Option<U256>,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    wallet: Wallet,
}

/// A policy with everything around it.
pub(crate) struct Held {
    /// Its number.
    pub(crate) id: U256,
    /// Its words.
    pub(crate) policy: Policies::Policy,
    /// Who holds it; none: it was cancelled.
    pub(crate) owner: Option<Address>,
    /// What it covers.
    pub(crate) cover: Cover,
}

/// What an incident means for a policy.
struct Claim {
    incident: U256,
    status: &'static str,
    due: u128,
    paid: u128,
    /// What settling in the coming block would pay, or why it would not.
    payable: Result<U256, String>,
}

impl Held {
    /// Reads a policy; one that was never sold is wrong usage.
    pub(crate) async fn read(scene: &Scene, id: U256) -> Result<Self, Failure> {
        let policies = scene.deployment.policies;
        let policy = scene.view(policies, &Policies::policyCall { id }).await?;
        if policy.pool.is_zero() {
            return Err(Failure::usage(format!("--policy: there is no policy {id}"))
                .right("the number of a policy: breakwater policies"));
        }
        let owner = scene
            .ask(&scene.head, policies, Policies::ownerOfCall { tokenId: id }.abi_encode().into())
            .await?;
        let owner = owner.ok().and_then(|output| Policies::ownerOfCall::abi_decode_returns(&output).ok());
        let cover = Cover::read(scene, policy.product).await?;
        Ok(Self { id, policy, owner, cover })
    }

    fn state(&self, now: u64) -> &'static str {
        match self.owner {
            None => "cancelled",
            Some(_) if now < self.policy.inception => "waiting",
            Some(_) if now < self.policy.expiry => "active",
            Some(_) => "expired",
        }
    }

    /// The rule of `Policies`: the loss lies within the cover and was reported in time.
    fn touched_by(&self, incident: &Incidents::Incident) -> bool {
        let policy = &self.policy;
        let window = u64::from(self.cover.terms.reportWindow);
        policy.inception <= incident.onsetTime
            && incident.afterTime <= policy.expiry
            && incident.openedTime <= policy.expiry.saturating_add(window)
    }
}

/// Lists policies.
pub(crate) async fn policies(asked: &PoliciesOf, screen: &Screen) -> Result<Outcome, Failure> {
    let owner = match asked.owner {
        Some(owner) => Some(owner),
        None if asked.all || asked.policy.is_some() => None,
        None => Some(
            connect::signer(&asked.wallet)
                .map_err(|why| why.right("--owner ADDRESS, --all, or --account NAME"))?
                .address(),
        ),
    };
    let scene = Scene::open(&asked.look).await?;
    let mut bench = scene.bench().await?;
    let mut incidents: BTreeMap<B256, Vec<Seen>> = BTreeMap::new();
    let mut rows = Vec::new();
    for id in ids(&scene, asked.policy, owner).await? {
        let held = Held::read(&scene, id).await?;
        if owner.is_some() && held.owner != owner {
            continue;
        }
        let mut claimed = Vec::new();
        for gauge in held.cover.gauges() {
            let seen = match incidents.entry(gauge) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(incidents::of_gauge(&scene, gauge).await?),
            };
            claimed.extend(claims(&scene, &mut bench, &held, seen).await?);
        }
        let claims = claimed;
        let frozen = frozen(&scene, &held).await?;
        let state = held.state(bench.time);
        match screen.json {
            true => screen.object(&as_json(&scene, &held, state, frozen, &claims)),
            false => rows.push(row(&scene, &held, state, frozen, &claims)),
        }
    }
    screen.say(match rows.is_empty() {
        true => "no policies".to_owned(),
        false => {
            table(&["policy", "pool", "sum", "paid", "begins", "ends", "state", "claims"], &rows, &[0, 2, 3])
        }
    });
    Ok(Outcome::Ok)
}

/// Numbers of the policies that somebody holds or held, or of all.
async fn ids(scene: &Scene, one: Option<U256>, owner: Option<Address>) -> Result<BTreeSet<U256>, Failure> {
    if let Some(id) = one {
        return Ok(BTreeSet::from([id]));
    }
    let filter = match owner {
        Some(owner) => Filter::new().topic2(owner.into_word()),
        None => Filter::new().topic1(B256::ZERO),
    };
    let moves: Vec<(u64, Policies::Transfer)> = scene.events(scene.deployment.policies, filter).await?;
    Ok(moves.into_iter().map(|(_, event)| event.tokenId).collect())
}

async fn frozen(scene: &Scene, held: &Held) -> Result<bool, Failure> {
    let (from, to) = (U256::from(held.policy.inception), U256::from(held.policy.expiry));
    for gauge in held.cover.gauges() {
        if scene.view(scene.deployment.incidents, &Incidents::touchedCall { gauge, from, to }).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn claims(scene: &Scene, bench: &mut Bench, held: &Held, seen: &[Seen]) -> Result<Vec<Claim>, Failure> {
    let policies = scene.deployment.policies;
    let mut claims = Vec::new();
    for seen in seen.iter().filter(|seen| held.touched_by(&seen.incident)) {
        let (id, incident) = (held.id, seen.id);
        let settled = scene.view(policies, &Policies::settlementCall { id, incident }).await?;
        let settle = Policies::settleCall { id, incident }.abi_encode();
        let tried = bench.ask(Address::ZERO, policies, settle.into()).await?;
        let payable = match tried {
            Ok(output) => Ok(Policies::settleCall::abi_decode_returns(&output).unwrap_or_default()),
            Err(data) => Err(revert::describe(&data, None)),
        };
        claims.push(Claim { incident, status: seen.status(), due: settled.due, paid: settled.paid, payable });
    }
    Ok(claims)
}

fn row(scene: &Scene, held: &Held, state: &str, frozen: bool, claims: &[Claim]) -> Vec<String> {
    let (policy, token) = (&held.policy, &held.cover.token);
    let claims: Vec<String> = claims
        .iter()
        .map(|claim| {
            let now = match &claim.payable {
                Ok(units) => format!("{} payable", token.show(*units)),
                Err(_) => "nothing payable".to_owned(),
            };
            let paid = token.show(U256::from(claim.paid));
            format!("incident {} ({}): {paid} paid, {now}", claim.incident, claim.status)
        })
        .collect();
    vec![
        held.id.to_string(),
        scene.pool_name(policy.pool),
        token.show(U256::from(policy.sum)),
        token.show(U256::from(policy.paid)),
        utc(policy.inception),
        utc(policy.expiry),
        if frozen { format!("{state}, frozen") } else { state.to_owned() },
        if claims.is_empty() { "-".to_owned() } else { claims.join("; ") },
    ]
}

fn as_json(scene: &Scene, held: &Held, state: &str, frozen: bool, claims: &[Claim]) -> Value {
    let policy = &held.policy;
    let claims: Vec<Value> = claims
        .iter()
        .map(|claim| {
            json!({
                "incident": claim.incident.to_string(), "status": claim.status, "due": claim.due.to_string(),
                "paid": claim.paid.to_string(), "payable": claim.payable.as_ref().ok().map(ToString::to_string),
                "reason": claim.payable.as_ref().err(),
            })
        })
        .collect();
    json!({
        "policy": held.id.to_string(), "owner": held.owner, "product": policy.product, "pool": policy.pool,
        "pool_name": scene.pool_name(policy.pool), "kind": held.cover.kind(), "covered": held.cover.gauge.account,
        "position": policy.position, "asset": held.cover.token.json(), "sum": policy.sum.to_string(),
        "paid": policy.paid.to_string(), "purchased": policy.purchased, "inception": policy.inception,
        "expiry": policy.expiry, "state": state, "frozen": frozen, "claims": claims,
        "legs": held.cover.legs.iter().map(|(product, _)| product).collect::<Vec<_>>(),
    })
}

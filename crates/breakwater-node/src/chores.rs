//! What nobody else is bound to do, and anybody may: block hashes kept for reports, cases before the assembly begun
//! and closed, reports judged, ceilings freed, pools brought up to now.
//!
//! Each is tried before it is planned, and planned before it is sent: what would revert or change nothing costs reads.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use breakwater_bindings::contracts::{Assembly, EthereumHistory, Incidents, Pool, QuorumRung};
use breakwater_chain::{ChainError, Head};
use breakwater_evm::CallRequest;

use crate::error::{NodeError, Trouble};
use crate::heads::Heads;
use crate::keeper::Keeper;
use crate::known::Standing;
use crate::plan::{Errand, Plan};
use crate::quorum::ask;

/// Gas of keeping a block's hash.
const ANCHOR_GAS: u64 = 100_000;
/// Gas of a step of the assembly or of the judgement of at most 32 signers.
const JUDGE_GAS: u64 = 3_000_000;
/// Blocks after which a chore that came to nothing is tried again.
const AGAIN_BLOCKS: u64 = 16;
/// Blocks whose hashes the chain serves, less some for the way of a transaction.
const SERVED_BLOCKS: u64 = 8_000;
/// Seconds of a day, by which pools count.
const DAY_S: u64 = 86_400;
/// Days after which a product's days are rolled even if none of them changed anything: the next booking would
/// have to walk them.
const ROLL_DAYS: u64 = 7;

/// The block from which each chore is tried again. Forgotten with the process.
pub(crate) type Chores = BTreeMap<String, u64>;

impl Keeper {
    /// What is to be done now, tried already.
    pub(crate) async fn chores(&mut self, head: &Head) -> Result<Vec<Plan>, NodeError> {
        let number = head.number();
        self.chores.retain(|_, again| *again > number);
        let mut due = self.judgements(head);
        due.extend(self.anchors(head).await?);
        let mut plans = Vec::new();
        for (topic, errand) in due {
            if self.chores.contains_key(&topic) {
                continue;
            }
            self.chores.insert(topic.clone(), number.saturating_add(AGAIN_BLOCKS));
            if self.would_run(&errand, head).await? {
                plans.push(Plan::Carry { topic, calls: vec![errand] });
            }
        }
        plans.extend(self.upkeep(head).await?);
        Ok(plans)
    }

    /// Cases, judgements and ceilings, by what the logs say.
    fn judgements(&self, head: &Head) -> Vec<(String, Errand)> {
        let now = head.timestamp();
        let mut due = Vec::new();
        let call = |to: Address, data: Vec<u8>| Errand { to, data: data.into(), gas: JUDGE_GAS };
        for (id, incident) in &self.known.incidents {
            let over = matches!(incident.standing, Standing::Final { claims_end } if now > claims_end);
            if incident.counted && over {
                let release = Incidents::releaseCall { id: *id }.abi_encode();
                due.push((format!("release:{id}"), call(self.deployment.incidents, release)));
            }
            let Some(quorum) = self.deployment.quorum else { continue };
            let begun = self.known.cases.get(id);
            if matches!(incident.standing, Standing::Disputed { .. }) && begun.is_none() {
                let begin = Assembly::beginCall { id: *id }.abi_encode();
                due.push((format!("begin:{id}"), call(quorum.assembly, begin)));
            }
            if let Some(end) = begun.filter(|end| **end < now) {
                let close = Assembly::closeCall { id: *id }.abi_encode();
                due.push((format!("conclude:{id}:{end}"), call(quorum.assembly, close)));
            }
            let decided = matches!(incident.standing, Standing::Final { .. } | Standing::Voided);
            if decided && self.known.unjudged.contains(id) {
                // A report that was wrong is judged at once, one that stands when its claims are over.
                let settle = QuorumRung::settleCall { id: *id }.abi_encode();
                due.push((format!("judge:{id}:{}:{over}", incident.changed), call(quorum.rung, settle)));
            }
        }
        due
    }

    /// The blocks of open reports: whoever would prove a report wrong, or right, needs their hashes for longer than
    /// the chain serves them.
    async fn anchors(&mut self, head: &Head) -> Result<Vec<(String, Errand)>, NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let mut due = Vec::new();
        for incident in self.known.incidents.values().filter(|incident| incident.by_quorum()) {
            let open = match incident.standing {
                Standing::Dwelling | Standing::Disputed { .. } => true,
                Standing::Final { claims_end } => head.timestamp() <= claims_end,
                Standing::Voided => false,
            };
            let (onset, reading) = (incident.live.onset, incident.live.reading);
            for number in [onset, onset + 1, reading] {
                let seen = self.chores.contains_key(&format!("anchored:{number}"));
                if !open || seen || number.saturating_add(SERVED_BLOCKS) < head.number() {
                    continue;
                }
                self.chores.insert(format!("anchored:{number}"), head.number() + AGAIN_BLOCKS);
                let hash = heads.at(&self.endpoints, number).await?.hash();
                let topic = format!("anchor:{number}:{hash}");
                let number = U256::from(number);
                let kept = EthereumHistory::anchoredCall { number };
                let history = self.deployment.history;
                if ask(&self.endpoints, head, history, &kept).await?.is_zero() {
                    let anchor = EthereumHistory::anchorCall { number }.abi_encode();
                    due.push((topic, Errand { to: history, data: anchor.into(), gas: ANCHOR_GAS }));
                }
            }
        }
        Ok(due)
    }

    /// Pools that nobody brought up to now today, where that moves money or days; once a day each.
    async fn upkeep(&mut self, head: &Head) -> Result<Vec<Plan>, NodeError> {
        let now = head.timestamp();
        let today = now / DAY_S;
        let mut plans = Vec::new();
        let pools: Vec<Address> = self.known.pools.iter().copied().collect();
        for pool in pools {
            let fresh = self.known.accrued.get(&pool).is_none_or(|accrued| accrued / DAY_S == today);
            if !fresh
                && self.is_first(format!("accrue:{pool}:{today}"), head)
                && self.moves(pool, head).await?
            {
                plans.push(Plan::Upkeep { pool, product: None, day: today });
            }
        }
        for (pool, product) in &self.known.offered {
            if let Some(day) = self.roll_day(*pool, *product, today) {
                plans.push(Plan::Upkeep { pool: *pool, product: Some(*product), day });
            }
        }
        Ok(plans)
    }

    /// The day up to which a product's days should be rolled: when cover left the exposure since the last sale, which
    /// rolls as well, and once a week, so that a booking has few days to walk. None where nothing was sold.
    fn roll_day(&self, pool: Address, product: B256, today: u64) -> Option<u64> {
        let since = self.known.rolled.get(&(pool, product)).copied()? / DAY_S;
        let window = self.known.products.get(&product).map_or(0, |terms| terms.report_window);
        let covers = self
            .known
            .covers
            .values()
            .filter(|it| it.pool == pool && self.known.legs(&it.product).contains(&product));
        let days = covers.flat_map(|it| [it.expiry / DAY_S, it.expiry.saturating_add(window) / DAY_S]);
        let (last, ended) = days.fold((0, None), |(last, ended): (u64, Option<u64>), day| {
            let over = (since < day && day <= today).then_some(day);
            (last.max(day), ended.max(over))
        });
        let week = since + today.saturating_sub(since) / ROLL_DAYS * ROLL_DAYS;
        // Once the last cover left, no later day holds anything.
        ended.max((week > since && week <= last).then_some(week))
    }

    /// Whether bringing the pool up to now would do more than write down the time.
    async fn moves(&self, pool: Address, head: &Head) -> Result<bool, NodeError> {
        let request = CallRequest::new(pool, Pool::accrueCall {}.abi_encode()).from(self.sender.address());
        let outcome = self.rehearse(request, head).await?;
        Ok(outcome.succeeded() && !outcome.logs.is_empty())
    }

    /// Whether the chore is looked at for the first time today, as far as this process knows.
    fn is_first(&mut self, topic: String, head: &Head) -> bool {
        let day_of_blocks = 7_200;
        self.chores.insert(topic, head.number().saturating_add(day_of_blocks)).is_none()
    }

    /// Whether a call runs now; trouble of an endpoint is no answer.
    pub(crate) async fn would_run(&self, errand: &Errand, head: &Head) -> Result<bool, NodeError> {
        let request = TransactionRequest::default()
            .from(self.sender.address())
            .to(errand.to)
            .input(errand.data.clone().into());
        match self.endpoints.call(head, &request).await.map_err(NodeError::from) {
            Ok(_) => Ok(true),
            Err(NodeError::Chain(ChainError::Reverted { .. })) => Ok(false),
            Err(error) if error.trouble() == Trouble::Configuration => Err(error),
            Err(error) => {
                tracing::warn!(to = %errand.to, %error, "not tried");
                Ok(false)
            }
        }
    }
}

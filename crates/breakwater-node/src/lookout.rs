//! Looking at triggers: each look is tried on the state after the newest block, and sent where it changes something.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, Log, U256};
use alloy::sol_types::{SolCall, SolEvent};
use breakwater_bindings::contracts::{CanaryRung, FeedRung, Incidents, OracleRung, SeriesRung};
use breakwater_chain::Head;
use breakwater_evm::{CallRequest, EvmError, SourceError, View, off_thread};
use breakwater_policy::measure::lambda;

use crate::error::NodeError;
use crate::keeper::Keeper;
use crate::known::{KnownIncident, Standing};
use crate::machines::{Act, Kind, Machine, Need, REFRESH_S, Run, Watched, about_canary, about_run};
use crate::plan::{Errand, Plan};
use crate::quorum::ask;

/// Gas of a look at feeds, which hands each of them 300,000 of it, and of opening an incident in every pool.
const FEEDS_GAS: u64 = 10_000_000;
/// Gas of a probe beside what the canary gets, and of opening an incident in every pool.
const CANARY_GAS: u64 = 4_000_000;
/// An act that is still due is planned anew after this time, seconds.
const AGAIN_S: u64 = 3_600;
/// A claim window that is longer by less than this is not worth a transaction, seconds.
const EXTENSION_LEAST_S: u64 = 600;
/// A fall of a loss by less than this part of it is left alone, basis points.
const WORTH_REVIEWING_BPS: u64 = 100;
/// Seconds by which the next block is taken to be later than the newest.
const SLOT_S: u64 = 12;

/// When each trigger is looked at next, seconds. Forgotten with the process: a look that is tried costs reads alone.
pub(crate) type Lookout = BTreeMap<B256, u64>;

/// What a call would do in the next block.
struct Trial {
    logs: Vec<Log>,
}

impl Trial {
    fn find<E: SolEvent>(&self, of: Address) -> Option<E> {
        let mut own = self.logs.iter().filter(|log| log.address == of);
        own.find_map(|log| Some(E::decode_log(log).ok()?.data))
    }
}

impl Keeper {
    /// What triggers ask for now. Trouble with one of them keeps no other waiting.
    pub(crate) async fn look_out(&mut self, head: &Head) -> Result<Vec<Plan>, NodeError> {
        let now = head.timestamp();
        let due: Vec<(B256, Machine)> = self
            .known
            .machines
            .iter()
            .filter(|(trigger, _)| self.lookout.get(*trigger).is_none_or(|next| *next <= now))
            .map(|(trigger, machine)| (*trigger, *machine))
            .collect();
        let mut plans = Vec::new();
        for (trigger, machine) in due {
            self.lookout.insert(trigger, now.saturating_add(machine.pause(now)));
            match self.look_at(trigger, machine, head).await {
                Ok(found) => plans.extend(found),
                Err(error) => {
                    self.lookout.remove(&trigger);
                    tracing::warn!(%trigger, %error, "not looked at");
                }
            }
        }
        Ok(plans)
    }

    async fn look_at(&self, trigger: B256, machine: Machine, head: &Head) -> Result<Vec<Plan>, NodeError> {
        let now = head.timestamp();
        let need = self.need(trigger, now);
        let open: Vec<(U256, &KnownIncident)> = self
            .known
            .incidents
            .iter()
            .filter(|(_, incident)| incident.gauge == trigger)
            .filter(|(_, incident)| match incident.standing {
                Standing::Final { claims_end } => now <= claims_end,
                Standing::Dwelling => true,
                _ => false,
            })
            .map(|(id, incident)| (*id, incident))
            .collect();
        if !need.covered && !need.offered && open.is_empty() {
            return Ok(Vec::new());
        }
        let mut plans = Vec::new();
        match machine.kind {
            Kind::Depeg { .. } | Kind::Oracle { .. } => {
                plans.extend(self.look_at_run(trigger, machine, need, head).await?);
            }
            Kind::Series { .. } => plans.extend(self.look_at_series(trigger, machine, need, head).await?),
            Kind::Canary { gas, spacing } => {
                let probe = CANARY_GAS + gas.saturating_mul(64) / 63;
                plans.extend(self.look_at_canary(trigger, machine, (probe, spacing), need, head).await?);
            }
        }
        for (id, incident) in open {
            plans.extend(self.look_at_incident(id, incident, machine, head).await?);
        }
        Ok(plans)
    }

    fn need(&self, trigger: B256, now: u64) -> Need {
        let covers = self.known.covers_on(trigger, now);
        let mut need = Need::default();
        for cover in covers {
            need.covered = true;
            if cover.inception <= now {
                need.incepted = need.incepted.max(cover.inception);
            }
        }
        let on = |product: &B256| self.known.products.get(product).is_some_and(|it| it.gauge == trigger);
        need.offered = self.known.offered.iter().any(|(_, product)| on(product));
        need
    }

    /// The feed rung and the oracle rung keep the same runs; only what they say of a look differs.
    async fn look_at_run(
        &self,
        trigger: B256,
        machine: Machine,
        need: Need,
        head: &Head,
    ) -> Result<Option<Plan>, NodeError> {
        let r = ask(&self.endpoints, head, machine.rung, &FeedRung::runCall { trigger }).await?;
        let before = Run {
            onset_time: r.onsetTime,
            since: r.since,
            last: r.last,
            live: r.live,
            elapsed: r.elapsed,
            has_incident: !r.incident.is_zero(),
        };
        let look = FeedRung::pokeCall { trigger }.abi_encode();
        let Some(trial) = self.attempt(machine.rung, &look, head).await? else { return Ok(None) };
        let told = if matches!(machine.kind, Kind::Oracle { .. }) {
            let seen = trial.find::<OracleRung::Observed>(machine.rung);
            seen.map(|seen| (seen.run.since, seen.run.live, seen.run.elapsed, seen.run.last))
        } else {
            let seen = trial.find::<FeedRung::Observed>(machine.rung);
            seen.map(|seen| (seen.run.since, seen.run.live, seen.run.elapsed, seen.run.last))
        };
        let Some((since, live, elapsed, last)) = told else { return Ok(None) };
        let after = Run { since, live, elapsed, last, ..before };
        let act = about_run(machine.kind, &before, &after, need, head.timestamp());
        let open = FeedRung::openCall { trigger }.abi_encode();
        self.act(trigger, machine, act, (look, open), (before.last, FEEDS_GAS), head).await
    }

    /// The contract refuses every look that is not due, so a look that would be taken changes something, unless the
    /// feeds were and are dead.
    async fn look_at_series(
        &self,
        trigger: B256,
        machine: Machine,
        need: Need,
        head: &Head,
    ) -> Result<Option<Plan>, NodeError> {
        if !need.covered {
            return Ok(None);
        }
        let before = ask(&self.endpoints, head, machine.rung, &SeriesRung::seriesCall { trigger }).await?;
        let look = SeriesRung::pokeCall { trigger }.abi_encode();
        let done = before.second.number != 0;
        let act = if done && before.incident.is_zero() {
            Some(Act::Open)
        } else if let Some(trial) = self.attempt(machine.rung, &look, head).await? {
            let seen = trial.find::<SeriesRung::Observed>(machine.rung);
            seen.filter(|seen| seen.live || !before.dead || before.last == 0).map(|_| Act::Look)
        } else {
            None
        };
        let open = SeriesRung::openCall { trigger }.abi_encode();
        self.act(trigger, machine, act, (look, open), (before.last, FEEDS_GAS), head).await
    }

    async fn look_at_canary(
        &self,
        trigger: B256,
        machine: Machine,
        (gas, spacing): (u64, u64),
        need: Need,
        head: &Head,
    ) -> Result<Option<Plan>, NodeError> {
        let w = ask(&self.endpoints, head, machine.rung, &CanaryRung::watchCall { trigger }).await?;
        let watched = Watched {
            onset_time: w.onsetTime,
            failed_at: w.failedAt,
            ripe: w.ripe,
            has_incident: !w.incident.is_zero(),
        };
        let look = CanaryRung::probeCall { trigger }.abi_encode();
        let Some(trial) = self.attempt(machine.rung, &look, head).await? else { return Ok(None) };
        let Some(seen) = trial.find::<CanaryRung::Probed>(machine.rung) else { return Ok(None) };
        let act = about_canary(spacing, &watched, seen.success, need, head.timestamp());
        let open = CanaryRung::openCall { trigger }.abi_encode();
        let state = watched.onset_time.max(watched.failed_at);
        self.act(trigger, machine, act, (look, open), (state, gas), head).await
    }

    /// The act as a plan. `state` tells what it was decided on, so that the same decision is one action.
    async fn act(
        &self,
        trigger: B256,
        machine: Machine,
        act: Option<Act>,
        (look, open): (Vec<u8>, Vec<u8>),
        (state, gas): (u64, u64),
        head: &Head,
    ) -> Result<Option<Plan>, NodeError> {
        let (what, data) = match act {
            None => return Ok(None),
            Some(Act::Look) => ("look", look),
            // What the rung or the incidents would refuse is not sent.
            Some(Act::Open) if self.attempt(machine.rung, &open, head).await?.is_none() => return Ok(None),
            Some(Act::Open) => ("open", open),
        };
        let topic = format!("{what}:{trigger}:{state}:{}", head.timestamp() / AGAIN_S);
        let errand = Errand { to: machine.rung, data: data.into(), gas };
        Ok(Some(Plan::Carry { topic, calls: vec![errand] }))
    }

    /// A lower loss in the dwell, and claims that stay open while feeds are dead.
    async fn look_at_incident(
        &self,
        id: U256,
        incident: &KnownIncident,
        machine: Machine,
        head: &Head,
    ) -> Result<Option<Plan>, NodeError> {
        let (now, next) = (head.timestamp(), head.number() + 1);
        let gas = match machine.kind {
            Kind::Canary { gas, .. } => CANARY_GAS + gas.saturating_mul(64) / 63,
            _ => FEEDS_GAS,
        };
        let plan = |topic: String, data: Vec<u8>| {
            let errand = Errand { to: machine.rung, data: Bytes::from(data), gas };
            Some(Plan::Carry { topic, calls: vec![errand] })
        };
        match (incident.standing, machine.kind) {
            (Standing::Dwelling, Kind::Depeg { .. } | Kind::Canary { .. })
                if next <= incident.live.dwell_end =>
            {
                // Both rungs have the same entry.
                let review = FeedRung::reviewCall { id }.abi_encode();
                let Some(trial) = self.attempt(machine.rung, &review, head).await? else { return Ok(None) };
                let revised = trial.find::<Incidents::Revised>(self.deployment.incidents);
                let Some(loss) = revised.map(|revised| revised.m.loss) else { return Ok(None) };
                let fallen = lambda(incident.live.loss.saturating_sub(loss), incident.live.loss.max(1));
                let least = lambda(WORTH_REVIEWING_BPS.into(), 10_000);
                if fallen < least && !self.known.is_nothing(incident, loss) {
                    return Ok(None);
                }
                Ok(plan(format!("review:{id}:{}", incident.changed), review))
            }
            (Standing::Final { claims_end }, Kind::Depeg { .. })
                if claims_end.saturating_sub(now) <= REFRESH_S =>
            {
                let extend = FeedRung::extendCall { id }.abi_encode();
                let Some(trial) = self.attempt(machine.rung, &extend, head).await? else { return Ok(None) };
                let extended = trial.find::<Incidents::Extended>(self.deployment.incidents);
                let by = extended.map_or(0, |it| u64::from(it.claimsEnd).saturating_sub(claims_end));
                if by < EXTENSION_LEAST_S {
                    return Ok(None);
                }
                Ok(plan(format!("extend:{id}:{claims_end}:{}", now / AGAIN_S), extend))
            }
            _ => Ok(None),
        }
    }

    /// What the call would do in the next block; none if it would revert.
    async fn attempt(&self, to: Address, data: &[u8], head: &Head) -> Result<Option<Trial>, NodeError> {
        let request = CallRequest::new(to, data.to_vec()).from(self.sender.address());
        let outcome = self.rehearse(request, head).await?;
        Ok(outcome.succeeded().then_some(Trial { logs: outcome.logs }))
    }

    /// Runs a call on the state after the newest block, in the block after it.
    pub(crate) async fn rehearse(
        &self,
        request: CallRequest,
        head: &Head,
    ) -> Result<breakwater_evm::CallOutcome, NodeError> {
        let (reader, rules) = (self.reader.clone(), self.rules);
        let (number, expected) = (head.number(), head.hash());
        let outcome = off_thread(move || {
            let view = View::at(&reader, number, rules)?;
            let got = view.block().hash;
            if got != expected {
                return Err(EvmError::Source(SourceError::Reorganised { number, expected, got }));
            }
            let mut fork = view.fork();
            fork.advance(SLOT_S, 1);
            fork.quick(&request)
        });
        Ok(outcome.await??)
    }
}

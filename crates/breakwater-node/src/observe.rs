//! What each block shows of each gauge, and what follows from it.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256};
use breakwater_chain::{Endpoints, Head};
use breakwater_prove::gauge::Reading;

use crate::duties::{prove_plans, settle_plans};
use crate::error::NodeError;
use crate::heads::Heads;
use crate::keeper::Keeper;
use crate::known::{Known, KnownIncident, Standing, seq};
use crate::plan::Plan;
use crate::report::{Seen, TickReport};
use crate::subject::{Shown, Subject};
use crate::watch::{Intent, Live};

impl Keeper {
    /// What one gauge shows in this block, and what to do about it.
    pub(crate) async fn observe(
        &mut self,
        gauge: B256,
        known: &Known,
        head: &Head,
        plans: &mut Vec<Plan>,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let reports = self.is_reporter();
        let Some(subject) = self.subjects.get_mut(&gauge) else { return Ok(()) };
        let since = match (known.dwelling(gauge), subject.watch.onset()) {
            (Some((_, incident)), _) => incident.live.onset,
            (None, Some(onset)) => onset.before.number,
            (None, None) => head.number().saturating_sub(1),
        };
        let holders = match known.dwelling(gauge) {
            Some(_) => subject.claimants_since(&self.endpoints, &heads, since, head.number()).await?,
            None => subject.claimants(&self.endpoints, &heads, since).await?,
        };
        let now = match subject.show(&self.endpoints, &heads, head.number(), &holders).await? {
            Shown::Reading(reading) => reading,
            Shown::Undecided(why) => {
                subject.watch.forget();
                if reports {
                    plans.extend(finding(subject, &self.endpoints, &heads, gauge, &holders).await?);
                }
                report.seen.push(Seen::Undecided { gauge, block: head.number(), why });
                return Ok(());
            }
            Shown::Unreadable(why) => {
                subject.watch.forget();
                report.seen.push(Seen::Unreadable { gauge, block: head.number(), why });
                return Ok(());
            }
        };
        let mut wanted = BTreeSet::new();
        let intent = if let Some((id, incident)) = known.dwelling(gauge) {
            // What reporters said is theirs to revise.
            let live = incident.live.clone();
            wanted.extend([live.onset, live.onset + 1, live.reading]);
            match onset_readings(subject, &self.endpoints, &heads, live.onset, &holders).await? {
                Some((a, next)) if incident.by_proof() => {
                    subject.watch.dwelling(&live, a, next, now).map(|intent| (intent, Some(id)))
                }
                _ => None,
            }
        } else {
            let floor = known.onset_floor(gauge);
            quiet(subject, &self.endpoints, &heads, floor, now, &holders).await?.map(|intent| (intent, None))
        };
        if let Some(onset) = subject.watch.onset() {
            wanted.extend([onset.before.number, onset.after.number]);
            report.seen.push(Seen::Onset { gauge, block: onset.after.number });
        }
        subject.prune(head, &wanted);
        match intent {
            Some((Intent::Assert { onset, reading }, _)) => {
                let onset_hash = heads.at(&self.endpoints, onset).await?.hash();
                let reading_hash = heads.at(&self.endpoints, reading).await?.hash();
                plans.push(Plan::Assert { gauge, onset, onset_hash, reading, reading_hash });
                let live = Live::expected(onset, reading);
                plans.extend(instant_plans(known, gauge, live, &heads, &self.endpoints).await?);
            }
            Some((Intent::Revise { reading }, Some(incident))) => {
                let reading_hash = heads.at(&self.endpoints, reading).await?.hash();
                plans.push(Plan::Revise { gauge, incident, reading, reading_hash });
            }
            _ => {}
        }
        Ok(())
    }
}

/// The readings at the onset and the block after it by these holders.
async fn onset_readings(
    subject: &mut Subject,
    endpoints: &Endpoints,
    heads: &Heads<'_>,
    onset: u64,
    holders: &[Address],
) -> Result<Option<(Reading, Reading)>, NodeError> {
    let a = subject.show(endpoints, heads, onset, holders).await?;
    let next = subject.show(endpoints, heads, onset + 1, holders).await?;
    Ok(match (a, next) {
        (Shown::Reading(a), Shown::Reading(next)) => Some((a, next)),
        _ => None,
    })
}

/// The finding of a block that is the first without the pins, if the one before had them.
async fn finding(
    subject: &mut Subject,
    endpoints: &Endpoints,
    heads: &Heads<'_>,
    gauge: B256,
    holders: &[Address],
) -> Result<Option<Plan>, NodeError> {
    let Some(onset) = heads.current().number().checked_sub(1) else { return Ok(None) };
    let before = subject.show(endpoints, heads, onset, holders).await?;
    let onset_hash = heads.at(endpoints, onset).await?.hash();
    Ok(matches!(before, Shown::Reading(_)).then_some(Plan::Report { gauge, onset, onset_hash }))
}

/// A block in which no incident dwells.
async fn quiet(
    subject: &mut Subject,
    endpoints: &Endpoints,
    heads: &Heads<'_>,
    since: u64,
    now: Reading,
    holders: &[Address],
) -> Result<Option<Intent>, NodeError> {
    if let Some(onset) = subject.watch.onset()
        && let Some((a, next)) =
            onset_readings(subject, endpoints, heads, onset.before.number, holders).await?
    {
        subject.watch.reread(a, next);
    }
    let Some(previous) = now.number.checked_sub(1) else { return Ok(None) };
    match subject.show(endpoints, heads, previous, holders).await? {
        Shown::Reading(before) => Ok(subject.watch.quiet(before, now, since)),
        _ => Ok(None),
    }
}

/// Proofs and payments of the instant lane, planned together with the assertion that they build on.
async fn instant_plans(
    known: &Known,
    gauge: B256,
    live: Live,
    heads: &Heads<'_>,
    endpoints: &Endpoints,
) -> Result<Vec<Plan>, NodeError> {
    let reading = live.reading;
    let (opened_time, opened_at) = (heads.current().timestamp(), heads.current().number() + 1);
    let incident = KnownIncident {
        gauge,
        rung: 0,
        standing: Standing::Dwelling,
        payable: live.loss,
        held: None,
        delayed: false,
        counted: false,
        onset_time: heads.at(endpoints, live.onset).await?.timestamp(),
        after_time: heads.at(endpoints, live.onset + 1).await?.timestamp(),
        opened_time,
        opened_at,
        changed: seq(opened_at, 0),
        live,
    };
    let id = known.next_incident();
    let mut plans = prove_plans(known, id, &incident, |terms| terms.instant);
    plans.extend(settle_plans(known, id, &incident, Some(reading)));
    Ok(plans)
}

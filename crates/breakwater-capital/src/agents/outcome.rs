//! What became of everybody in one history.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use breakwater_policy::Refusal;
use breakwater_primitives::DAY;
use serde::Serialize;

use super::{
    path::Path,
    stage::{ASSET, POOL},
};

/// Below this part of its first capital a pool that never closed counts as ruined too.
const RUIN: f64 = 0.01;

/// Refusals that belong to the protocol's life: by operation and name. All others are findings.
const EXPECTED: [(&str, &str); 6] = [
    // Capital left or was lost between quote and purchase, or the first book does not fit.
    ("buy", "CapacityExceeded"),
    ("buy", "CapExceeded"),
    ("buy", "PoolIsClosed"),
    // Nothing is left of a sum, or nothing more is there to pay.
    ("settle", "NothingToPay"),
    ("settle", "ClaimsOver"),
    // An epoch in which something dwelt takes no deposits in.
    ("claim deposit", "NotProcessed"),
];

/// Underwriters of one sort. Amounts are in the document's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// How many.
    pub count: f64,
    /// What they put in.
    pub put_in: f64,
    /// What they were paid and what is still theirs.
    pub has: f64,
}

/// How things stood on a day. Amounts are in the document's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Days since the beginning.
    pub day: f64,
    /// Surplus and tranches.
    pub capital: f64,
    /// Sums insured in force.
    pub in_force: f64,
    /// Worth of shares that wait to leave.
    pub queued: f64,
    /// 1 if the pool is closed; over several paths the share of those.
    pub closed: f64,
}

/// What became of everybody. Amounts are in the document's unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What the model's events pay on the documented exposures.
    pub modelled: f64,
    /// What positions with cover in force lost.
    pub lost: f64,
    /// What the contracts owed for it.
    pub due: f64,
    /// What they paid.
    pub paid: f64,
    /// Premium of all cover sold.
    pub premium: f64,
    /// Borne by surplus, junior, mezzanine and senior.
    pub borne: [f64; 4],
    /// Capital on the first and the last day.
    pub capital: [f64; 2],
    /// The day on which the pool closed, being short.
    pub closed: Option<f64>,
    /// It closed, or next to nothing of its capital is left.
    pub ruined: bool,
    /// Incidents.
    pub incidents: u32,
    /// Looks at a price that had risen too far.
    pub lapses: u32,
    /// Buyers who left for reasons of their own.
    pub gone: u32,
    /// Looks that found no room.
    pub unserved: u32,
    /// Sums in force on the first and the last day looked at.
    pub in_force: [f64; 2],
    /// Worth of all shares for which somebody asked to leave, when he asked.
    pub asked: f64,
    /// Paid to those who left.
    pub left: f64,
    /// Exits that left less capital than the exposure needs.
    pub stripped: u32,
    /// The most that waited to leave, as a share of capital.
    pub longest_queue: f64,
    /// Days that those who were paid in full had waited, on average.
    pub waited: Option<f64>,
    /// Worth of shares that still wait.
    pub waiting: f64,
    /// Underwriters who stayed, who asked to leave before the first incident, and who asked after it.
    pub groups: [Group; 3],
    /// Operations that the contracts refused, by operation and name.
    pub refusals: BTreeMap<String, u64>,
    /// Those of them that nothing explains.
    pub unexpected: u64,
    /// Books that do not balance: none, unless arithmetic is wrong.
    pub broken: Vec<String>,
    /// Epoch by epoch.
    pub series: Vec<Point>,
}

/// Counts while a history is under way, in units.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) modelled: f64,
    pub(super) lost: u128,
    pub(super) premium: U256,
    pub(super) closed_at: Option<u64>,
    pub(super) first_onset: Option<u64>,
    pub(super) incidents: u32,
    pub(super) lapses: u32,
    pub(super) gone: u32,
    pub(super) unserved: u32,
    pub(super) asked: u128,
    pub(super) left: u128,
    pub(super) stripped: u32,
    /// Seconds from a request to its payment in full.
    pub(super) waits: Vec<u64>,
    pub(super) series: Vec<Point>,
    capital: u128,
    refusals: BTreeMap<String, u64>,
    unexpected: u64,
}

impl Tally {
    /// The first midnight has come.
    pub(super) fn start(&mut self, capital: u128) {
        self.capital = capital;
    }

    pub(super) fn refused(&mut self, operation: &str, refusal: &Refusal) {
        let debug = format!("{refusal:?}");
        let name = debug.split([' ', '{', '(']).next().unwrap_or_default();
        self.unexpected += u64::from(!EXPECTED.contains(&(operation, name)));
        *self.refusals.entry(format!("{operation}: {name}")).or_default() += 1;
    }
}

impl Path<'_> {
    /// Draws the line.
    pub(super) fn finish(mut self) -> Outcome {
        self.observe();
        let pool = self.pool();
        let amount = |units: u128| self.setting.amount(units);
        let (mut due, mut paid) = (0, 0);
        for settlement in self.world.policies.list.iter().flat_map(|holding| holding.settlements.values()) {
            due += settlement.due;
            paid += settlement.paid;
        }
        let mut borne = [0.0; 4];
        for booking in pool.bookings.values() {
            borne.iter_mut().zip(booking.charged).for_each(|(all, own)| *all += amount(own));
        }
        let capital = pool.capital().unwrap_or_default();
        let tally = &self.tally;
        let longest_queue = tally.series.iter().map(|point| {
            let all = point.capital.max(point.queued);
            if all > 0.0 { point.queued / all } else { 0.0 }
        });
        let days: Vec<f64> = tally.waits.iter().map(|&seconds| seconds as f64 / DAY as f64).collect();
        let ends = |point: Option<&Point>| point.map_or(0.0, |p| p.in_force);
        Outcome {
            modelled: tally.modelled,
            lost: amount(tally.lost),
            due: amount(due),
            paid: amount(paid),
            premium: amount(u128::try_from(tally.premium).unwrap_or(u128::MAX)),
            borne,
            capital: [amount(tally.capital), amount(capital)],
            closed: tally.closed_at.map(|at| at.saturating_sub(self.start) as f64 / DAY as f64),
            ruined: tally.closed_at.is_some() || (capital as f64) < RUIN * tally.capital as f64,
            incidents: tally.incidents,
            lapses: tally.lapses,
            gone: tally.gone,
            unserved: tally.unserved,
            in_force: [ends(tally.series.first()), ends(tally.series.iter().rev().nth(1))],
            asked: amount(tally.asked),
            left: amount(tally.left),
            stripped: tally.stripped,
            longest_queue: longest_queue.fold(0.0, f64::max),
            waited: (!days.is_empty()).then(|| days.iter().fold(0.0, |s, d| s + d) / days.len() as f64),
            waiting: tally.series.last().map_or(0.0, |point| point.queued),
            groups: self.groups(),
            refusals: tally.refusals.clone(),
            unexpected: tally.unexpected,
            broken: self.audit(due, paid),
            series: tally.series.clone(),
        }
    }

    /// Who lost what, by when they asked to leave.
    fn groups(&self) -> [Group; 3] {
        let mut groups = [Group::default(); 3];
        for who in self.underwriters.iter().filter(|who| !who.newcomer) {
            let place = match (who.asked, self.tally.first_onset) {
                (None, _) => 0,
                (Some(asked), Some(onset)) if asked > onset => 2,
                (Some(_), _) => 1,
            };
            let group = &mut groups[place];
            group.count += 1.0;
            group.put_in += self.setting.amount(who.put_in);
            group.has += self.setting.amount(who.got_out + self.still_has(who).unwrap_or_default());
        }
        groups
    }

    /// Books that do not balance to the unit.
    fn audit(&self, due: u128, paid: u128) -> Vec<String> {
        let mut broken = Vec::new();
        let pool = self.pool();
        let held = self.world.ledger.balance(ASSET, POOL);
        match pool.obligations() {
            Ok(owed) if owed == held => {}
            owed => broken.push(format!("the pool holds {held} and owes {owed:?}")),
        }
        let all =
            self.holders.iter().fold(U256::ZERO, |sum, &who| sum + self.world.ledger.balance(ASSET, who));
        if all != self.minted {
            broken.push(format!("{all} units are there of {} that were made", self.minted));
        }
        if paid > due || due > self.tally.lost {
            broken.push(format!("{paid} was paid of {due} due for losses of {}", self.tally.lost));
        }
        for (incident, booking) in &pool.bookings {
            let charged: u128 = booking.charged.iter().sum();
            if charged != booking.own() || booking.paid > booking.cash() || booking.paid > booking.due {
                broken.push(format!("incident {incident}: {booking:?}"));
            }
        }
        broken
    }
}

//! The register of positions: what each lost and was paid, over all policies, pools and kinds of cover.

use alloy_primitives::{Address, U256};
use breakwater_primitives::{Block, Time, U256Ext, mul_div_floor};

use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::exposure::add;
use crate::incident::{Incident, Incidents, Status, check_rung};
use crate::refusal::Refusal;
use crate::world::World;

/// What the register keeps of one position in one incident. Gauge units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Best proven loss.
    pub lost: u128,
    /// What the position was worth at the onset.
    pub value: u128,
    /// The onset of the proof.
    pub onset: Block,
    /// Granted so far.
    pub paid: u128,
}

/// Whose payments of a subject are looked up together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payee {
    /// Everybody.
    All,
    /// Those who were paid for all holders.
    Whole,
    /// One position.
    Account(Address),
}

impl Incident {
    /// What a position proven from `onset` has lost by the measurement of now; zero if the onset moved.
    pub fn lost_of(&self, position: &Position) -> u128 {
        if position.onset != self.measured.onset || self.measured.base == 0 {
            return 0;
        }
        let (value, loss) = (U256::from(position.value), U256::from(self.measured.loss));
        // 128 bits times 128 bits cannot overflow, and the loss is at most the base.
        let share = mul_div_floor(value, loss, U256::from(self.measured.base)).unwrap_or_default();
        position.lost.min(share.to_u128().unwrap_or(u128::MAX))
    }

    /// Whether both tell of the same blocks, or claims of `other`, on another gauge or trigger, were open when this one
    /// was opened, or the reverse. This one's are open now.
    fn overlaps(&self, other: &Self) -> bool {
        let (mine, others) = (&self.measured, &other.measured);
        if mine.onset < others.reading && others.onset < mine.reading {
            return true;
        }
        if other.gauge == self.gauge {
            return false;
        }
        match other.status {
            _ if other.opened_at >= self.opened_at => true,
            // One that was voided has no claims: its answers ended with its dwell.
            Status::Voided => other.dwell_end >= self.opened_at,
            Status::Final => other.claims_end >= self.opened_time,
            _ => true,
        }
    }
}

impl Incidents {
    /// Best proven loss of a position, at most its worth times the incident's fraction; gauge units.
    pub fn position_lost(&self, id: u64, account: Address) -> u128 {
        let Some(incident) = self.get(id) else { return 0 };
        self.positions.get(&(id, account)).map_or(0, |position| incident.lost_of(position))
    }

    /// What somebody was paid for the same loss where another gauge or trigger of the subject told it.
    fn paid_elsewhere(&self, own: u64, incident: &Incident, payee: Payee) -> u128 {
        let mut id = self.last_paid.get(&(incident.subject, payee)).copied().unwrap_or_default();
        let mut sum = 0_u128;
        while let Some((other, (paid, earlier))) = self.get(id).zip(self.payees.get(&(id, payee))) {
            if id != own && incident.overlaps(other) {
                sum = sum.saturating_add(*paid);
            }
            id = *earlier;
        }
        sum
    }

    /// Writes down a payment: whoever begins to be paid is put before those incidents that paid him already.
    pub(crate) fn apply_payment(&mut self, id: u64, account: Address, whole: bool, amount: u128) {
        let subject = self.get(id).map(|incident| incident.subject).unwrap_or_default();
        let payees = [Some(Payee::All), whole.then_some(Payee::Whole), Some(Payee::Account(account))];
        for payee in payees.into_iter().flatten() {
            let row = self
                .payees
                .entry((id, payee))
                .or_insert_with(|| (0, self.last_paid.insert((subject, payee), id).unwrap_or_default()));
            row.0 = row.0.saturating_add(amount);
        }
    }

    pub(crate) fn check_claims(&self, id: u64, now: Time) -> Result<&Incident, Refusal> {
        let incident = self.known(id)?;
        match incident.status {
            Status::Dwelling | Status::Disputed => Ok(incident),
            Status::Final if now <= incident.claims_end => Ok(incident),
            Status::Final => Err(Refusal::ClaimsOver { id, claims_end: incident.claims_end }),
            status => Err(Refusal::IncidentNotOpen { id, status }),
        }
    }

    /// `consume`: takes from what may still be granted for a position; answers gauge units.
    pub(crate) fn consume(
        &mut self,
        cx: &mut Cx,
        emitter: Address,
        id: u64,
        (account, whole): (Address, bool),
        lost: u128,
        wanted: u128,
    ) -> Result<u128, Refusal> {
        let incident = self.check_claims(id, cx.time)?;
        let before = self.positions.get(&(id, account)).copied().unwrap_or_default().paid;
        let elsewhere = self.paid_elsewhere(id, incident, Payee::Account(account));
        // Who is paid for all holders is paid for each of them; from then on all are paid one loss together.
        let stands = whole
            || self.payees.contains_key(&(id, Payee::Whole))
            || self.paid_elsewhere(id, incident, Payee::Whole) != 0;
        let others = if stands { self.paid_elsewhere(id, incident, Payee::All) } else { 0 };
        let room = lost.saturating_sub(before.saturating_add(elsewhere));
        let room = room.min(incident.measured.loss.saturating_sub(incident.paid.saturating_add(others)));
        let amount = wanted.min(room);
        if amount == 0 {
            return Ok(0);
        }
        let position = self.positions.entry((id, account)).or_default();
        position.paid = add(position.paid, amount)?;
        let paid_for_account = position.paid;
        let incident = self.get_mut(id).ok_or(Refusal::UnknownIncident { id })?;
        incident.paid = add(incident.paid, amount)?;
        let paid_in_all = incident.paid;
        self.apply_payment(id, account, whole, amount);
        cx.emit(emitter, Event::PositionPaid { id, account, whole, amount, paid_for_account, paid_in_all });
        Ok(amount)
    }
}

impl World {
    /// `recordPosition`: records a proven loss of one position; a worse proof changes nothing.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Incidents.
    pub fn record_position(
        &mut self,
        context: Context,
        id: u64,
        account: Address,
        lost: u128,
        value: u128,
    ) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| world.record(cx, id, account, lost, value))
    }

    fn record(
        &mut self,
        cx: &mut Cx,
        id: u64,
        account: Address,
        lost: u128,
        value: u128,
    ) -> Result<(), Refusal> {
        check_rung(cx, self.incidents.known(id)?)?;
        let incident = self.incidents.check_claims(id, cx.time)?;
        let onset = incident.measured.onset;
        let old = self.incidents.positions.get(&(id, account)).copied().unwrap_or_default();
        let new = Position { lost, value, onset, paid: old.paid };
        let (before, now) = (incident.lost_of(&old), incident.lost_of(&new));
        // Ranked by what it pays: a proof of more loss on less worth must not push a better one out.
        if now > before || (now == before && (old.onset != onset || lost > old.lost)) {
            self.incidents.positions.insert((id, account), new);
            cx.emit(self.terms.incidents, Event::PositionProven { id, account, onset, lost, value });
        }
        Ok(())
    }
}

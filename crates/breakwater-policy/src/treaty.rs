//! Reinsurance: what a treaty owes on a loss, what it locks for it, and what it sends.
//!
//! docs/capital.md, "Treaties", is the text. Nothing that the cedant calls refuses: a claim never hangs on a treaty.
//! Whether the asset moves is the pool's business, see [`crate::ceding`]; a failed transfer is a [`Treaty::undraw`] of
//! what was sent. Reinsurers come and go in [`crate::reinsurance`].

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use breakwater_primitives::{BPS, Block, Bps, MathError, SHARE_OFFSET, Time, U256Ext, YEAR, mul_div_floor};

use crate::shares::Shares;

/// Shares are sold while assets · this ≥ shares.
const PRICE_FLOOR: u64 = 1_000_000_000_000;

/// What a treaty pays; never changes. Amounts in units of the pool's asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whether the formula runs on the year's losses, not on each incident's.
    pub aggregate: bool,
    /// Part of the layer, at most the whole.
    pub share: Bps,
    /// Of the premium that the pool earns while the treaty runs.
    pub premium: Bps,
    /// Losses below are not the treaty's.
    pub attachment: u128,
    /// Width of the layer, before the share.
    pub limit: u128,
    /// Most that the incidents of one treaty year are covered for.
    pub yearly_limit: u128,
    /// The onset of a covered incident is not before.
    pub start: Time,
    /// And before this.
    pub end: Time,
    /// Seconds after the end in which incidents may still be booked and nobody leaves.
    pub notice: u64,
}

impl Terms {
    /// The treaty's part of a loss `x` on top of `before`, rounded down.
    ///
    /// # Errors
    /// Overflow where `before` exceeds 255 bits.
    pub fn part(&self, x: u128, before: U256) -> Result<u128, MathError> {
        let inside = self.inside(before.plus(U256::from(x))?).minus(self.inside(before))?;
        mul_div_floor(inside, self.share.wide(), U256::from(BPS))?.to_u128()
    }

    /// Whether an incident with this onset is the treaty's.
    pub fn covers(&self, onset: Time) -> bool {
        onset >= self.start && onset < self.end
    }

    /// The treaty year of an onset, from zero.
    pub fn year_of(&self, onset: Time) -> u64 {
        onset.since(self.start) / YEAR
    }

    /// When nothing new can be booked and reinsurers may leave.
    pub fn free_from(&self) -> Time {
        Time(self.end.0.saturating_add(self.notice))
    }

    fn inside(&self, y: U256) -> U256 {
        y.saturating_sub(U256::from(self.attachment)).min(U256::from(self.limit))
    }
}

/// What a treaty keeps for one incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cession {
    /// Reserve, and once settled what is due.
    pub loss: u128,
    /// Locked and drawn.
    pub covered: u128,
    /// Sent to the cedant, at most covered.
    pub drawn: u128,
    /// What the terms owe and no collateral was there for.
    pub short_by: u128,
    /// The year's losses when the incident was first encumbered.
    pub before: U256,
    /// Recoveries that came back for the holders of the snapshot.
    pub returned: u128,
    /// What they claimed of them.
    pub claimed: u128,
    /// The treaty year, from zero.
    pub year: u64,
    /// The block whose end decides who gets recoveries.
    pub snapshot: Block,
    /// Claims are over.
    pub settled: bool,
}

/// Of one treaty year: losses of its incidents, and what is covered of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Year {
    /// Of an aggregate treaty: the sum of the cessions' losses.
    pub losses: U256,
    /// Sum of what is covered.
    pub covered: u128,
}

/// One treaty: its collateral and what it is locked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Treaty {
    /// What it pays.
    pub terms: Terms,
    /// Deposits, premium and vault's own recoveries, less what was sent.
    pub assets: u128,
    /// Recoveries that wait to be claimed; no part of the assets.
    pub returns: u128,
    /// Who has put in the collateral.
    pub shares: Shares,
    /// What holders have claimed of an incident's recoveries.
    pub claims: BTreeMap<(u64, Address), u128>,
    pub(crate) cessions: BTreeMap<u64, Cession>,
    years: BTreeMap<u64, Year>,
}

impl Treaty {
    /// A treaty without collateral.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            assets: 0,
            returns: 0,
            shares: Shares::default(),
            claims: BTreeMap::new(),
            cessions: BTreeMap::new(),
            years: BTreeMap::new(),
        }
    }

    /// What is kept for an incident; `None`: it was never encumbered.
    pub fn cession(&self, incident: u64) -> Option<&Cession> {
        self.cessions.get(&incident)
    }

    /// Incidents that it was ever encumbered for.
    pub fn incidents(&self) -> impl Iterator<Item = u64> {
        self.cessions.keys().copied()
    }

    /// Treaty years that something is kept of.
    pub fn years(&self) -> impl Iterator<Item = u64> {
        self.years.keys().copied()
    }

    /// What is kept of a treaty year.
    pub fn year(&self, year: u64) -> Year {
        self.years.get(&year).copied().unwrap_or_default()
    }

    /// Collateral that is locked and not drawn, at most the assets.
    pub fn encumbered(&self) -> u128 {
        self.cessions.values().map(|c| c.covered - c.drawn).sum()
    }

    /// What stands behind the shares.
    pub fn free(&self) -> u128 {
        self.assets - self.encumbered()
    }

    /// Locks what the treaty owes on `loss`, as far as collateral and the yearly limit go; answers what is covered.
    ///
    /// # Errors
    /// Overflow of a year's losses, which are sums of 128 bits.
    pub fn encumber(
        &mut self,
        incident: u64,
        (now, block): (Time, Block),
        onset: Time,
        loss: u128,
    ) -> Result<u128, MathError> {
        let inside = self.terms.covers(onset);
        let known = match self.cessions.get(&incident) {
            Some(known) => *known,
            None if loss == 0 || !inside || now >= self.terms.free_from() => return Ok(0),
            None => self.open(onset, block),
        };
        if known.settled {
            return Ok(known.covered);
        }
        // An onset that was moved out of the term takes the loss with it.
        let next = self.covering(known, if inside { loss } else { 0 })?;
        self.store(incident, known, next)?;
        Ok(next.covered)
    }

    /// Sends what is owed on `due`, at most what is covered, less what was drawn; answers what is to be sent.
    ///
    /// # Errors
    /// Overflow, as [`Terms::part`].
    pub fn draw(&mut self, incident: u64, due: u128) -> Result<u128, MathError> {
        let terms = self.terms;
        let Some(cession) = self.cessions.get_mut(&incident) else { return Ok(0) };
        let owed = terms.part(due, cession.before)?.min(cession.covered);
        let sent = owed.saturating_sub(cession.drawn);
        cession.drawn += sent;
        self.assets -= sent;
        Ok(sent)
    }

    /// Takes a draw back whose transfer failed: at most what is drawn.
    pub fn undraw(&mut self, incident: u64, sent: u128) {
        if let Some(cession) = self.cessions.get_mut(&incident) {
            let back = sent.min(cession.drawn);
            cession.drawn -= back;
            self.assets += back;
        }
    }

    /// Takes `amount` back that was recovered for an incident; answers whether it is for the holders of then. Where
    /// nobody held shares it is the vault's.
    pub fn give_back(&mut self, incident: u64, amount: u128) -> bool {
        let supply_at = |c: &Cession| self.shares.supply_at(c.snapshot);
        let to_holders = self.cession(incident).is_some_and(|c| !supply_at(c).is_zero());
        if let Some(cession) = self.cessions.get_mut(&incident).filter(|_| to_holders) {
            cession.returned += amount;
            self.returns += amount;
        } else {
            self.assets += amount;
        }
        to_holders
    }

    /// What `account` may claim of what came back for an incident: its part by shares of then, rounded down.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn claimable(&self, incident: u64, account: Address) -> Result<u128, MathError> {
        let Some(cession) = self.cession(incident).filter(|c| c.returned != 0) else { return Ok(0) };
        let held = self.shares.balance_at(account, cession.snapshot);
        if held.is_zero() {
            return Ok(0);
        }
        let supply = self.shares.supply_at(cession.snapshot);
        let all = mul_div_floor(U256::from(cession.returned), held, supply)?.to_u128()?;
        Ok(all.saturating_sub(self.claims.get(&(incident, account)).copied().unwrap_or_default()))
    }

    /// Books a claim of what came back.
    pub(crate) fn claimed(&mut self, incident: u64, account: Address, amount: u128) {
        *self.claims.entry((incident, account)).or_default() += amount;
        if let Some(cession) = self.cessions.get_mut(&incident) {
            cession.claimed += amount;
        }
        self.returns = self.returns.saturating_sub(amount);
    }

    /// Claims are over with `due`: what is not owed on it is free. Answers what stays covered; the caller draws.
    ///
    /// # Errors
    /// As [`Treaty::encumber`].
    pub fn settle(&mut self, incident: u64, due: u128) -> Result<u128, MathError> {
        let Some(known) = self.cessions.get(&incident).copied() else { return Ok(0) };
        if known.settled {
            return Ok(known.covered);
        }
        let next = Cession { settled: true, ..self.covering(known, due.min(known.loss))? };
        self.store(incident, known, next)?;
        Ok(next.covered)
    }

    /// Whether shares are sold: before the end, with nothing encumbered, while the cedant has no booking that dwells.
    pub fn takes_deposits(&self, now: Time, dwelling: bool, supply: U256) -> bool {
        let priced = U256::from(self.free()).saturating_mul(U256::from(PRICE_FLOOR)) >= supply;
        now < self.terms.end && self.encumbered() == 0 && !dwelling && priced
    }

    /// Whether reinsurers may leave with what is free.
    pub fn lets_out(&self, now: Time, attached: bool, dwelling: bool) -> bool {
        !attached || (!dwelling && now >= self.terms.free_from())
    }

    /// Shares for a deposit, rounded down.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn to_shares(&self, assets: u128, supply: U256) -> Result<U256, MathError> {
        mul_div_floor(U256::from(assets), supply.plus(U256::from(SHARE_OFFSET))?, self.price_base())
    }

    /// Assets of shares, rounded down.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn to_assets(&self, shares: U256, supply: U256) -> Result<u128, MathError> {
        mul_div_floor(shares, self.price_base(), supply.plus(U256::from(SHARE_OFFSET))?)?.to_u128()
    }

    fn price_base(&self) -> U256 {
        U256::from(self.free()) + U256::from(1)
    }

    fn open(&self, onset: Time, block: Block) -> Cession {
        let year = self.terms.year_of(onset);
        let before = if self.terms.aggregate { self.year(year).losses } else { U256::ZERO };
        Cession { before, year, snapshot: block.before(), ..Cession::default() }
    }

    /// A cession as it stands with `loss`: what is drawn stays covered.
    fn covering(&self, known: Cession, loss: u128) -> Result<Cession, MathError> {
        let others = self.year(known.year).covered - known.covered;
        let room = self.terms.yearly_limit.saturating_sub(others);
        let wanted = self.terms.part(loss, known.before)?.min(room);
        let covered = wanted.min(known.covered + self.free()).max(known.drawn);
        Ok(Cession { loss, covered, short_by: wanted.saturating_sub(covered), ..known })
    }

    pub(crate) fn store(&mut self, incident: u64, known: Cession, next: Cession) -> Result<(), MathError> {
        let mut year = self.year(known.year);
        if self.terms.aggregate {
            year.losses = year.losses.minus(U256::from(known.loss))?.plus(U256::from(next.loss))?;
        }
        year.covered = year.covered - known.covered + next.covered;
        self.years.insert(known.year, year);
        self.cessions.insert(incident, next);
        Ok(())
    }
}

/// What a pool counts on of what a treaty covers while claims are open: a unit less, since draws round down.
pub fn counted(covered: u128) -> u128 {
    covered.saturating_sub(1)
}

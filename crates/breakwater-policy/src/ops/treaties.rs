//! Treaties and recoveries: operations and proposals.

use alloy_primitives::{Address, U256};
use breakwater_primitives::{Bps, DAY, Time};

use super::random::Dice;
use super::{Clock, Op, logs};
use crate::context::Context;
use crate::events::Log;
use crate::incident::Status;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::treaty::Terms;
use crate::world::World;

/// One operation on a treaty, or on what a pool cedes and recovers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the entry point of its name, with its arguments")]
pub enum Ceded {
    /// `treaty` is the account that the factory gives the next treaty.
    MakeTreaty {
        treaty: Address,
        cedant: Address,
        terms: Terms,
    },
    AttachTreaty {
        pool: Address,
        treaty: Address,
    },
    DetachTreaty {
        pool: Address,
        treaty: Address,
    },
    PayPremium {
        pool: Address,
        treaty: Address,
    },
    DepositCollateral {
        treaty: Address,
        assets: u128,
    },
    RedeemCollateral {
        treaty: Address,
        shares: U256,
    },
    TransferCollateral {
        treaty: Address,
        to: Address,
        shares: U256,
    },
    ClaimReturn {
        treaty: Address,
        incident: u64,
    },
    Recover {
        pool: Address,
        incident: u64,
        amount: u128,
    },
}

impl Ceded {
    pub(super) fn apply(self, world: &mut World, at: Context) -> Result<Vec<Log>, Refusal> {
        match self {
            Self::MakeTreaty { treaty, cedant, terms } => {
                world.make_treaty(at, treaty, cedant, terms).map(logs)
            }
            Self::AttachTreaty { pool, treaty } => world.attach_treaty(at, pool, treaty).map(logs),
            Self::DetachTreaty { pool, treaty } => world.detach_treaty(at, pool, treaty).map(logs),
            Self::PayPremium { pool, treaty } => world.pay_premium(at, pool, treaty).map(logs),
            Self::DepositCollateral { treaty, assets } => world.treaty_deposit(at, treaty, assets).map(logs),
            Self::RedeemCollateral { treaty, shares } => world.treaty_redeem(at, treaty, shares).map(logs),
            Self::TransferCollateral { treaty, to, shares } => {
                world.treaty_transfer(at, treaty, to, shares).map(logs)
            }
            Self::ClaimReturn { treaty, incident } => world.claim_return(at, treaty, incident).map(logs),
            Self::Recover { pool, incident, amount } => world.recover(at, pool, incident, amount).map(logs),
        }
    }
}

/// Proposes something about treaties; `next` are the accounts of treaties to come, in the order of their making.
pub(super) fn reinsure(
    dice: &mut Dice<'_>,
    world: &World,
    clock: Clock,
    pool: &Pool,
    caller: Address,
    next: &[Address],
) -> Option<Op> {
    let op = |caller, ceded| Some(Op::Ceded { caller, ceded });
    let pool_address = pool.address;
    let treaties: Vec<Address> = pool.ceding.treaties.keys().copied().collect();
    let picked = dice.pick(&treaties);
    match dice.below(100) {
        0..=7 => {
            let made: usize = world.pools.values().map(|pool| pool.ceding.treaties.len()).sum();
            let open = treaties.iter().filter(|treaty| !pool.ceding.line.contains(treaty)).count();
            if open > 2 && dice.chance(80) {
                return None;
            }
            let (treaty, cedant) = (*next.get(made)?, pool_address);
            op(caller, Ceded::MakeTreaty { treaty, cedant, terms: terms(dice, clock, pool) })
        }
        8..=21 => {
            let least = clock.time.plus(pool.config.cooldown + 2 * pool.config.epoch);
            let apt: Vec<Address> = treaties
                .into_iter()
                .filter(|treaty| !pool.ceding.line.contains(treaty))
                .filter(|treaty| pool.ceding.treaties[treaty].terms.start >= least)
                .collect();
            let treaty = if dice.chance(90) { dice.pick(&apt)? } else { picked? };
            op(pool.config.curator, Ceded::AttachTreaty { pool: pool_address, treaty })
        }
        22..=31 => {
            let over: Vec<Address> = pool
                .ceding
                .line
                .iter()
                .copied()
                .filter(|treaty| pool.ceding.treaties[treaty].terms.free_from() <= clock.time)
                .collect();
            let treaty = if dice.chance(90) { dice.pick(&over)? } else { picked? };
            op(caller, Ceded::DetachTreaty { pool: pool_address, treaty })
        }
        32..=39 => op(caller, Ceded::PayPremium { pool: pool_address, treaty: picked? }),
        40..=54 => {
            let open: Vec<Address> = treaties
                .into_iter()
                .filter(|treaty| clock.time < pool.ceding.treaties[treaty].terms.end)
                .collect();
            let treaty = if dice.chance(90) { dice.pick(&open)? } else { picked? };
            let assets = if dice.chance(5) { 0 } else { dice.wide_below(80_000_000_000) };
            op(caller, Ceded::DepositCollateral { treaty, assets })
        }
        55..=66 => {
            let apt: Vec<(Address, Address)> = holders(pool)
                .filter(|(treaty, _)| {
                    let attached = pool.ceding.line.contains(treaty);
                    pool.ceding.treaties[treaty].lets_out(clock.time, attached, pool.dwells())
                })
                .collect();
            let (treaty, owner) = if dice.chance(85) {
                dice.pick(&apt)?
            } else {
                dice.pick(&holders(pool).collect::<Vec<_>>())?
            };
            let shares = dice.part_of_shares(pool.ceding.treaties[&treaty].shares.balance(owner));
            op(owner, Ceded::RedeemCollateral { treaty, shares })
        }
        67..=69 => {
            let (treaty, owner) = dice.pick(&holders(pool).collect::<Vec<_>>())?;
            let shares = dice.part_of_shares(pool.ceding.treaties[&treaty].shares.balance(owner));
            op(owner, Ceded::TransferCollateral { treaty, to: caller, shares })
        }
        70..=79 => {
            let all: Vec<(Address, Address, u64)> = holders(pool)
                .flat_map(|(treaty, owner)| {
                    let incidents = pool.ceding.treaties[&treaty].incidents();
                    incidents.map(move |incident| (treaty, owner, incident))
                })
                .collect();
            let due: Vec<_> = all
                .iter()
                .copied()
                .filter(|(treaty, owner, incident)| {
                    pool.ceding.treaties[treaty].claimable(*incident, *owner).is_ok_and(|due| due > 0)
                })
                .collect();
            let (treaty, owner, incident) = if dice.chance(90) { dice.pick(&due)? } else { dice.pick(&all)? };
            op(owner, Ceded::ClaimReturn { treaty, incident })
        }
        _ => recover(dice, world, pool, caller),
    }
}

fn recover(dice: &mut Dice<'_>, world: &World, pool: &Pool, caller: Address) -> Option<Op> {
    let closed: Vec<u64> = pool
        .bookings
        .iter()
        .filter(|(id, booking)| {
            let lost = booking.charged.iter().any(|part| *part > 0) || booking.drawn > 0;
            let over = world.incidents.get(**id).is_some_and(|found| found.status == Status::Final);
            (booking.closed && lost) || (over && id.is_multiple_of(11))
        })
        .map(|(incident, _)| *incident)
        .collect();
    let incident = dice.pick(&closed)?;
    let booking = pool.bookings.get(&incident)?;
    let lost = booking.funded.saturating_sub(booking.recovered);
    let amount = if dice.chance(15) { dice.wide_below(2 * lost + 9) } else { dice.part(lost) };
    let ceded = Ceded::Recover { pool: pool.address, incident, amount };
    Some(Op::Ceded { caller, ceded })
}

/// Everybody who ever held shares of a treaty of the pool.
fn holders(pool: &Pool) -> impl Iterator<Item = (Address, Address)> {
    let all = pool.ceding.treaties.iter();
    all.flat_map(|(treaty, found)| found.shares.accounts().map(|account| (*treaty, account)))
}

/// Quota shares, layers and stop-losses; mostly ones that the pool may attach.
fn terms(dice: &mut Dice<'_>, clock: Clock, pool: &Pool) -> Terms {
    let wait = pool.config.cooldown + 2 * pool.config.epoch;
    let early = if dice.chance(85) { wait + dice.below(3 * DAY) } else { dice.below(wait + 1) };
    let start = clock.time.plus(early);
    let aggregate = dice.chance(35);
    let share = Bps::new(500 + u32::try_from(dice.below(6_000)).unwrap_or(0));
    let attachment = if dice.chance(40) { 0 } else { dice.wide_below(60_000_000_000) };
    let limit = 1_000_000 + dice.wide_below(200_000_000_000);
    let layer = limit / 10_000 * u128::from(share.get());
    let yearly_limit = if aggregate || dice.chance(50) { layer } else { u128::MAX };
    let days = if dice.chance(50) { 3 + dice.below(30) } else { 30 + dice.below(500) };
    Terms {
        aggregate,
        share: if dice.chance(3) { Bps::new(0) } else { share },
        premium: Bps::new(u32::try_from(dice.below(3_500)).unwrap_or(0)),
        attachment,
        limit,
        yearly_limit,
        start,
        end: if dice.chance(2) { start } else { Time(start.0 + days * DAY) },
        notice: dice.below(20 * DAY),
    }
}

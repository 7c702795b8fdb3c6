//! Proposes the next operation from what the world looks like.

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Bps, DAY, Time, U256Ext, WAD, Wad};

use super::{Clock, Op, certificates, ladder, losses, treaties};
use crate::incident::{Incident, Status};
use crate::policies::Purchase;
use crate::pool::Pool;
use crate::world::World;

/// Seconds between blocks, for times of past blocks.
pub(super) const SLOT: u64 = 12;

/// Who plays.
#[derive(Debug, Clone)]
pub struct Generator {
    /// Accounts that buy, hold, invest and settle.
    pub users: Vec<Address>,
    /// Whether the asset may begin to refuse accounts.
    pub refusals: bool,
    /// Accounts of treaties, in the order in which the factory makes them.
    pub treaties: Vec<Address>,
}

/// A source of numbers with a few shapes.
pub(super) struct Dice<'a> {
    pub(super) source: &'a mut dyn FnMut() -> u64,
}

impl Dice<'_> {
    /// Below `n`; zero where `n` is zero.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { (self.source)() % n }
    }

    pub(super) fn wide_below(&mut self, n: u128) -> u128 {
        let value = u128::from((self.source)()) << 64 | u128::from((self.source)());
        if n == 0 { 0 } else { value % n }
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(index).copied()
    }

    /// Part of `whole`: all of it, a tiny bit, or anything between.
    pub(super) fn part(&mut self, whole: u128) -> u128 {
        match self.below(8) {
            0 => whole,
            1 => whole.min(1 + self.wide_below(1_000)),
            _ => self.wide_below(whole.saturating_add(1)),
        }
    }

    pub(super) fn part_of_shares(&mut self, whole: U256) -> U256 {
        match self.below(6) {
            0 => whole,
            1 => whole.min(U256::from(1 + self.below(1_000_000))),
            _ => whole / U256::from(1 + self.below(20)),
        }
    }
}

impl Generator {
    /// The next operation. `source` answers any 64 bits.
    pub fn next(&self, source: &mut dyn FnMut() -> u64, world: &World, clock: Clock) -> Op {
        let mut dice = Dice { source };
        // A proposal may find nothing to act on; then time passes.
        self.propose(&mut dice, world, clock).unwrap_or_else(|| pass(&mut dice, world, clock))
    }

    fn propose(&self, dice: &mut Dice<'_>, world: &World, clock: Clock) -> Option<Op> {
        let pools: Vec<&Pool> = world.pools.values().collect();
        let mut pool = dice.pick(&pools)?;
        if dice.chance(25) {
            // The thinnest is where pools close.
            pool = pools.iter().copied().max_by_key(|pool| pool.config.leverage)?;
        }
        let caller = dice.pick(&self.users)?;
        if let Some(op) = ladder::guard(dice, world, clock) {
            return Some(op);
        }
        if dwelling(world, clock).is_some() && dice.chance(70) {
            // A dwell is short, and most of what can go wrong goes wrong in it.
            return match dice.below(25) {
                0 | 12 => Some(pass(dice, world, clock)),
                24 => ladder::climb(dice, world, clock, caller),
                1..=4 | 13..=16 => self.record(dice, world, clock),
                5..=8 | 17..=20 => settle(dice, world, caller),
                _ => losses::revise(dice, world, clock),
            };
        }
        if dice.chance(5) {
            return certificates::sign(dice, world, clock, caller);
        }
        if dice.chance(12) {
            return treaties::reinsure(dice, world, clock, pool, caller, &self.treaties);
        }
        match dice.below(100) {
            0..=13 => Some(pass(dice, world, clock)),
            14..=31 => self.buy(dice, world, clock, pool, caller),
            32..=36 => self.edit(dice, world, clock),
            37..=38 => self.move_policy(dice, world),
            39..=41 => losses::open(dice, world, clock, caller),
            42..=46 => losses::revise(dice, world, clock),
            47..=53 => self.record(dice, world, clock),
            54..=63 => settle(dice, world, caller),
            64..=65 => finalise(dice, world, clock, caller),
            66 => ladder::climb(dice, world, clock, caller),
            67..=69 => close(dice, world, clock, caller),
            70..=75 => self.deposit(dice, pool),
            76..=79 => claim_deposit(dice, pool, caller),
            80..=84 => self.redeem(dice, pool),
            85..=86 => process(dice, pool, clock, caller),
            87..=88 => claim_redeem(dice, pool, caller),
            89..=91 => self.recover(dice, pool, caller),
            92..=95 => curate(dice, pool),
            96 => self.refuse(dice, pool),
            97 => withdraw(dice, pool, caller),
            98 => self.transfer_shares(dice, pool),
            _ => Some(Op::Accrue { caller, pool: pool.address }),
        }
    }

    fn buy(
        &self,
        dice: &mut Dice<'_>,
        world: &World,
        clock: Clock,
        pool: &Pool,
        caller: Address,
    ) -> Option<Op> {
        if pool.closed_at.is_some() && dice.chance(90) {
            return None;
        }
        let products: Vec<B256> = pool.products.keys().copied().collect();
        let product = dice.pick(&products)?;
        let (terms, book) = (world.products.get(&product)?, pool.products.get(&product)?);
        let inception = clock.time.plus(terms.waiting_period);
        let first = inception.plus(terms.min_term).0.div_ceil(DAY);
        let last = inception.plus(terms.max_term).day();
        let span = if dice.chance(60) { 20 } else { last.saturating_sub(first) + 1 };
        let expiry = Time((first + dice.below(span)) * DAY);
        let room = book.setting(clock.time).cap.saturating_sub(book.exposure);
        let capacity = pool.config.leverage.floor_of(pool.capital().ok()?).ok()?;
        let room = room.min(capacity.saturating_sub(pool.exposure));
        let sum = if dice.chance(10) { room } else { terms.min_sum + dice.wide_below(room / 4 + 1) };
        let named = !terms.registrant.is_zero();
        let position = if named { terms.registrant } else { dice.pick(&self.users)? };
        let purchase = Purchase {
            product,
            pool: pool.address,
            position,
            sum: if dice.chance(3) { sum.saturating_mul(5) } else { sum },
            expiry: if dice.chance(2) { expiry.plus(1) } else { expiry },
            max_premium: if dice.chance(2) { U256::from(1) } else { U256::MAX },
            deadline: if dice.chance(1) { Time(1) } else { clock.time },
            to: caller,
            consented: !dice.chance(2),
            distributor: if dice.chance(3) { Address::ZERO } else { dice.pick(&self.users)? },
            fee: Bps::new(u32::try_from(if dice.chance(75) { 0 } else { dice.below(2_100) }).unwrap_or(0)),
        };
        Some(Op::Buy { caller, purchase })
    }

    fn edit(&self, dice: &mut Dice<'_>, world: &World, clock: Clock) -> Option<Op> {
        // A few attempts to find one that runs; the last one is taken as it is.
        let mut found = some_policy(dice, world)?;
        for _ in 0..6 {
            let policy = &world.policies.get(found.0)?.policy;
            if policy.inception <= clock.time && clock.time < policy.expiry {
                break;
            }
            found = some_policy(dice, world)?;
        }
        let (id, owner, sum, paid) = found;
        let caller = if dice.chance(4) { dice.pick(&self.users)? } else { owner };
        if dice.chance(40) {
            return Some(Op::Cancel { caller, id });
        }
        if dice.chance(40) {
            let sum_off = dice.part(sum.saturating_sub(paid));
            return Some(Op::Split { caller, id, sum_off, to: dice.pick(&self.users)? });
        }
        let new_sum = if dice.chance(15) { paid } else { paid + dice.part(sum.saturating_sub(paid)) };
        Some(Op::Lower { caller, id, new_sum })
    }

    fn move_policy(&self, dice: &mut Dice<'_>, world: &World) -> Option<Op> {
        let (id, caller, _, _) = some_policy(dice, world)?;
        Some(Op::TransferPolicy { caller, id, to: dice.pick(&self.users)? })
    }

    fn record(&self, dice: &mut Dice<'_>, world: &World, clock: Clock) -> Option<Op> {
        let (id, incident) = some_incident(dice, world, clock)?;
        let base = incident.measured.base;
        let value = dice.part(base / 3);
        let share = U256::from(value) * U256::from(incident.measured.loss) / U256::from(base.max(1));
        let share = share.to_u128().ok()?;
        let lost = if dice.chance(70) { share } else { dice.part(share.saturating_mul(2)) };
        let account = match losses::insured(dice, world, incident) {
            Some(account) if dice.chance(60) => account,
            _ => dice.pick(&self.users)?,
        };
        Some(Op::RecordPosition { caller: incident.rung_contract, id, account, lost, value })
    }

    fn deposit(&self, dice: &mut Dice<'_>, pool: &Pool) -> Option<Op> {
        let caller = if dice.chance(10) { pool.config.curator } else { dice.pick(&self.users)? };
        let assets = match dice.below(10) {
            0 => 1 + dice.wide_below(50),
            1 => dice.wide_below(5_000_000_000_000),
            _ => dice.wide_below(100_000_000_000),
        };
        let controller = if dice.chance(10) { dice.pick(&self.users)? } else { caller };
        Some(Op::RequestDeposit { caller, pool: pool.address, layer: layer(dice), assets, controller })
    }

    fn redeem(&self, dice: &mut Dice<'_>, pool: &Pool) -> Option<Op> {
        let layer = layer(dice);
        let caller = if dice.chance(10) { pool.config.curator } else { dice.pick(&self.users)? };
        let shares = dice.part_of_shares(pool.tranche(layer).balance(caller));
        if shares.is_zero() && dice.chance(90) {
            return None;
        }
        let controller = if dice.chance(10) { dice.pick(&self.users)? } else { caller };
        Some(Op::RequestRedeem { caller, pool: pool.address, layer, shares, controller })
    }

    fn recover(&self, dice: &mut Dice<'_>, pool: &Pool, caller: Address) -> Option<Op> {
        let layer = layer(dice);
        let incidents: Vec<u64> = pool.tranche(layer).recoveries.shares.keys().copied().collect();
        let incident = dice.pick(&incidents)?;
        let account = if dice.chance(15) { pool.config.curator } else { dice.pick(&self.users)? };
        let pool_address = pool.address;
        if dice.chance(60) {
            return Some(Op::ClaimRecovery { caller, pool: pool_address, layer, incident, account });
        }
        let tranche = pool.tranche(layer);
        let requests: Vec<(u64, Address)> = tranche
            .cohorts
            .iter()
            .flat_map(|(id, cohort)| cohort.requests.keys().map(|controller| (*id, *controller)))
            .chain(
                tranche
                    .deposits
                    .iter()
                    .flat_map(|(id, deposits)| deposits.requests.keys().map(|account| (*id, *account))),
            )
            .collect();
        let (request_id, controller) = dice.pick(&requests)?;
        Some(Op::ClaimQueuedRecovery { caller, pool: pool_address, layer, incident, request_id, controller })
    }

    fn refuse(&self, dice: &mut Dice<'_>, pool: &Pool) -> Option<Op> {
        if !self.refusals {
            return None;
        }
        // A treaty whose asset does not move must stop no claim either.
        let ceding: Vec<Address> = pool.ceding.line.clone();
        let treaty = dice.pick(&ceding).filter(|_| dice.chance(25));
        let account = treaty.or(dice.pick(&self.users))?;
        Some(Op::Refuse { asset: pool.config.asset, account, refused: dice.chance(25) })
    }

    fn transfer_shares(&self, dice: &mut Dice<'_>, pool: &Pool) -> Option<Op> {
        let layer = layer(dice);
        let caller = if dice.chance(20) { pool.config.curator } else { dice.pick(&self.users)? };
        let shares = dice.part_of_shares(pool.tranche(layer).balance(caller));
        Some(Op::TransferShares { caller, pool: pool.address, layer, to: dice.pick(&self.users)?, shares })
    }
}

/// A block, an hour, a day, weeks; small steps while something dwells.
fn pass(dice: &mut Dice<'_>, world: &World, clock: Clock) -> Op {
    if let Some(incident) = dwelling(world, clock)
        && dice.chance(95)
    {
        let left = incident.dwell_end.0.saturating_sub(clock.block.0);
        let blocks = if dice.chance(15) { left + 1 } else { 1 + dice.below(6) };
        return Op::Pass { seconds: blocks * SLOT, blocks };
    }
    let seconds = match dice.below(10) {
        0..=4 => SLOT,
        5..=6 => SLOT * (1 + dice.below(300)),
        7..=8 => 1 + dice.below(DAY),
        _ if dice.chance(80) => 1 + dice.below(4 * DAY),
        _ => 1 + dice.below(30 * DAY),
    };
    // Slots may be missed, so fewer blocks pass than fit.
    let blocks = (seconds / SLOT).max(1);
    Op::Pass { seconds, blocks: if dice.chance(20) { blocks.div_ceil(2) } else { blocks } }
}

/// A recent incident that can still be countered.
fn dwelling(world: &World, clock: Clock) -> Option<&Incident> {
    let recent = world.incidents.list.iter().rev().take(4);
    recent.into_iter().find(|found| found.status == Status::Dwelling && clock.block <= found.dwell_end)
}

fn settle(dice: &mut Dice<'_>, world: &World, caller: Address) -> Option<Op> {
    let count = world.incidents.list.len() as u64;
    let recent: Vec<u64> = (1..=count).rev().take(5).collect();
    let incident = dice.pick(&recent)?;
    let found = world.incidents.get(incident)?;
    let eager = dice.chance(85);
    let ids: Vec<u64> = (1..=world.policies.list.len() as u64)
        .filter(|id| {
            world.policies.get(*id).is_some_and(|holding| {
                let gauge = world.products.get(&holding.policy.product).map(|terms| terms.gauge);
                let policy = &holding.policy;
                let covered = policy.inception <= found.measured.onset_time
                    && found.measured.after_time <= policy.expiry;
                let before = holding.settlements.get(&incident).copied().unwrap_or_default();
                let hopeful = before.due > before.paid
                    || world.due_now(*id, incident).is_ok_and(|due| due > before.due);
                holding.owner.is_some() && covered && gauge == Some(found.gauge) && (hopeful || !eager)
            })
        })
        .collect();
    if dice.chance(40) {
        let count = usize::try_from(1 + dice.below(6)).unwrap_or(1);
        let batch: Vec<u64> = (0..count).filter_map(|_| dice.pick(&ids)).collect();
        return (!batch.is_empty()).then_some(Op::SettleBatch { caller, ids: batch, incident });
    }
    let id = dice.pick(&ids)?;
    Some(Op::Settle { caller, id, incident })
}

fn finalise(dice: &mut Dice<'_>, world: &World, clock: Clock, caller: Address) -> Option<Op> {
    let count = world.incidents.list.len() as u64;
    let due: Vec<u64> = (1..=count)
        .rev()
        .take(6)
        .filter(|id| {
            world.incidents.get(*id).is_some_and(|found| {
                let waits = matches!(found.status, Status::Dwelling | Status::Disputed);
                waits && (clock.block > found.dwell_end || id.is_multiple_of(7))
            })
        })
        .collect();
    Some(Op::Finalise { caller, id: dice.pick(&due)? })
}

fn close(dice: &mut Dice<'_>, world: &World, clock: Clock, caller: Address) -> Option<Op> {
    let open: Vec<(Address, u64)> = world
        .pools
        .values()
        .flat_map(|pool| {
            let open = pool.bookings.iter().filter(|(_, booking)| !booking.closed);
            open.map(|(incident, _)| (pool.address, *incident))
        })
        .filter(|(_, incident)| {
            world.incidents.get(*incident).is_some_and(|found| {
                found.status == Status::Final && (found.claims_end < clock.time || incident.is_multiple_of(5))
            })
        })
        .collect();
    let (pool, incident) = dice.pick(&open)?;
    Some(Op::CloseBooking { caller, pool, incident })
}

fn claim_deposit(dice: &mut Dice<'_>, pool: &Pool, caller: Address) -> Option<Op> {
    let layer = layer(dice);
    let open: Vec<(u64, Address)> = pool
        .tranche(layer)
        .deposits
        .iter()
        .flat_map(|(id, deposits)| {
            let open = deposits.requests.iter().filter(|(_, request)| request.claimed.is_none());
            open.map(|(controller, _)| (*id, *controller))
        })
        .collect();
    let (request_id, controller) = dice.pick(&open)?;
    Some(Op::ClaimDeposit { caller, pool: pool.address, layer, request_id, controller })
}

fn process(dice: &mut Dice<'_>, pool: &Pool, clock: Clock, caller: Address) -> Option<Op> {
    let epoch = clock.time.epoch(pool.config.epoch);
    let ready: Vec<usize> =
        (1..=3).filter(|layer| pool.tranche(*layer).payable_cohort(epoch).is_some()).collect();
    let chosen = if dice.chance(90) { dice.pick(&ready)? } else { layer(dice) };
    Some(Op::ProcessRedemptions { caller, pool: pool.address, layer: chosen })
}

fn claim_redeem(dice: &mut Dice<'_>, pool: &Pool, caller: Address) -> Option<Op> {
    let layer = layer(dice);
    let open: Vec<(u64, Address)> = pool
        .tranche(layer)
        .cohorts
        .iter()
        .flat_map(|(id, cohort)| cohort.requests.keys().map(|controller| (*id, *controller)))
        .collect();
    let (request_id, controller) = dice.pick(&open)?;
    Some(Op::ClaimRedeem { caller, pool: pool.address, layer, request_id, controller })
}

fn curate(dice: &mut Dice<'_>, pool: &Pool) -> Option<Op> {
    let (caller, address) = (pool.config.curator, pool.address);
    match dice.below(4) {
        0 => {
            let free = pool.tranche(1).balance(caller).saturating_sub(pool.locked);
            Some(Op::Lock { caller, pool: address, shares: dice.part_of_shares(free) })
        }
        1 => Some(Op::Unlock { caller, pool: address, shares: dice.part_of_shares(pool.locked) }),
        _ => {
            let products: Vec<B256> = pool.products.keys().copied().collect();
            let product = dice.pick(&products)?;
            let cap = dice.wide_below(900_000_000_000);
            let floor_rate = Wad::new(dice.below(WAD / 10));
            Some(Op::SetProduct { caller, pool: address, product, cap, floor_rate })
        }
    }
}

fn withdraw(dice: &mut Dice<'_>, pool: &Pool, caller: Address) -> Option<Op> {
    let accounts: Vec<Address> = pool.owed.keys().copied().collect();
    if let Some(account) = dice.pick(&accounts)
        && dice.chance(50)
    {
        return Some(Op::Refuse { asset: pool.config.asset, account, refused: false });
    }
    Some(Op::Withdraw { caller, pool: pool.address, account: dice.pick(&accounts)? })
}

fn layer(dice: &mut Dice<'_>) -> usize {
    1 + usize::try_from(dice.below(3)).unwrap_or(0)
}

/// A policy that lives, with its owner, sum and what was paid; recent ones more often.
fn some_policy(dice: &mut Dice<'_>, world: &World) -> Option<(u64, Address, u128, u128)> {
    let count = world.policies.list.len() as u64;
    let id = count - dice.below(count.min(60));
    let holding = world.policies.get(id)?;
    Some((id, holding.owner?, holding.policy.sum, holding.policy.paid))
}

/// An incident whose claims are open.
fn some_incident<'w>(dice: &mut Dice<'_>, world: &'w World, clock: Clock) -> Option<(u64, &'w Incident)> {
    let count = world.incidents.list.len() as u64;
    let open: Vec<u64> = (1..=count)
        .rev()
        .take(8)
        .filter(|id| {
            world.incidents.get(*id).is_some_and(|found| match found.status {
                Status::Dwelling | Status::Disputed => true,
                Status::Final => clock.time <= found.claims_end,
                _ => false,
            })
        })
        .collect();
    let id = dice.pick(&open)?;
    world.incidents.get(id).map(|found| (id, found))
}

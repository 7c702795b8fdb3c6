//! Policies: bought, moved, lowered and cancelled.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{BPS, Block, Bps, DAY, Time, U256Ext, mul_div_ceil, mul_div_floor};

use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::exposure::take;
use crate::holder;
use crate::refusal::Refusal;
use crate::sale::Reduction;
use crate::terms::{Kind, Product};
use crate::world::World;

/// Premium for at least this long is earned, whatever happens to the policy.
pub const MIN_EARNED: u64 = 7 * DAY;

/// Most that a distributor gets of a premium, on top of it.
pub const MOST_FEE: Bps = Bps::new(2_000);

/// A policy as the contracts show it. Amounts are pool units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Its terms.
    pub product: B256,
    /// Who pays.
    pub pool: Address,
    /// The account whose loss is covered; never the owner of the token.
    pub position: Address,
    /// Sum insured.
    pub sum: u128,
    /// Over all incidents, at most the sum.
    pub paid: u128,
    /// When it was bought.
    pub purchased: Time,
    /// When cover begins.
    pub inception: Time,
    /// When cover ends; a day boundary.
    pub expiry: Time,
    /// Pool units · 1e18 per second still streaming.
    pub stream_rate: U256,
}

/// A policy with all that hangs on its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The policy.
    pub policy: Policy,
    /// Who owns the token; none: it was burned.
    pub owner: Option<Address>,
    /// Block in which it was split off; zero: it was bought.
    pub since: Block,
    /// Sum of what is due over all incidents.
    pub due: u128,
    /// By incident.
    pub settlements: BTreeMap<u64, Settlement>,
}

/// What one policy was settled for in one incident, pool units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Never falls.
    pub due: u128,
    /// At most due.
    pub paid: u128,
}

/// What a buyer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// The terms.
    pub product: B256,
    /// Who is to pay.
    pub pool: Address,
    /// The account whose loss is covered.
    pub position: Address,
    /// Sum insured, pool units.
    pub sum: u128,
    /// When cover ends.
    pub expiry: Time,
    /// Most that the buyer pays.
    pub max_premium: U256,
    /// Until when the purchase may be executed, inclusive.
    pub deadline: Time,
    /// Who receives the token.
    pub to: Address,
    /// Whether the position account has signed; not needed where it calls.
    pub consented: bool,
    /// Who gets the fee; anyone where there is none.
    pub distributor: Address,
    /// Of the premium, on top of it.
    pub fee: Bps,
}

/// All policies; id n is at n − 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// In the order of their purchase.
    pub list: Vec<Holding>,
}

impl Policies {
    /// The policy of an id, burned or not.
    pub fn get(&self, id: u64) -> Option<&Holding> {
        self.list.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Result<&mut Holding, Refusal> {
        let index = id.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.list.get_mut(index)).ok_or(Refusal::ERC721NonexistentToken { id })
    }

    /// A policy that is not burned, and its owner.
    ///
    /// # Errors
    /// [`Refusal::ERC721NonexistentToken`].
    pub fn owned(&self, id: u64) -> Result<(&Holding, Address), Refusal> {
        let holding = self.get(id).ok_or(Refusal::ERC721NonexistentToken { id })?;
        let owner = holding.owner.ok_or(Refusal::ERC721NonexistentToken { id })?;
        Ok((holding, owner))
    }
}

impl World {
    /// `buy`: answers the policy's id.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Policies and Pool.
    pub fn buy(&mut self, context: Context, purchase: Purchase) -> Result<Effects<u64>, Refusal> {
        self.transact(context, |world, cx| world.buy_policy(cx, purchase))
    }

    /// `lower`: gives part of the sum up; answers the refund.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Policies.
    pub fn lower(&mut self, context: Context, id: u64, new_sum: u128) -> Result<Effects<u128>, Refusal> {
        self.transact(context, |world, cx| world.lower_policy(cx, id, new_sum))
    }

    /// `cancel`: gives the policy up and burns it; answers the refund.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Policies.
    pub fn cancel(&mut self, context: Context, id: u64) -> Result<Effects<u128>, Refusal> {
        self.transact(context, |world, cx| world.cancel_policy(cx, id))
    }

    /// `split`: makes two policies of one; answers the new one's id.
    ///
    /// # Errors
    /// See docs/design.md, "Errors", Policies.
    pub fn split(
        &mut self,
        context: Context,
        id: u64,
        sum_off: u128,
        to: Address,
    ) -> Result<Effects<u64>, Refusal> {
        self.transact(context, |world, cx| {
            let holding = world.editable(cx, id)?;
            let (policy, due) = (holding.policy, holding.due);
            let minimum = world.terms_of(&policy)?.min_sum;
            let (_, part) = holder::split(&policy, due, sum_off, minimum)?;
            if to.is_zero() {
                return Err(Refusal::ZeroAddress);
            }
            let new_id = world.apply_split(id, part, cx.block)?;
            cx.emit(world.terms.policies, Event::SplitOff { id, new_id, policy: part });
            world.move_policy(cx, new_id, Some(to))?;
            Ok(new_id)
        })
    }

    /// The new policy takes its sum and its part of the stream; the old one keeps all else.
    pub(crate) fn apply_split(&mut self, id: u64, part: Policy, block: Block) -> Result<u64, Refusal> {
        let old = &mut self.policies.get_mut(id)?.policy;
        (old.sum, old.stream_rate) = (take(old.sum, part.sum)?, old.stream_rate.minus(part.stream_rate)?);
        let new_id = self.add_policy(part);
        self.policies.get_mut(new_id)?.since = block;
        Ok(new_id)
    }

    /// `transferFrom` by the owner.
    ///
    /// # Errors
    /// [`Refusal::ERC721NonexistentToken`], [`Refusal::NotHolder`], [`Refusal::ZeroAddress`].
    pub fn transfer_policy(&mut self, context: Context, id: u64, to: Address) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let (_, owner) = world.policies.owned(id)?;
            if owner != cx.caller {
                return Err(Refusal::NotHolder { id, caller: cx.caller });
            }
            if to.is_zero() {
                return Err(Refusal::ZeroAddress);
            }
            world.move_policy(cx, id, Some(to))
        })
    }

    fn buy_policy(&mut self, cx: &mut Cx, purchase: Purchase) -> Result<u64, Refusal> {
        let terms = self.check_purchase(cx, &purchase)?.clone();
        let Purchase { product, pool: address, position, sum, expiry, .. } = purchase;
        let inception = cx.time.plus(terms.waiting_period);
        let pool = self.pools.get_mut(&address).ok_or(Refusal::NotAPool { pool: address })?;
        pool.accrue(cx)?;
        let premium = pool.quote(&self.market, product, &terms, cx.time, sum, inception, expiry)?;
        let fee = mul_div_floor(premium, purchase.fee.wide(), U256::from(BPS))?;
        let cost = premium.plus(fee)?;
        if cost > purchase.max_premium {
            return Err(Refusal::PremiumAbove { premium: cost, maximum: purchase.max_premium });
        }
        self.ledger.transfer(terms.asset, cx.caller, address, premium)?;
        let stream_rate = pool.sell(cx, &self.market, product, &terms, sum, inception, expiry, premium)?;
        let policy = Policy {
            product,
            pool: address,
            position,
            sum,
            paid: 0,
            purchased: cx.time,
            inception,
            expiry,
            stream_rate,
        };
        let id = self.add_policy(policy);
        cx.emit(self.terms.policies, Event::Bought { id, policy, premium });
        if !fee.is_zero() {
            let distributor = purchase.distributor;
            cx.emit(self.terms.policies, Event::Distributed { id, distributor, fee });
            self.ledger.transfer(terms.asset, cx.caller, distributor, fee)?;
        }
        self.move_policy(cx, id, Some(purchase.to))?;
        Ok(id)
    }

    pub(crate) fn add_policy(&mut self, policy: Policy) -> u64 {
        let (owner, since, settlements) = (None, Block(0), BTreeMap::new());
        self.policies.list.push(Holding { policy, owner, since, due: 0, settlements });
        self.policies.list.len() as u64
    }

    fn check_purchase(&self, cx: &Cx, purchase: &Purchase) -> Result<&Product, Refusal> {
        let Purchase { deadline, position, sum, .. } = *purchase;
        if cx.time > deadline {
            return Err(Refusal::DeadlinePassed { deadline, time: cx.time });
        }
        if position.is_zero() || purchase.to.is_zero() {
            return Err(Refusal::ZeroAddress);
        }
        if purchase.fee > MOST_FEE {
            return Err(Refusal::FeeTooHigh { most: MOST_FEE.get(), got: purchase.fee.get() });
        }
        if purchase.fee.get() != 0 && purchase.distributor.is_zero() {
            return Err(Refusal::ZeroAddress);
        }
        let pool = self.pools.get(&purchase.pool).ok_or(Refusal::NotAPool { pool: purchase.pool })?;
        let product = purchase.product;
        let terms = self.products.get(&product).ok_or(Refusal::UnknownProduct { product })?;
        if terms.kind == Kind::Protocol && position != terms.registrant {
            return Err(Refusal::NotRegistrant { expected: terms.registrant, got: position });
        }
        if sum < terms.min_sum {
            return Err(Refusal::SumBelowMinimum { sum, minimum: terms.min_sum });
        }
        if position != cx.caller && !purchase.consented {
            return Err(Refusal::NoConsent { position });
        }
        if pool.config.asset != terms.asset {
            return Err(Refusal::WrongAsset { expected: terms.asset, got: pool.config.asset });
        }
        Ok(terms)
    }

    fn lower_policy(&mut self, cx: &mut Cx, id: u64, new_sum: u128) -> Result<u128, Refusal> {
        let holding = self.editable(cx, id)?;
        let (policy, due) = (holding.policy, holding.due);
        let terms = self.terms_of(&policy)?.clone();
        if new_sum >= policy.sum {
            return Err(Refusal::NotLower { new_sum, sum: policy.sum });
        }
        let left = new_sum.saturating_sub(due);
        // A claim that is not paid yet may stand alone; cover that may still pay must be worth a settlement.
        let alone = new_sum == due && due > policy.paid;
        if left < terms.min_sum && !alone {
            return Err(Refusal::SumBelowMinimum { sum: left, minimum: terms.min_sum });
        }
        let kept = kept_rate(&policy, due, new_sum)?;
        let reduction = Reduction {
            sum: policy.sum - new_sum,
            stream_rate: policy.stream_rate.minus(kept)?,
            expiry: policy.expiry,
            refund_from: self.refund_from(cx, &policy, &terms),
            unpaid: take(policy.sum, due)?,
            whole: policy.sum,
            to: cx.caller,
        };
        self.apply_sum(id, new_sum, kept)?;
        let refund = self.reduce_policy(cx, &policy, &terms, &reduction)?;
        cx.emit(self.terms.policies, Event::Lowered { id, sum: new_sum, refund });
        Ok(refund)
    }

    fn cancel_policy(&mut self, cx: &mut Cx, id: u64) -> Result<u128, Refusal> {
        let holding = self.editable(cx, id)?;
        let (policy, due) = (holding.policy, holding.due);
        let terms = self.terms_of(&policy)?.clone();
        if due > policy.paid {
            return Err(Refusal::StillOwed { id, due, paid: policy.paid });
        }
        let unpaid = take(policy.sum, policy.paid)?;
        let reduction = Reduction {
            sum: unpaid,
            stream_rate: policy.stream_rate,
            expiry: policy.expiry,
            refund_from: self.refund_from(cx, &policy, &terms),
            unpaid,
            whole: policy.sum,
            to: cx.caller,
        };
        self.apply_sum(id, policy.paid, U256::ZERO)?;
        self.move_policy(cx, id, None)?;
        let refund = self.reduce_policy(cx, &policy, &terms, &reduction)?;
        cx.emit(self.terms.policies, Event::Cancelled { id, refund });
        Ok(refund)
    }

    /// The policy, if its holder may edit it now.
    fn editable(&self, cx: &Cx, id: u64) -> Result<&Holding, Refusal> {
        let (holding, owner) = self.policies.owned(id)?;
        let Policy { inception, expiry, .. } = holding.policy;
        if owner != cx.caller {
            return Err(Refusal::NotHolder { id, caller: cx.caller });
        }
        if cx.time < inception {
            return Err(Refusal::NotIncepted { id, inception });
        }
        if cx.time >= expiry {
            return Err(Refusal::Expired { id, expiry });
        }
        let gauge = self.terms_of(&holding.policy)?.gauge;
        if self.incidents.touched(&gauge, inception, expiry, cx.time) {
            return Err(Refusal::Frozen { id });
        }
        Ok(holding)
    }

    pub(crate) fn terms_of(&self, policy: &Policy) -> Result<&Product, Refusal> {
        let product = policy.product;
        self.products.get(&product).ok_or(Refusal::UnknownProduct { product })
    }

    fn refund_from(&self, cx: &Cx, policy: &Policy, terms: &Product) -> Time {
        let closed = self.pools.get(&policy.pool).is_some_and(|pool| pool.closed_at.is_some());
        let least = policy.purchased.plus(terms.waiting_period.max(MIN_EARNED));
        if closed { cx.time } else { cx.time.max(least) }
    }

    fn reduce_policy(
        &mut self,
        cx: &mut Cx,
        policy: &Policy,
        terms: &Product,
        reduction: &Reduction,
    ) -> Result<u128, Refusal> {
        let pool = self.pools.get_mut(&policy.pool).ok_or(Refusal::NotAPool { pool: policy.pool })?;
        pool.accrue(cx)?;
        pool.reduce(cx, &mut self.ledger, policy.product, terms, reduction)
    }

    pub(crate) fn apply_sum(&mut self, id: u64, sum: u128, stream_rate: U256) -> Result<(), Refusal> {
        let policy = &mut self.policies.get_mut(id)?.policy;
        (policy.sum, policy.stream_rate) = (sum, stream_rate);
        Ok(())
    }

    fn move_policy(&mut self, cx: &mut Cx, id: u64, to: Option<Address>) -> Result<(), Refusal> {
        let holding = self.policies.get_mut(id)?;
        let from = std::mem::replace(&mut holding.owner, to).unwrap_or_default();
        let to = to.unwrap_or_default();
        cx.emit(self.terms.policies, Event::PolicyTransfer { from, to, id });
        Ok(())
    }
}

/// ceil(rate · (new sum − due) / (sum − due)): what still streams after a lowering.
///
/// # Errors
/// Division by zero where the whole sum is due, which a lowering is refused for.
pub fn kept_rate(policy: &Policy, due: u128, new_sum: u128) -> Result<U256, Refusal> {
    let left = U256::from(new_sum.saturating_sub(due));
    Ok(mul_div_ceil(policy.stream_rate, left, U256::from(take(policy.sum, due)?))?)
}

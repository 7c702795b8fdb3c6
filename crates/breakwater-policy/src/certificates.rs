//! Who may sell how much, and at which rate at least: certificates of pools, posted rates and clusters.
//!
//! Signatures are the chain's business: what comes here was signed by its committee.
//! docs/capital.md, "Capacity certificates", "Rates" and "Clusters", is the text.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{BPS, Bps, DAY, MathError, Time};

use crate::context::{Context, Cx, Effects};
use crate::events::Event;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::underwriting::{Limit, MAX_CREDIT_BPS, floor_rate, rate_at};
use crate::world::World;

/// Seconds that a message may be good for.
pub const VALIDITY_MAX: u64 = 30 * DAY;

/// A certificate that its committee signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose limits it sets.
    pub pool: Address,
    /// Of capital, bps.
    pub leverage: u32,
    /// Caps by product, strictly ascending, pool units.
    pub products: Vec<(B256, u128)>,
    /// Caps by cluster, strictly ascending, pool units.
    pub clusters: Vec<(B256, u128)>,
    /// Of the committee's certificates, ascending.
    pub nonce: u64,
    /// First second at which it may be taken.
    pub valid_from: Time,
    /// Last second at which it is good.
    pub valid_until: Time,
}

/// A rate that its committee signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Whose rate it is.
    pub product: B256,
    /// Wad a year.
    pub floor_rate: u64,
    /// Of the committee's postings, ascending.
    pub nonce: u64,
    /// First second at which it may be taken.
    pub valid_from: Time,
    /// Last second at which it is good.
    pub valid_until: Time,
}

/// A cap and which certificate of the pool named it last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capped {
    limit: Limit,
    serial: u64,
}

/// What was certified of one pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Last second at which the last one is good.
    pub valid_until: Time,
    serial: u64,
    leverage: Limit,
    products: BTreeMap<B256, Capped>,
    clusters: BTreeMap<B256, Capped>,
}

/// The posted rate of a product.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Wad a year at `start`.
    pub from: u64,
    /// Where it moves.
    pub target: u64,
    /// When it was posted last; none: never.
    pub start: Option<Time>,
    /// Last second at which it is good.
    pub valid_until: Time,
    /// Part of itself that governance adds, bps.
    pub credit: i64,
}

/// What committees and governance say for all pools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Market {
    /// By product.
    pub rates: BTreeMap<B256, Rate>,
    /// By product or vault, for ever.
    pub clusters: BTreeMap<B256, B256>,
    /// Last nonces that were taken: of certificates, of postings.
    pub nonces: [u64; 2],
}

/// What may be sold of a product in a pool, and at which rate at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bps, not zero.
    pub leverage: Bps,
    /// Pool units.
    pub cap: u128,
    /// Wad a year.
    pub floor_rate: u64,
    /// The product's cluster and the most that the pool may have in it, where certificates bind the pool.
    pub cluster: Option<(B256, u128)>,
}

impl Certificates {
    /// The leverage in force, bps; none if there never was a certificate.
    ///
    /// # Errors
    /// None for times of 64 bits.
    pub fn leverage_at(&self, now: Time) -> Result<Option<u128>, MathError> {
        if self.serial == 0 { Ok(None) } else { self.leverage.at(now.0).map(Some) }
    }

    /// The cap of a product in force, pool units.
    ///
    /// # Errors
    /// None for times of 64 bits.
    pub fn product_at(&self, product: &B256, now: Time) -> Result<u128, MathError> {
        self.cap_at(self.products.get(product), now)
    }

    /// The cap of a cluster in force, pool units.
    ///
    /// # Errors
    /// None for times of 64 bits.
    pub fn cluster_at(&self, cluster: &B256, now: Time) -> Result<u128, MathError> {
        self.cap_at(self.clusters.get(cluster), now)
    }

    /// A limit that the last certificate left out is none.
    fn cap_at(&self, capped: Option<&Capped>, now: Time) -> Result<u128, MathError> {
        capped.filter(|capped| capped.serial == self.serial).map_or(Ok(0), |capped| capped.limit.at(now.0))
    }

    /// Takes a certificate at `now`.
    pub(crate) fn take(&mut self, certificate: &Certificate, now: Time) -> Result<(), Refusal> {
        let before = self.serial;
        self.leverage = self.leverage.set(certificate.leverage.into(), true, now.0)?;
        (self.serial, self.valid_until) = (before + 1, certificate.valid_until);
        set_caps(&mut self.products, &certificate.products, before, now)?;
        set_caps(&mut self.clusters, &certificate.clusters, before, now)
    }
}

fn set_caps(
    all: &mut BTreeMap<B256, Capped>,
    caps: &[(B256, u128)],
    before: u64,
    now: Time,
) -> Result<(), Refusal> {
    let mut previous = B256::ZERO;
    for (id, cap) in caps {
        if *id <= previous {
            return Err(Refusal::CapsNotAscending { previous, next: *id });
        }
        previous = *id;
        let capped = all.entry(*id).or_default();
        let named = before != 0 && capped.serial == before;
        *capped = Capped { limit: capped.limit.set(*cap, named, now.0)?, serial: before + 1 };
    }
    Ok(())
}

impl Rate {
    /// With credit, rounded up, wad a year, and whether it is up to date.
    ///
    /// # Errors
    /// None for rates and times of 64 bits.
    pub fn at(&self, now: Time) -> Result<(u64, bool), MathError> {
        let Some(start) = self.start else { return Ok((0, false)) };
        let posted = rate_at(self.from, self.target, start.0, now.0)?;
        Ok((floor_rate(posted, self.credit, 0)?, now <= self.valid_until))
    }

    /// Takes a posting at `now`.
    pub(crate) fn take(&mut self, posting: &Posting, now: Time) -> Result<(), Refusal> {
        if let Some(start) = self.start.filter(|start| now < start.plus(DAY)) {
            let (product, least) = (posting.product, start.plus(DAY));
            return Err(Refusal::PostedTooSoon { product, least, time: now });
        }
        self.from = match self.start {
            None => posting.floor_rate,
            Some(start) => rate_at(self.from, self.target, start.0, now.0)?,
        };
        (self.target, self.start, self.valid_until) = (posting.floor_rate, Some(now), posting.valid_until);
        Ok(())
    }
}

impl World {
    /// `setCluster`, by whoever may.
    ///
    /// # Errors
    /// [`Refusal::ZeroCluster`], [`Refusal::ClusterIsSet`].
    pub fn set_cluster(&mut self, context: Context, id: B256, cluster: B256) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            if cluster.is_zero() {
                return Err(Refusal::ZeroCluster { id });
            }
            if let Some(known) = world.market.clusters.get(&id) {
                return Err(Refusal::ClusterIsSet { id, cluster: *known });
            }
            world.market.clusters.insert(id, cluster);
            cx.emit(world.terms.underwriting, Event::ClusterSet { id, cluster });
            Ok(())
        })
    }

    /// `setCredit`, by whoever may.
    ///
    /// # Errors
    /// [`Refusal::CreditOutOfRange`].
    pub fn set_credit(&mut self, context: Context, product: B256, bps: i64) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            if bps.abs() > MAX_CREDIT_BPS {
                return Err(Refusal::CreditOutOfRange { most: MAX_CREDIT_BPS, got: bps });
            }
            world.market.rates.entry(product).or_default().credit = bps;
            cx.emit(world.terms.underwriting, Event::CreditSet { product, bps });
            Ok(())
        })
    }

    /// `certify`: takes what the committee signed.
    ///
    /// # Errors
    /// See docs/capital.md, "Contracts, roles and errors of these sections".
    pub fn certify(&mut self, context: Context, certificate: Certificate) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let Certificate { pool, nonce, valid_from, valid_until, .. } = certificate;
            world.market.take_nonce(cx, 0, nonce, valid_from, valid_until)?;
            let found = world.pools.get_mut(&pool).ok_or(Refusal::ZeroAddress)?;
            found.certificates.take(&certificate, cx.time)?;
            cx.emit(world.terms.underwriting, Event::Certified { pool, certificate });
            Ok(())
        })
    }

    /// `post`: takes the rate that the committee signed.
    ///
    /// # Errors
    /// See docs/capital.md, "Contracts, roles and errors of these sections".
    pub fn post(&mut self, context: Context, posting: Posting) -> Result<Effects, Refusal> {
        self.transact(context, |world, cx| {
            let Posting { product, nonce, valid_from, valid_until, .. } = posting;
            world.market.take_nonce(cx, 1, nonce, valid_from, valid_until)?;
            world.market.rates.entry(product).or_default().take(&posting, cx.time)?;
            cx.emit(world.terms.underwriting, Event::Posted { product, posting });
            Ok(())
        })
    }
}

impl Market {
    fn take_nonce(
        &mut self,
        cx: &Cx,
        duty: usize,
        nonce: u64,
        valid_from: Time,
        valid_until: Time,
    ) -> Result<(), Refusal> {
        let (time, most) = (cx.time, cx.time.plus(VALIDITY_MAX));
        if valid_until > most {
            return Err(Refusal::ValidTooLong { most, valid_until });
        }
        if time < valid_from {
            return Err(Refusal::NotYetValid { valid_from, time });
        }
        if time > valid_until {
            return Err(Refusal::NoLongerValid { valid_until, time });
        }
        let last = self.nonces[duty];
        if nonce <= last {
            return Err(Refusal::NonceUsed { least: last + 1, got: nonce });
        }
        self.nonces[duty] = nonce;
        Ok(())
    }
}

impl Pool {
    /// What may be sold of a product now.
    ///
    /// # Errors
    /// [`Refusal::UnknownProduct`], [`Refusal::NotEffective`], [`Refusal::NotCertified`].
    pub fn limits(&self, market: &Market, product: B256, now: Time) -> Result<Limits, Refusal> {
        let book = self.products.get(&product).ok_or(Refusal::UnknownProduct { product })?;
        let setting = book.setting(now);
        if !setting.live {
            let effective_at = book.pending.map_or(Time(0), |pending| pending.at);
            return Err(Refusal::NotEffective { product, effective_at });
        }
        let plain = Limits {
            leverage: self.config.leverage,
            cap: setting.cap,
            floor_rate: setting.floor_rate.get(),
            cluster: None,
        };
        if !self.config.certified {
            return Ok(plain);
        }
        let certificates = &self.certificates;
        let cluster = market.clusters.get(&product).copied();
        let leverage = certificates.leverage_at(now)?.unwrap_or_default();
        let (rate, fresh) = market.rates.get(&product).copied().unwrap_or_default().at(now)?;
        let good = fresh && now <= certificates.valid_until && leverage != 0;
        let Some(cluster) = cluster.filter(|_| good) else {
            return Err(Refusal::NotCertified { id: product });
        };
        // Leverage has 32 bits.
        let leverage = u32::try_from(leverage).unwrap_or(u32::MAX);
        Ok(Limits {
            leverage: plain.leverage.min(Bps::new(leverage)),
            cap: plain.cap.min(certificates.product_at(&product, now)?),
            floor_rate: plain.floor_rate.max(rate),
            cluster: Some((cluster, certificates.cluster_at(&cluster, now)?)),
        })
    }

    /// What the pool has in a cluster at `now`, pool units.
    pub fn in_cluster(&self, cluster: &B256, now: Time) -> u128 {
        self.clusters.get(cluster).map_or(0, |parts| parts.at(now))
    }

    /// The leverage that exits leave behind, bps: at most one unit of capital for each of exposure is demanded.
    pub(crate) fn exit_leverage(&self, now: Time) -> Result<U256, MathError> {
        let own = self.config.leverage.wide();
        if !self.config.certified {
            return Ok(own);
        }
        let certified = self.certificates.leverage_at(now)?.map_or(U256::MAX, U256::from);
        Ok(own.min(certified.max(U256::from(BPS))))
    }
}

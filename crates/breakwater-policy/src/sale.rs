//! Selling exposure and taking it back.

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{MathError, Time, U256Ext, WAD, Wad, mul_div_floor};

use crate::certificates::{Limits, Market};
use crate::context::Cx;
use crate::events::Event;
use crate::exposure::{add, take};
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::price::{Curve, base_rate, premium};
use crate::refusal::Refusal;
use crate::terms::Product;

/// What a policy gives up when its holder lowers or cancels it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduction {
    /// Taken off the exposure, pool units.
    pub sum: u128,
    /// Cut off the stream, pool units · 1e18 per second.
    pub stream_rate: U256,
    /// Of the policy.
    pub expiry: Time,
    /// What streams from here on is given back.
    pub refund_from: Time,
    /// Of `whole`, not due for any incident.
    pub unpaid: u128,
    /// The policy's sum before.
    pub whole: u128,
    /// Who gets the refund.
    pub to: Address,
}

impl Pool {
    /// Premium for `sum` more of a product, rounded up, as of the last accrual and with surge, settings and product
    /// exposure of `now`.
    ///
    /// # Errors
    /// Everything that a sale is refused for, in the contracts' order.
    #[allow(clippy::too_many_arguments, reason = "the arguments of one entry point")]
    pub fn quote(
        &self,
        market: &Market,
        product: B256,
        terms: &Product,
        now: Time,
        sum: u128,
        inception: Time,
        expiry: Time,
    ) -> Result<U256, Refusal> {
        if let Some(closed_at) = self.closed_at {
            return Err(Refusal::PoolIsClosed { closed_at });
        }
        let Limits { leverage, cap, floor_rate, cluster } = self.limits(market, product, now)?;
        let book = self.products.get(&product).ok_or(Refusal::UnknownProduct { product })?;
        check_term(terms, now, inception, expiry)?;
        let wanted = add(book.exposure_at(now), sum)?;
        if wanted > cap {
            return Err(Refusal::CapExceeded { product, wanted, cap });
        }
        if let Some((cluster, cap)) = cluster {
            let wanted = add(self.in_cluster(&cluster, now), sum)?;
            if wanted > cap {
                return Err(Refusal::ClusterExceeded { cluster, wanted, cap });
            }
        }
        let curve = Curve::levered(&self.config, leverage, self.capital()?)?;
        let wanted = add(self.exposure, sum)?;
        if wanted > curve.capacity {
            return Err(Refusal::CapacityExceeded { wanted, capacity: curve.capacity });
        }
        let base = base_rate(Wad::new(floor_rate), self.config.cost_of_capital, leverage)?;
        let surge = self.surge.now(now, self.config.surge_half_life);
        Ok(premium(&curve, self.exposure, sum, base, surge, expiry.since(inception))?)
    }

    /// `sell`: the premium has been paid in. Answers the policy's stream rate.
    #[allow(clippy::too_many_arguments, reason = "the arguments of one entry point")]
    pub(crate) fn sell(
        &mut self,
        cx: &mut Cx,
        market: &Market,
        product: B256,
        terms: &Product,
        sum: u128,
        inception: Time,
        expiry: Time,
        premium: U256,
    ) -> Result<U256, Refusal> {
        let cluster = market.clusters.get(&product).copied();
        let (rate, fee) =
            self.sold(product, cluster, terms.report_window, cx.time, sum, inception, expiry, premium)?;
        self.tell_fee(cx, fee);
        let exposure = self.exposure;
        cx.emit(self.address, Event::Sold { product, sum, premium, inception, expiry, exposure });
        Ok(rate)
    }

    /// The book-keeping of a sale; answers the stream rate and the curator's fee.
    #[allow(clippy::too_many_arguments, reason = "the fields of one event")]
    pub(crate) fn sold(
        &mut self,
        product: B256,
        cluster: Option<B256>,
        window: u64,
        now: Time,
        sum: u128,
        inception: Time,
        expiry: Time,
        premium: U256,
    ) -> Result<(U256, u128), Refusal> {
        let rate = stream_rate(premium, now, expiry)?;
        let book = self.products.get_mut(&product).ok_or(Refusal::UnknownProduct { product })?;
        book.sell(sum, inception, expiry, window)?;
        if let Some(cluster) = cluster.filter(|_| self.config.certified) {
            book.cluster = Some(cluster);
            self.clusters.entry(cluster).or_default().add(sum, expiry.plus(window).day(), now)?;
        }
        self.exposure = add(self.exposure, sum)?;
        let grown = self.stream.add(rate, expiry)?;
        let fee = self.earn(now, premium.minus(U256::from(grown))?.to_u128()?)?;
        Ok((rate, fee))
    }

    /// `reduce`: takes exposure and stream back and sends the refund.
    pub(crate) fn reduce(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        product: B256,
        terms: &Product,
        reduction: &Reduction,
    ) -> Result<u128, Refusal> {
        let Reduction { sum, stream_rate, expiry, .. } = *reduction;
        let refund = refund(reduction)?;
        let (exposure, fee) =
            self.reduced(product, terms.report_window, cx.time, sum, stream_rate, expiry, refund)?;
        self.tell_fee(cx, fee);
        cx.emit(self.address, Event::ExposureReduced { product, sum, stream_rate, expiry, refund, exposure });
        self.send(cx, ledger, reduction.to, refund)?;
        Ok(refund)
    }

    /// The book-keeping of a reduction; answers the exposure left and the curator's fee.
    #[allow(clippy::too_many_arguments, reason = "the fields of one event")]
    pub(crate) fn reduced(
        &mut self,
        product: B256,
        window: u64,
        now: Time,
        sum: u128,
        stream_rate: U256,
        expiry: Time,
        refund: u128,
    ) -> Result<(u128, u128), Refusal> {
        let book = self.products.get_mut(&product).ok_or(Refusal::UnknownProduct { product })?;
        let counted = book.reduce(sum, now, expiry, window)?;
        self.exposure = take(self.exposure, counted)?;
        if let Some(parts) = book.cluster.and_then(|cluster| self.clusters.get_mut(&cluster))
            && counted > 0
        {
            parts.remove(counted, expiry.plus(window).day(), now)?;
        }
        let fallen = self.stream.cut(stream_rate, expiry)?;
        let fee = self.earn(now, take(fallen, refund)?)?;
        Ok((self.exposure, fee))
    }
}

/// floor(premium · 1e18 / (expiry − now)): what a policy streams per second, pool units · 1e18.
///
/// # Errors
/// Division by zero where the expiry is now.
pub fn stream_rate(premium: U256, now: Time, expiry: Time) -> Result<U256, MathError> {
    mul_div_floor(premium, U256::from(WAD), U256::from(expiry.since(now)))
}

/// What goes back: the cut stream from `refund_from` on, less the part that paid claims have used up.
///
/// # Errors
/// Overflow beyond 128 bits.
pub fn refund(reduction: &Reduction) -> Result<u128, MathError> {
    let seconds = U256::from(reduction.expiry.since(reduction.refund_from));
    if reduction.whole == 0 {
        return Ok(0);
    }
    let streamed = mul_div_floor(reduction.stream_rate, seconds, U256::from(WAD))?;
    mul_div_floor(streamed, U256::from(reduction.unpaid), U256::from(reduction.whole))?.to_u128()
}

fn check_term(terms: &Product, now: Time, inception: Time, expiry: Time) -> Result<(), Refusal> {
    if !expiry.is_day_boundary() {
        return Err(Refusal::BadExpiry { expiry });
    }
    let term = expiry.since(inception);
    if term < terms.min_term || term > terms.max_term {
        return Err(Refusal::TermOutOfRange { term, least: terms.min_term, most: terms.max_term });
    }
    let expected = now.plus(terms.waiting_period);
    if inception != expected {
        return Err(Refusal::WrongInception { expected, got: inception });
    }
    Ok(())
}

//! Words of certificates, rates and clusters.

use std::collections::BTreeSet;

use alloy_primitives::{B256, U256};
use breakwater_primitives::Time;

use super::{Part, n};
use crate::certificates::Market;
use crate::pool::Pool;

impl Market {
    pub(super) fn add_parts(&self, parts: &mut BTreeSet<Part>) {
        parts.extend(self.rates.keys().chain(self.clusters.keys()).map(|product| Part::Rate(*product)));
    }

    pub(super) fn add_words(&self, product: B256, time: Time, word: &mut impl FnMut(&str, U256)) {
        let rate = self.rates.get(&product).copied().unwrap_or_default();
        // Rates and times of 64 bits never fail.
        let (floor, fresh) = rate.at(time).unwrap_or_default();
        word("floor", n(floor));
        word("fresh", n(u64::from(fresh)));
        // Its two's complement, as the chain has it.
        let credit = U256::from(rate.credit.unsigned_abs());
        word("credit", if rate.credit < 0 { credit.wrapping_neg() } else { credit });
        word("cluster", self.clusters.get(&product).copied().unwrap_or_default().into());
    }
}

impl Pool {
    /// What is certified of the pool at `time`; nothing of one that never had a certificate.
    pub(super) fn add_certified(&self, market: &Market, time: Time, word: &mut impl FnMut(&str, U256)) {
        let certificates = &self.certificates;
        let Some(leverage) = certificates.leverage_at(time).unwrap_or_default() else { return };
        word("leverage", n(leverage));
        word("validUntil", n(certificates.valid_until.0));
        let mut clusters = BTreeSet::new();
        for product in self.products.keys() {
            let cap = certificates.product_at(product, time).unwrap_or_default();
            word(&format!("product/{product}"), n(cap));
            clusters.extend(market.clusters.get(product).copied());
        }
        for cluster in clusters {
            let cap = certificates.cluster_at(&cluster, time).unwrap_or_default();
            word(&format!("cluster/{cluster}"), n(cap));
            word(&format!("in/{cluster}"), n(self.in_cluster(&cluster, time)));
        }
    }
}

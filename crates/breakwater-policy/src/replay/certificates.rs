//! Limits and rates from the logs of the underwriting contract.

use crate::events::{Event, Log};
use crate::refusal::Refusal;
use crate::world::World;

impl World {
    pub(super) fn apply_underwriting(&mut self, log: &Log) -> Result<(), Refusal> {
        match &log.event {
            Event::ClusterSet { id, cluster } => {
                self.market.clusters.insert(*id, *cluster);
            }
            Event::CreditSet { product, bps } => {
                self.market.rates.entry(*product).or_default().credit = *bps;
            }
            Event::Certified { pool, certificate } => {
                self.market.nonces[0] = certificate.nonce;
                if let Some(pool) = self.pools.get_mut(pool) {
                    pool.certificates.take(certificate, log.time)?;
                }
            }
            Event::Posted { product, posting } => {
                self.market.nonces[1] = posting.nonce;
                self.market.rates.entry(*product).or_default().take(posting, log.time)?;
            }
            _ => {}
        }
        Ok(())
    }
}

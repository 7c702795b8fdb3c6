//! Certificates, rates and clusters on the chain: signatures, calls, events and words.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, Bytes, I256, U256};
use alloy::signers::SignerSync;
use alloy::sol_types::{SolCall, SolStruct};
use breakwater_bindings::Underwriting::UnderwritingEvents;
use breakwater_bindings::eip712::{Cap, CapacityCertificate, RatePosting, digest, signer_set};
use breakwater_bindings::{Pool, Underwriting};
use breakwater_policy::certificates::{Certificate, Posting};
use breakwater_policy::ops::Signed;
use breakwater_policy::words::Part;
use breakwater_policy::{Event, Log};
use breakwater_primitives::Time;

use crate::chain::CHAIN_ID;
use crate::logs::id;
use crate::read::Page;
use crate::stage::{DEPLOYER, Stage};

/// Members of both committees, and how many of them sign.
const MEMBERS: usize = 3;
const QUORUM: usize = 2;

impl Stage {
    /// Names users as both committees.
    pub(crate) fn name_committees(&mut self) {
        let members: Vec<Address> = self.keys.keys().copied().take(MEMBERS).collect();
        for duty in [0, 1] {
            let quorum = U256::from(QUORUM);
            let call = Underwriting::setCommitteeCall { duty, quorum, members: members.clone() };
            let to = self.scene.deployment.underwriting;
            self.chain.call(DEPLOYER, to, &call).expect("the deployer is admin");
        }
    }

    pub(crate) fn encode_signed(&self, signed: &Signed) -> (Address, Vec<u8>) {
        let data = match signed {
            Signed::SetCluster { id, cluster } => {
                Underwriting::setClusterCall { id: *id, cluster: *cluster }.abi_encode()
            }
            Signed::SetCredit { product, bps } => {
                let bps = I256::try_from(*bps).expect("64 bits fit");
                Underwriting::setCreditCall { product: *product, bps }.abi_encode()
            }
            Signed::Certify { certificate } => self.certify(certificate),
            Signed::Post { posting } => self.post(posting),
        };
        (self.scene.deployment.underwriting, data)
    }

    fn certify(&self, c: &Certificate) -> Vec<u8> {
        let caps = |caps: &[(B256, u128)]| caps.iter().map(|(id, cap)| Cap { id: *id, cap: *cap }).collect();
        let message = CapacityCertificate {
            pool: c.pool,
            leverageBps: c.leverage,
            products: caps(&c.products),
            clusters: caps(&c.clusters),
            model: B256::repeat_byte(1),
            data: B256::repeat_byte(2),
            seed: B256::repeat_byte(3),
            signerSet: self.committee(),
            nonce: U256::from(c.nonce),
            validFrom: c.valid_from.0,
            validUntil: c.valid_until.0,
        };
        let (signers, signatures) = self.sign(&message);
        let certificate = Underwriting::CapacityCertificate {
            pool: message.pool,
            leverageBps: message.leverageBps,
            products: raw_caps(&c.products),
            clusters: raw_caps(&c.clusters),
            model: message.model,
            data: message.data,
            seed: message.seed,
            signerSet: message.signerSet,
            nonce: message.nonce,
            validFrom: message.validFrom,
            validUntil: message.validUntil,
        };
        Underwriting::certifyCall { certificate, signers, signatures }.abi_encode()
    }

    fn post(&self, p: &Posting) -> Vec<u8> {
        let message = RatePosting {
            product: p.product,
            floorRate: p.floor_rate,
            model: B256::repeat_byte(1),
            inputs: B256::repeat_byte(2),
            signerSet: self.committee(),
            nonce: U256::from(p.nonce),
            validFrom: p.valid_from.0,
            validUntil: p.valid_until.0,
        };
        let (signers, signatures) = self.sign(&message);
        let posting = Underwriting::RatePosting {
            product: message.product,
            floorRate: message.floorRate,
            model: message.model,
            inputs: message.inputs,
            signerSet: message.signerSet,
            nonce: message.nonce,
            validFrom: message.validFrom,
            validUntil: message.validUntil,
        };
        Underwriting::postCall { posting, signers, signatures }.abi_encode()
    }

    fn committee(&self) -> B256 {
        let members: Vec<Address> = self.keys.keys().copied().take(MEMBERS).collect();
        signer_set(U256::from(QUORUM), &members)
    }

    fn sign<T: SolStruct>(&self, message: &T) -> (Vec<Address>, Vec<Bytes>) {
        let digest = digest(message, CHAIN_ID, self.scene.deployment.underwriting);
        self.keys
            .iter()
            .take(QUORUM)
            .map(|(account, key)| {
                let signature = key.sign_hash_sync(&digest).expect("a key in memory signs");
                (*account, Bytes::from(signature.as_bytes().to_vec()))
            })
            .unzip()
    }

    pub(crate) fn rate_words(&mut self, product: B256, page: &mut Page) {
        let to = self.scene.deployment.underwriting;
        let rate = self.chain.view(to, &Underwriting::floorRateCall { product });
        page.put("floor", U256::from(rate.rate));
        page.put("fresh", U256::from(rate.fresh));
        page.put("credit", self.chain.view(to, &Underwriting::creditOfCall { product }).into_raw());
        let cluster = self.chain.view(to, &Underwriting::clusterOfCall { id: product });
        page.put("cluster", U256::from_be_bytes(cluster.0));
    }

    pub(crate) fn certified_words(&mut self, pool: Address, page: &mut Page) {
        let to = self.scene.deployment.underwriting;
        let until = self.chain.view(to, &Underwriting::validUntilCall { pool });
        let leverage = self.chain.view(to, &Underwriting::leverageCall { pool });
        if leverage == u32::MAX {
            return;
        }
        page.put("leverage", U256::from(leverage));
        page.put("validUntil", U256::from(until));
        let mut clusters = BTreeSet::new();
        let products: Vec<B256> = self.scene.products.iter().map(|(product, _)| *product).collect();
        for product in products {
            let limits = self.chain.view(to, &Underwriting::limitsCall { pool, product });
            let kept = self.chain.view(pool, &Pool::underwritingCall { product }).gauge;
            if kept.is_zero() {
                continue;
            }
            page.put(&format!("product/{product}"), U256::from(limits.productCap));
            clusters.extend((!limits.cluster.is_zero()).then_some(limits.cluster));
        }
        for cluster in clusters {
            let cap = self.chain.view(to, &Underwriting::clusterCapCall { pool, cluster });
            page.put(&format!("cluster/{cluster}"), U256::from(cap));
            page.put(&format!("in/{cluster}"), self.chain.view(pool, &Pool::clusterExposureCall { cluster }));
        }
    }
}

fn raw_caps(caps: &[(B256, u128)]) -> Vec<Underwriting::Cap> {
    caps.iter().map(|(id, cap)| Underwriting::Cap { id: *id, cap: *cap }).collect()
}

pub(crate) fn event(event: UnderwritingEvents) -> Option<Event> {
    let caps = |caps: &[Underwriting::Cap]| caps.iter().map(|cap| (cap.id, cap.cap)).collect();
    Some(match event {
        UnderwritingEvents::ClusterSet(e) => Event::ClusterSet { id: e.id, cluster: e.cluster },
        UnderwritingEvents::CreditSet(e) => {
            Event::CreditSet { product: e.product, bps: e.bps.try_into().expect("within its bounds") }
        }
        UnderwritingEvents::Certified(e) => {
            let c = e.certificate;
            let certificate = Certificate {
                pool: c.pool,
                leverage: c.leverageBps,
                products: caps(&c.products),
                clusters: caps(&c.clusters),
                nonce: id(c.nonce),
                valid_from: Time(c.validFrom),
                valid_until: Time(c.validUntil),
            };
            Event::Certified { pool: e.pool, certificate }
        }
        UnderwritingEvents::Posted(e) => {
            let p = e.posting;
            let posting = Posting {
                product: p.product,
                floor_rate: p.floorRate,
                nonce: id(p.nonce),
                valid_from: Time(p.validFrom),
                valid_until: Time(p.validUntil),
            };
            Event::Posted { product: e.product, posting }
        }
        _ => return None,
    })
}

/// Parts that a log of the underwriting contract says were touched.
pub(crate) fn touched(log: &Log, parts: &mut BTreeSet<Part>) {
    match &log.event {
        Event::ClusterSet { id: product, .. }
        | Event::CreditSet { product, .. }
        | Event::Posted { product, .. } => parts.extend([Part::Rate(*product)]),
        Event::Certified { pool, .. } => parts.extend([Part::Certified(*pool)]),
        _ => {}
    }
}

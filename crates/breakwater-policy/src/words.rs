//! Every state word that matters, by name and in order, so that two worlds (or a world and the contracts) can be
//! compared and a difference be read.
//!
//! Words whose storage depends on when somebody last looked (streams, buckets) are given as they stand at the asked
//! time; what nobody can tell apart from zero is left out.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use breakwater_primitives::Time;

use crate::booking::Booking;
use crate::deposit::DepositState;
use crate::pool::Pool;
use crate::tranche::Tranche;
use crate::world::World;

/// Words by name; zero is never stored.
type Words = BTreeMap<String, U256>;

impl World {
    /// All words at `time`, which is not before the last operation.
    pub fn words(&self, time: Time) -> Words {
        let mut words = Words::new();
        self.incident_words(&mut words);
        self.policy_words(&mut words);
        for (gauge, pools) in &self.attached {
            for (i, pool) in pools.iter().enumerate() {
                put(&mut words, format!("gauge/{gauge}/pool/{i}"), pool.into_word().into());
            }
        }
        for pool in self.pools.values() {
            pool.words(time, &mut words);
        }
        words
    }

    fn incident_words(&self, words: &mut Words) {
        for (i, incident) in self.incidents.list.iter().enumerate() {
            let id = i + 1;
            let mut word = |name: &str, value: U256| put(words, format!("incident/{id}/{name}"), value);
            let measured = incident.measured;
            word("gauge", incident.gauge.into());
            word("onset", n(measured.onset.0));
            word("reading", n(measured.reading.0));
            word("onsetTime", n(measured.onset_time.0));
            word("afterTime", n(measured.after_time.0));
            word("base", n(measured.base));
            word("loss", n(measured.loss));
            word("evidence", measured.evidence.into());
            word("opener", incident.opener.into_word().into());
            word("openedAt", n(incident.opened_at.0));
            word("openedTime", n(incident.opened_time.0));
            word("rung", n(incident.rung as u64));
            word("status", n(incident.status as u64));
            word("rungContract", incident.rung_contract.into_word().into());
            word("dwellEnd", n(incident.dwell_end.0));
            word("claimsEnd", n(incident.claims_end.0));
            word("spanEnd", n(incident.span_end.0));
            word("paid", n(incident.paid));
            word("peak", incident.peak);
        }
        for (gauge, id) in &self.incidents.latest {
            put(words, format!("gauge/{gauge}/latest"), n(*id));
        }
        for ((id, account), position) in &self.incidents.positions {
            let lost = self.incidents.position_lost(*id, *account);
            put(words, format!("incident/{id}/position/{account}/lost"), n(lost));
            put(words, format!("incident/{id}/position/{account}/paid"), n(position.paid));
        }
    }

    fn policy_words(&self, words: &mut Words) {
        for (i, holding) in self.policies.list.iter().enumerate() {
            let id = i + 1;
            let mut word = |name: &str, value: U256| put(words, format!("policy/{id}/{name}"), value);
            let policy = holding.policy;
            word("owner", holding.owner.unwrap_or_default().into_word().into());
            word("product", policy.product.into());
            word("pool", policy.pool.into_word().into());
            word("position", policy.position.into_word().into());
            word("sum", n(policy.sum));
            word("paid", n(policy.paid));
            word("purchased", n(policy.purchased.0));
            word("inception", n(policy.inception.0));
            word("expiry", n(policy.expiry.0));
            word("streamRate", policy.stream_rate);
            for (incident, settlement) in &holding.settlements {
                word(&format!("incident/{incident}/due"), n(settlement.due));
                word(&format!("incident/{incident}/paid"), n(settlement.paid));
            }
        }
    }
}

impl Pool {
    fn words(&self, time: Time, words: &mut Words) {
        let address = self.address;
        let mut word = |name: String, value: U256| put(words, format!("pool/{address}/{name}"), value);
        for (i, layer) in self.layers.iter().enumerate() {
            word(format!("layer/{i}"), n(*layer));
        }
        word("unearnedScaled".into(), self.stream.scaled_at(time));
        word("surge".into(), n(self.surge.value.get()));
        word("surgeAt".into(), n(self.surge.at.0));
        word("closedAt".into(), n(self.closed_at.unwrap_or_default().0));
        word("locked".into(), self.locked);
        for (account, owed) in &self.owed {
            word(format!("owed/{account}"), n(*owed));
        }
        let mut exposure = 0;
        for (product, book) in &self.products {
            let setting = book.setting(time);
            let counted = book.exposure_at(time);
            exposure += counted;
            word(format!("product/{product}/cap"), n(setting.cap));
            word(format!("product/{product}/floorRate"), n(setting.floor_rate.get()));
            word(format!("product/{product}/live"), n(u64::from(setting.live)));
            if let Some(pending) = book.pending.filter(|pending| pending.at > time) {
                word(format!("product/{product}/pendingCap"), n(pending.cap));
                word(format!("product/{product}/pendingRate"), n(pending.floor_rate.get()));
                word(format!("product/{product}/effectiveAt"), n(pending.at.0));
            }
            word(format!("product/{product}/exposure"), n(counted));
            word(format!("product/{product}/inForce"), n(book.in_force(time).unwrap_or_default()));
        }
        word("exposure".into(), n(exposure));
        for (incident, booking) in &self.bookings {
            booking.words(&format!("pool/{address}/booking/{incident}"), words);
        }
        for (i, tranche) in self.tranches.iter().enumerate() {
            tranche.words(&format!("pool/{address}/tranche/{}", i + 1), words);
        }
    }
}

impl Booking {
    fn words(&self, at: &str, words: &mut Words) {
        let mut word = |name: &str, value: U256| put(words, format!("{at}/{name}"), value);
        word("reserved", n(self.reserved));
        word("funded", n(self.funded));
        word("due", n(self.due));
        word("paid", n(self.paid));
        word("instantPaid", n(self.instant_paid));
        for i in 0..4 {
            word(&format!("limit/{i}"), n(self.limit[i]));
            word(&format!("charged/{i}"), n(self.charged[i]));
        }
        word("openedAt", n(self.opened_at.0));
        word("onsetTime", n(self.onset_time.0));
        word("settled", n(u64::from(self.settled)));
        word("closed", n(u64::from(self.closed)));
        for (product, booked) in &self.products {
            word(&format!("product/{product}/fraction"), booked.fraction);
            word(&format!("product/{product}/instantPaid"), n(booked.instant_paid));
        }
    }
}

impl Tranche {
    fn words(&self, at: &str, words: &mut Words) {
        let mut word = |name: String, value: U256| put(words, format!("{at}/{name}"), value);
        word("supply".into(), self.supply());
        word("held".into(), n(self.held));
        word("redeemable".into(), n(self.redeemable));
        for account in self.accounts().collect::<Vec<Address>>() {
            word(format!("balance/{account}"), self.balance(account));
        }
        for (id, deposits) in &self.deposits {
            word(format!("deposit/{id}/assets"), n(deposits.assets));
            if let DepositState::Processed { shares, block } = deposits.state {
                word(format!("deposit/{id}/shares"), shares);
                word(format!("deposit/{id}/processedAt"), n(block.0));
            }
            word(format!("deposit/{id}/returned"), n(u64::from(deposits.state == DepositState::Returned)));
            for (controller, request) in &deposits.requests {
                word(format!("deposit/{id}/{controller}/assets"), n(request.assets));
                word(
                    format!("deposit/{id}/{controller}/claimedAt"),
                    n(request.claimed.unwrap_or_default().0),
                );
            }
        }
        for (id, cohort) in &self.cohorts {
            word(format!("cohort/{id}/shares"), cohort.requested);
            word(format!("cohort/{id}/remaining"), cohort.remaining.latest());
            word(format!("cohort/{id}/cap"), n(cohort.cap));
            word(format!("cohort/{id}/paid"), n(cohort.paid));
            for (controller, request) in &cohort.requests {
                word(format!("cohort/{id}/{controller}/shares"), request.latest());
            }
            for (controller, claimed) in &cohort.claimed {
                word(format!("cohort/{id}/{controller}/claimed"), n(*claimed));
            }
        }
        for (incident, shares) in &self.recoveries.shares {
            word(format!("recovery/{incident}"), *shares);
        }
        for ((incident, account), shares) in &self.recoveries.claimed {
            word(format!("recovery/{incident}/{account}"), *shares);
        }
        for ((incident, id, account), shares) in &self.recoveries.claimed_queued {
            word(format!("recovery/{incident}/queue/{id}/{account}"), *shares);
        }
    }
}

fn put(words: &mut Words, name: String, value: U256) {
    if !value.is_zero() {
        words.insert(name, value);
    }
}

fn n(value: impl Into<u128>) -> U256 {
    U256::from(value.into())
}

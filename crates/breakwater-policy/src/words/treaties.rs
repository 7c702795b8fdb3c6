//! Words of treaties and of what pools cede to them.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};

use super::{Part, n};
use crate::ceding::Ceding;
use crate::treaty::Treaty;

impl Ceding {
    pub(super) fn add_parts(&self, parts: &mut BTreeSet<Part>) {
        for (address, treaty) in &self.treaties {
            let at = *address;
            parts.insert(Part::Treaty(at));
            parts.extend(treaty.incidents().map(|incident| Part::Cession(at, incident)));
            parts.extend(treaty.years().map(|year| Part::TreatyYear(at, year)));
            parts.extend(treaty.shares.accounts().map(|account| Part::TreatyShares(at, account)));
        }
    }

    /// What the pool keeps of its treaties.
    pub(super) fn add_pool_words(&self, word: &mut impl FnMut(&str, U256)) {
        for (i, treaty) in self.line.iter().enumerate() {
            word(&format!("treaty/{i}"), treaty.into_word().into());
            word(&format!("premium/{i}"), n(self.premium_of(*treaty)));
        }
        word("premiums", n(self.premiums()));
    }

    pub(super) fn add_words(&self, treaty: Address, part: Part, word: &mut impl FnMut(&str, U256)) {
        if let Some(treaty) = self.treaties.get(&treaty) {
            treaty.add_words(part, word);
        }
    }
}

impl Treaty {
    fn add_words(&self, part: Part, word: &mut impl FnMut(&str, U256)) {
        match part {
            Part::Cession(_, incident) => {
                let Some(cession) = self.cession(incident) else { return };
                word("loss", n(cession.loss));
                word("covered", n(cession.covered));
                word("drawn", n(cession.drawn));
                word("shortBy", n(cession.short_by));
                word("returned", n(cession.returned));
                word("claimed", n(cession.claimed));
                word("before", cession.before);
                word("snapshot", n(cession.snapshot.0));
                word("year", n(cession.year));
                word("settled", n(u64::from(cession.settled)));
            }
            Part::TreatyYear(_, year) => {
                let year = self.year(year);
                word("losses", year.losses);
                word("covered", n(year.covered));
            }
            Part::TreatyShares(_, account) => word("shares", self.shares.balance(account)),
            _ => {
                word("free", n(self.free()));
                word("encumbered", n(self.encumbered()));
                word("returns", n(self.returns));
                word("supply", self.shares.supply());
            }
        }
    }
}

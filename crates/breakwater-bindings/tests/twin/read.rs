//! The words of each part as the contracts' getters tell them, under the twin's names.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256, keccak256};
use breakwater_bindings::{Catalog, Incidents, Policies, Pool, Tranche};
use breakwater_policy::World;
use breakwater_policy::words::{Part, Words};
use breakwater_primitives::{DAY, Time};

use crate::chain::Failure;
use crate::reverts;
use crate::stage::Stage;

/// The words of one part under way.
pub(crate) struct Page {
    name: String,
    words: Words,
}

impl Page {
    pub(crate) fn put(&mut self, field: &str, value: impl Into<U256>) {
        let value = value.into();
        if !value.is_zero() {
            self.words.insert(format!("{}/{field}", self.name), value);
        }
    }

    pub(crate) fn put_address(&mut self, field: &str, value: Address) {
        self.put(field, value.into_word());
    }

    fn put_word(&mut self, field: &str, value: B256) {
        self.put(field, U256::from_be_bytes(value.0));
    }
}

impl Stage {
    /// What the contracts say of a part; nothing of what the twin does not name.
    pub(crate) fn words_of(&mut self, part: Part) -> Words {
        let mut page = Page { name: part.to_string(), words: Words::new() };
        match part {
            Part::Gauge(gauge) => self.gauge(gauge, &mut page),
            Part::Incident(id) => self.incident(id, &mut page),
            Part::Ceiling(rung, asset) => {
                let rung = rung as u8;
                let most = self.chain.view(self.incidents, &Incidents::ceilingCall { rung, asset });
                page.put("most", most);
                page.put("open", self.chain.view(self.incidents, &Incidents::openOnCall { rung, asset }));
            }
            Part::Guardian => {
                let guardian = self.chain.view(self.incidents, &Incidents::guardianCall {});
                page.put_address("account", guardian);
            }
            Part::Position(id, account) => {
                let id = U256::from(id);
                let lost = self.chain.view(self.incidents, &Incidents::positionLostCall { id, account });
                let paid = self.chain.view(self.incidents, &Incidents::positionPaidCall { id, account });
                page.put("lost", U256::from(lost));
                page.put("paid", U256::from(paid));
            }
            Part::Policy(id) => self.policy(id, &mut page),
            Part::Settlement(id, incident) => {
                let call = Policies::settlementCall { id: U256::from(id), incident: U256::from(incident) };
                let settlement = self.chain.view(self.policies, &call);
                page.put("due", U256::from(settlement.due));
                page.put("paid", U256::from(settlement.paid));
            }
            Part::Pool(pool) => self.pool(pool, &mut page),
            Part::Product(pool, product) => self.product(pool, product, &mut page),
            Part::Owed(pool, account) => {
                page.put("amount", self.chain.view(pool, &Pool::owedCall { account }));
            }
            Part::Booking(pool, incident) => self.booking(pool, incident, &mut page),
            Part::Rate(product) => self.rate_words(product, &mut page),
            Part::Certified(pool) => self.certified_words(pool, &mut page),
            Part::Treaty(_) | Part::Cession(..) | Part::TreatyYear(..) | Part::TreatyShares(..) => {
                self.treaty_words(part, &mut page);
            }
            other => self.in_tranche(other, &mut page),
        }
        page.words
    }

    /// All words of `parts`.
    pub(crate) fn words(&mut self, parts: &BTreeSet<Part>) -> Words {
        let mut words = Words::new();
        for part in parts {
            words.extend(self.words_of(*part));
        }
        self.add_sums(parts, &mut words);
        words
    }

    /// Pending deposits and what cohorts were paid: the contracts keep them for the pool, the twin by tranche. So
    /// they are summed up here from all requests, and [`Stage::differs`] compares the pool's totals.
    fn add_sums(&mut self, parts: &BTreeSet<Part>, words: &mut Words) {
        let mut sums: BTreeMap<String, U256> = BTreeMap::new();
        let word = |words: &Words, part: Part, field: &str| {
            words.get(&format!("{part}/{field}")).copied().unwrap_or_default()
        };
        for part in parts {
            match *part {
                Part::Deposits(at, id) => {
                    let processed = !word(words, Part::Deposits(at, id), "processedAt").is_zero();
                    let returned = !word(words, Part::Deposits(at, id), "returned").is_zero();
                    if !processed && !returned {
                        *sums.entry(format!("{}/held", Part::Tranche(at))).or_default() +=
                            word(words, *part, "assets");
                    }
                }
                Part::Deposit(at, id, _) => {
                    let returned = !word(words, Part::Deposits(at, id), "returned").is_zero();
                    if returned && word(words, *part, "claimedAt").is_zero() {
                        *sums.entry(format!("{}/held", Part::Tranche(at))).or_default() +=
                            word(words, *part, "assets");
                    }
                }
                Part::Cohort(at, _) => {
                    *sums.entry(format!("{}/redeemable", Part::Tranche(at))).or_default() +=
                        word(words, *part, "paid");
                }
                _ => {}
            }
        }
        for part in parts {
            if let Part::Redemption(at, _, _) = *part {
                *sums.entry(format!("{}/redeemable", Part::Tranche(at))).or_default() -=
                    word(words, *part, "claimed");
            }
        }
        words.extend(sums.into_iter().filter(|(_, value)| !value.is_zero()));
    }

    fn gauge(&mut self, gauge: B256, page: &mut Page) {
        page.put("latest", self.chain.view(self.incidents, &Incidents::latestCall { gauge }));
        let pools = self.chain.view(self.catalog, &Catalog::poolsOfCall { gauge });
        for (i, pool) in pools.iter().enumerate() {
            page.put_address(&format!("pool/{i}"), *pool);
        }
    }

    fn incident(&mut self, id: u64, page: &mut Page) {
        let incident = self.chain.view(self.incidents, &Incidents::incidentCall { id: U256::from(id) });
        page.put_word("gauge", incident.gauge);
        page.put("onset", U256::from(incident.onset));
        page.put("reading", U256::from(incident.reading));
        page.put("onsetTime", U256::from(incident.onsetTime));
        page.put("afterTime", U256::from(incident.afterTime));
        page.put("base", U256::from(incident.base));
        page.put("loss", U256::from(incident.loss));
        page.put_word("evidence", incident.evidence);
        let id = U256::from(id);
        let asserted = self.chain.view(self.incidents, &Incidents::assertedCall { id });
        page.put("asserted", U256::from(asserted));
        let held = self.chain.view(self.incidents, &Incidents::heldCall { id });
        page.put("held", U256::from(u8::from(held)));
        page.put_address("opener", incident.opener);
        page.put("openedAt", U256::from(incident.openedAt));
        page.put("openedTime", U256::from(incident.openedTime));
        page.put("rung", U256::from(incident.rung));
        page.put("status", U256::from(incident.status));
        page.put_address("rungContract", incident.rungContract);
        page.put("dwellEnd", U256::from(incident.dwellEnd));
        page.put("claimsEnd", U256::from(incident.claimsEnd));
        page.put("spanEnd", U256::from(incident.spanEnd));
        page.put("paid", U256::from(incident.paid));
        page.put("peak", U256::from(incident.peak));
    }

    fn policy(&mut self, id: u64, page: &mut Page) {
        let id = U256::from(id);
        // Burned and unknown tokens have no owner.
        let owner = self.chain.try_view(self.policies, &Policies::ownerOfCall { tokenId: id });
        page.put_address("owner", owner.unwrap_or_default());
        let policy = self.chain.view(self.policies, &Policies::policyCall { id });
        page.put_word("product", policy.product);
        page.put_address("pool", policy.pool);
        page.put_address("position", policy.position);
        page.put("sum", U256::from(policy.sum));
        page.put("paid", U256::from(policy.paid));
        page.put("purchased", U256::from(policy.purchased));
        page.put("inception", U256::from(policy.inception));
        page.put("expiry", U256::from(policy.expiry));
        page.put("streamRate", policy.streamRate);
    }

    fn pool(&mut self, pool: Address, page: &mut Page) {
        let state = self.chain.view(pool, &Pool::stateCall {});
        for (i, layer) in state.layers.iter().enumerate() {
            page.put(&format!("layer/{i}"), U256::from(*layer));
        }
        let unearned = self.unearned_now(pool, &state);
        page.put("unearnedScaled", unearned);
        page.put("surge", state.surge);
        page.put("surgeAt", state.surgeAt);
        page.put("closedAt", U256::from(self.chain.view(pool, &Pool::closedAtCall {})));
        page.put("locked", self.chain.view(pool, &Pool::lockedCall {}));
        page.put("premiums", state.premiums);
        for (i, treaty) in self.chain.view(pool, &Pool::treatiesCall {}).into_iter().enumerate() {
            page.put_address(&format!("treaty/{i}"), treaty);
            page.put(&format!("premium/{i}"), self.chain.view(pool, &Pool::premiumOfCall { treaty }));
        }
        let products: Vec<B256> = self.scene.products.iter().map(|(product, _)| *product).collect();
        let exposures = products
            .into_iter()
            .map(|product| U256::from(self.chain.view(pool, &Pool::underwritingCall { product }).exposure));
        page.put("exposure", exposures.sum::<U256>());
    }

    /// What would be left to earn if the pool accrued now.
    fn unearned_now(&mut self, pool: Address, state: &Pool::PoolState) -> U256 {
        let day = U256::from(DAY);
        let now = U256::from(self.chain.clock().time.0);
        let (mut scaled, mut rate, mut time) = (state.unearnedScaled, state.streamRate, state.accruedTo);
        while !rate.is_zero() && time < now {
            let next = ((time / day + U256::from(1)) * day).min(now);
            scaled -= rate * (next - time);
            if (next % day).is_zero() {
                rate -= self.chain.view(pool, &Pool::streamEndsCall { day: next / day });
            }
            time = next;
        }
        scaled
    }

    fn product(&mut self, pool: Address, product: B256, page: &mut Page) {
        let underwriting = self.chain.view(pool, &Pool::underwritingCall { product });
        page.put("cap", U256::from(underwriting.cap));
        page.put("floorRate", U256::from(underwriting.floorRate));
        page.put("live", U256::from(underwriting.live));
        page.put("pendingCap", U256::from(underwriting.pendingCap));
        page.put("pendingRate", U256::from(underwriting.pendingRate));
        page.put("effectiveAt", U256::from(underwriting.effectiveAt));
        page.put("exposure", U256::from(underwriting.exposure));
        let time = U256::from(self.chain.clock().time.0);
        page.put("inForce", self.chain.view(pool, &Pool::inForceCall { product, time }));
    }

    fn booking(&mut self, pool: Address, id: u64, page: &mut Page) {
        let incident = U256::from(id);
        let booking = self.chain.view(pool, &Pool::bookingCall { incident });
        page.put("reserved", U256::from(booking.reserved));
        page.put("funded", U256::from(booking.funded));
        page.put("due", U256::from(booking.due));
        page.put("paid", U256::from(booking.paid));
        page.put("instantPaid", U256::from(booking.instantPaid));
        page.put("ceded", U256::from(booking.ceded));
        page.put("drawn", U256::from(booking.drawn));
        page.put("recovered", U256::from(booking.recovered));
        for i in 0..4 {
            page.put(&format!("limit/{i}"), U256::from(booking.limit[i]));
            page.put(&format!("charged/{i}"), U256::from(booking.charged[i]));
        }
        page.put("openedAt", U256::from(booking.openedAt));
        page.put("onsetTime", U256::from(booking.onsetTime));
        page.put("settled", U256::from(booking.settled));
        page.put("closed", U256::from(booking.closed));
        let gauge = self.chain.view(self.incidents, &Incidents::incidentCall { id: incident }).gauge;
        for product in self.chain.view(pool, &Pool::productsOfCall { gauge }) {
            let fraction = self.chain.view(pool, &Pool::fractionCall { incident, product });
            let paid = self.chain.view(pool, &Pool::instantPaidCall { incident, product });
            page.put(&format!("product/{product}/fraction"), fraction);
            page.put(&format!("product/{product}/instantPaid"), paid);
        }
    }

    fn in_tranche(&mut self, part: Part, page: &mut Page) {
        match part {
            Part::Balance((pool, layer), account) => {
                let tranche = self.tranche(pool, layer);
                page.put("shares", self.chain.view(tranche, &Tranche::balanceOfCall { account }));
            }
            Part::Deposits((pool, layer), id) => {
                let tranche = self.tranche(pool, layer);
                let batch = self.chain.view(tranche, &Tranche::batchesCall { requestId: U256::from(id) });
                page.put("assets", U256::from(batch.assets));
                page.put("returned", U256::from(batch.returned));
                if !batch.returned {
                    page.put("shares", batch.shares);
                    page.put("processedAt", U256::from(batch.processedAt));
                }
            }
            Part::Deposit((pool, layer), id, controller) => {
                let tranche = self.tranche(pool, layer);
                let call = Tranche::depositsCall { requestId: U256::from(id), controller };
                let deposit = self.chain.view(tranche, &call);
                page.put("assets", U256::from(deposit.assets));
                page.put("claimedAt", U256::from(deposit.claimedAt));
            }
            Part::Cohort((pool, layer), id) => {
                let tranche = self.tranche(pool, layer);
                let cohort = self.chain.view(tranche, &Tranche::cohortsCall { requestId: U256::from(id) });
                page.put("shares", cohort.shares);
                page.put("remaining", cohort.remaining);
                page.put("cap", cohort.cap);
                page.put("paid", cohort.paid);
            }
            Part::Redemption((pool, layer), id, controller) => {
                let tranche = self.tranche(pool, layer);
                let call = Tranche::requestsCall { requestId: U256::from(id), controller };
                let request = self.chain.view(tranche, &call);
                page.put("shares", request.shares);
                page.put("claimed", request.claimed);
            }
            other => self.of_recoveries(other, page),
        }
    }

    fn of_recoveries(&mut self, part: Part, page: &mut Page) {
        match part {
            Part::Recovery((pool, layer), incident) => {
                let tranche = self.tranche(pool, layer);
                let call = Tranche::recoveriesCall { incident: U256::from(incident) };
                page.put("shares", U256::from(self.chain.view(tranche, &call).shares));
            }
            Part::Recovered((pool, layer), incident, account) => {
                let tranche = self.tranche(pool, layer);
                let call =
                    Tranche::recoveredCall { incident: U256::from(incident), requestId: U256::ZERO, account };
                page.put("shares", self.chain.view(tranche, &call).held);
            }
            Part::QueueRecovered((pool, layer), incident, id, account) => {
                let tranche = self.tranche(pool, layer);
                let call = Tranche::recoveredCall {
                    incident: U256::from(incident),
                    requestId: U256::from(id),
                    account,
                };
                page.put("shares", self.chain.view(tranche, &call).queued);
            }
            Part::Tranche((pool, layer)) => {
                let tranche = self.tranche(pool, layer);
                page.put("supply", self.chain.view(tranche, &Tranche::totalSupplyCall {}));
            }
            other => panic!("{other} is no part of a tranche"),
        }
    }

    /// The first thing beside the words that the contracts say otherwise than the twin: counters, caches, totals
    /// and views that others act on.
    pub(crate) fn differs(&mut self, world: &World) -> Option<Difference> {
        let counts = [
            (
                "incidents",
                self.chain.view(self.incidents, &Incidents::countCall {}),
                world.incidents.list.len(),
            ),
            ("policies", self.chain.view(self.policies, &Policies::countCall {}), world.policies.list.len()),
        ];
        for (name, chain, twin) in counts {
            if let Some(difference) = Difference::of(name.to_owned(), U256::from(twin), chain) {
                return Some(difference);
            }
        }
        let made = world.pools.values().flat_map(|pool| pool.ceding.treaties.keys().copied());
        for account in self.purses().into_iter().chain(world.pools.keys().copied()).chain(made) {
            let balance = crate::stage::RefusingToken::balanceOfCall { account };
            let (chain, twin) =
                (self.chain.view(self.asset, &balance), world.ledger.balance(self.asset, account));
            if let Some(difference) = Difference::of(format!("asset/{account}"), twin, chain) {
                return Some(difference);
            }
        }
        let pools: Vec<Address> = world.pools.keys().copied().collect();
        pools
            .into_iter()
            .find_map(|pool| self.pool_differs(world, pool).or_else(|| self.quotes_differ(world, pool)))
    }

    /// What each product's smallest policy of the shortest term would cost now, or why it is not sold.
    fn quotes_differ(&mut self, world: &World, pool: Address) -> Option<Difference> {
        let now = self.chain.clock().time;
        for (product, terms) in self.scene.products.clone() {
            let inception = now.plus(terms.waiting_period);
            let expiry = Time((inception.plus(terms.min_term).day() + 1) * DAY);
            let twin = world.quote(pool, product, now, terms.min_sum, inception, expiry);
            let call =
                Pool::quoteCall { product, sum: terms.min_sum, inception: inception.0, expiry: expiry.0 };
            let chain = self.chain.try_view(pool, &call);
            // Of a refusal, the hash of what must be reverted with: a difference has to be a number.
            let twin = twin.unwrap_or_else(|refusal| keccak256(reverts::data(&refusal)).into());
            let chain = chain.unwrap_or_else(|failure| match failure {
                Failure::Reverted(data) => keccak256(data).into(),
                Failure::Halted(reason) => panic!("a quote of {pool} halts: {reason}"),
            });
            let word = format!("{}/quote", Part::Product(pool, product));
            if let Some(difference) = Difference::of(word, twin, chain) {
                return Some(difference);
            }
        }
        None
    }

    /// The same of one pool.
    pub(crate) fn pool_differs(&mut self, world: &World, address: Address) -> Option<Difference> {
        let pool = world.pools.get(&address)?;
        let state = self.chain.view(address, &Pool::stateCall {});
        let held: u128 = pool.tranches.iter().map(|tranche| tranche.held).sum();
        let redeemable: u128 = pool.tranches.iter().map(|tranche| tranche.redeemable).sum();
        let dwelling = pool.bookings.values().filter(|booking| !booking.settled).count();
        let now = self.chain.clock().time;
        let mut pairs = vec![
            ("unearnedScaled as stored", pool.stream.scaled, state.unearnedScaled),
            ("streamRate", pool.stream.rate, state.streamRate),
            ("accruedTo", U256::from(pool.stream.to.0), state.accruedTo),
            ("epochDone", U256::from(pool.last_epoch), state.epochDone),
            ("exposure as stored", U256::from(pool.exposure), state.exposure),
            ("pendingDeposits", U256::from(held), state.pendingDeposits),
            ("redeemable", U256::from(redeemable), state.redeemable),
            ("owed", U256::from(pool.owed.values().sum::<u128>()), state.owed),
            ("capSum", U256::from(pool.cap_sum().expect("caps fit")), state.capSum),
            (
                "instantOutstanding",
                U256::from(pool.instant_outstanding().expect("payments fit")),
                state.instantOutstanding,
            ),
            ("dwelling", U256::from(dwelling), state.dwelling),
        ];
        for (i, name) in [(1, "exitable/1"), (2, "exitable/2"), (3, "exitable/3")] {
            let chain = self.chain.view(address, &Pool::exitableCall { index: U256::from(i) });
            pairs.push((name, U256::from(pool.exitable(i, now).expect("capital fits")), chain));
        }
        let newest = world.incidents.list.len() as u64;
        if pool.bookings.contains_key(&newest) {
            let call = Pool::instantBudgetCall { incident: U256::from(newest) };
            let budget = pool.instant_budget(newest).expect("the budget fits");
            pairs.push(("instantBudget of the newest", U256::from(budget), self.chain.view(address, &call)));
        }
        pairs.into_iter().find_map(|(name, twin, chain)| {
            Difference::of(format!("{}/{name}", Part::Pool(address)), twin, chain)
        })
    }
}

/// A word that the two sides tell differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) word: String,
    pub(crate) twin: U256,
    pub(crate) chain: U256,
}

impl Difference {
    fn of(word: String, twin: U256, chain: U256) -> Option<Self> {
        (twin != chain).then_some(Self { word, twin, chain })
    }

    /// The first word that differs; a word that only one side has is zero on the other.
    pub(crate) fn first(twin: &Words, chain: &Words) -> Option<Self> {
        let names: BTreeSet<&String> = twin.keys().chain(chain.keys()).collect();
        let value = |words: &Words, name: &String| words.get(name).copied().unwrap_or_default();
        names.into_iter().find_map(|name| Self::of(name.clone(), value(twin, name), value(chain, name)))
    }
}

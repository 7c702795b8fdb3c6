//! Treaties on the chain: calls, events and words.

use std::collections::BTreeSet;

use alloy::primitives::{Address, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::Pool::PoolEvents;
use breakwater_bindings::Treaty::TreatyEvents;
use breakwater_bindings::TreatyFactory::TreatyFactoryEvents;
use breakwater_bindings::{Pool, Treaty, TreatyFactory};
use breakwater_policy::ops::Ceded;
use breakwater_policy::treaty::Terms;
use breakwater_policy::words::Part;
use breakwater_policy::{Event, Log};
use breakwater_primitives::{Bps, Time};

use crate::logs::{amount, id, layer};
use crate::read::Page;
use crate::stage::Stage;

impl Stage {
    pub(crate) fn encode_ceded(&self, ceded: &Ceded) -> (Address, Vec<u8>) {
        match ceded {
            Ceded::MakeTreaty { cedant, terms, .. } => {
                let terms = terms_of(*cedant, self.asset, terms);
                (self.scene.deployment.treaties, TreatyFactory::makeCall { terms }.abi_encode())
            }
            Ceded::AttachTreaty { pool, treaty } => {
                (*pool, Pool::attachTreatyCall { treaty: *treaty }.abi_encode())
            }
            Ceded::DetachTreaty { pool, treaty } => {
                (*pool, Pool::detachTreatyCall { treaty: *treaty }.abi_encode())
            }
            Ceded::PayPremium { pool, treaty } => {
                (*pool, Pool::payPremiumCall { treaty: *treaty }.abi_encode())
            }
            Ceded::Recover { pool, incident, amount } => {
                let (incident, amount) = (U256::from(*incident), U256::from(*amount));
                (*pool, Pool::recoverCall { incident, amount }.abi_encode())
            }
            Ceded::ClaimReturn { treaty, incident } => {
                (*treaty, Treaty::claimReturnCall { incident: U256::from(*incident) }.abi_encode())
            }
            Ceded::TransferCollateral { treaty, to, shares } => {
                (*treaty, Treaty::transferCall { to: *to, value: *shares }.abi_encode())
            }
            Ceded::DepositCollateral { .. } | Ceded::RedeemCollateral { .. } => {
                panic!("{ceded:?} names its caller as the owner")
            }
        }
    }

    /// Deposits and redemptions are for the caller himself.
    pub(crate) fn encode_collateral(caller: Address, ceded: &Ceded) -> Option<(Address, Vec<u8>)> {
        Some(match ceded {
            Ceded::DepositCollateral { treaty, assets } => {
                let call = Treaty::depositCall { assets: U256::from(*assets), receiver: caller };
                (*treaty, call.abi_encode())
            }
            Ceded::RedeemCollateral { treaty, shares } => {
                let call = Treaty::redeemCall { shares: *shares, receiver: caller, owner: caller };
                (*treaty, call.abi_encode())
            }
            _ => return None,
        })
    }

    pub(crate) fn treaty_words(&mut self, part: Part, page: &mut Page) {
        match part {
            Part::Treaty(treaty) => {
                page.put("free", self.chain.view(treaty, &Treaty::totalAssetsCall {}));
                page.put("encumbered", self.chain.view(treaty, &Treaty::encumberedCall {}));
                page.put("returns", self.chain.view(treaty, &Treaty::returns_Call {}));
                page.put("supply", self.chain.view(treaty, &Treaty::totalSupplyCall {}));
            }
            Part::Cession(treaty, incident) => {
                let call = Treaty::cessionCall { incident: U256::from(incident) };
                let cession = self.chain.view(treaty, &call);
                page.put("loss", U256::from(cession.loss));
                page.put("covered", U256::from(cession.covered));
                page.put("drawn", U256::from(cession.drawn));
                page.put("shortBy", U256::from(cession.shortBy));
                page.put("returned", U256::from(cession.returned));
                page.put("claimed", U256::from(cession.claimed));
                page.put("before", cession.before);
                page.put("snapshot", U256::from(cession.snapshot));
                page.put("year", U256::from(cession.year));
                page.put("settled", U256::from(cession.settled));
            }
            Part::TreatyYear(treaty, year) => {
                let kept = self.chain.view(treaty, &Treaty::yearOfCall { year: U256::from(year) });
                page.put("losses", kept.losses);
                page.put("covered", kept.covered);
            }
            Part::TreatyShares(treaty, account) => {
                page.put("shares", self.chain.view(treaty, &Treaty::balanceOfCall { account }));
            }
            other => panic!("{other} is no part of a treaty"),
        }
    }
}

fn terms_of(cedant: Address, asset: Address, terms: &Terms) -> TreatyFactory::TreatyTerms {
    TreatyFactory::TreatyTerms {
        cedant,
        asset,
        aggregate: terms.aggregate,
        shareBps: terms.share.get() as u16,
        premiumBps: terms.premium.get() as u16,
        attachment: terms.attachment,
        limit: terms.limit,
        yearlyLimit: terms.yearly_limit,
        start: terms.start.0.try_into().expect("a time of 40 bits"),
        end: terms.end.0.try_into().expect("a time of 40 bits"),
        notice: terms.notice as u32,
    }
}

pub(crate) fn made(event: TreatyFactoryEvents) -> Event {
    let TreatyFactoryEvents::TreatyMade(e) = event;
    let terms = Terms {
        aggregate: e.terms.aggregate,
        share: Bps::new(e.terms.shareBps.into()),
        premium: Bps::new(e.terms.premiumBps.into()),
        attachment: e.terms.attachment,
        limit: e.terms.limit,
        yearly_limit: e.terms.yearlyLimit,
        start: Time(e.terms.start.to::<u64>()),
        end: Time(e.terms.end.to::<u64>()),
        notice: e.terms.notice.into(),
    };
    Event::TreatyMade { treaty: e.treaty, cedant: e.cedant, terms }
}

pub(crate) fn treaty_event(event: TreatyEvents) -> Option<Event> {
    Some(match event {
        TreatyEvents::Opened(e) => {
            Event::CessionOpened { incident: id(e.incident), year: id(e.year), before: e.before }
        }
        TreatyEvents::Encumbered(e) => Event::Encumbered {
            incident: id(e.incident),
            onset: Time(e.onset),
            loss: amount(e.loss),
            covered: amount(e.covered),
            short_by: amount(e.shortBy),
        },
        TreatyEvents::Drawn(e) => {
            Event::Drawn { incident: id(e.incident), due: amount(e.due), amount: amount(e.amount) }
        }
        TreatyEvents::DrawFailed(e) => {
            Event::DrawFailed { incident: id(e.incident), due: amount(e.due), amount: amount(e.amount) }
        }
        TreatyEvents::Settled(e) => Event::CessionSettled { incident: id(e.incident), due: amount(e.due) },
        TreatyEvents::PremiumReceived(e) => Event::PremiumReceived { amount: amount(e.amount) },
        TreatyEvents::Returned(e) => Event::ReturnReceived {
            incident: id(e.incident),
            amount: amount(e.amount),
            to_holders: e.toHolders,
        },
        TreatyEvents::ReturnClaimed(e) => {
            Event::ReturnClaimed { incident: id(e.incident), account: e.account, amount: amount(e.amount) }
        }
        TreatyEvents::Transfer(e) => Event::ShareTransfer { from: e.from, to: e.to, shares: e.value },
        TreatyEvents::Deposit(e) => Event::VaultDeposit {
            sender: e.sender,
            owner: e.owner,
            assets: amount(e.assets),
            shares: e.shares,
        },
        TreatyEvents::Withdraw(e) => Event::VaultWithdraw {
            sender: e.sender,
            receiver: e.receiver,
            owner: e.owner,
            assets: amount(e.assets),
            shares: e.shares,
        },
        TreatyEvents::Approval(_) => return None,
    })
}

/// What a pool tells of its treaties and of what came back.
pub(crate) fn pool_event(event: PoolEvents) -> Event {
    match event {
        PoolEvents::Ceded(e) => {
            Event::Ceded { incident: id(e.incident), ceded: amount(e.ceded), drawn: amount(e.drawn) }
        }
        PoolEvents::Recovered(e) => Event::Recovered {
            incident: id(e.incident),
            from: e.from,
            amount: amount(e.amount),
            filled: amount(e.filled),
        },
        PoolEvents::RecoveredTo(e) => Event::RecoveredTo {
            incident: id(e.incident),
            layer: layer(e.layer),
            amount: amount(e.amount),
            recovery_shares: e.recoveryShares,
        },
        PoolEvents::Returned(e) => {
            Event::ReturnedToTreaty { incident: id(e.incident), treaty: e.treaty, amount: amount(e.amount) }
        }
        PoolEvents::TreatyAttached(e) => Event::TreatyAttached {
            treaty: e.treaty,
            share: Bps::new(id(e.shareBps) as u32),
            premium: Bps::new(id(e.premiumBps) as u32),
            start: Time(id(e.start)),
            end: Time(id(e.end)),
        },
        PoolEvents::TreatyDetached(e) => Event::TreatyDetached { treaty: e.treaty },
        PoolEvents::PremiumCeded(e) => Event::PremiumCeded { treaty: e.treaty, amount: amount(e.amount) },
        other => panic!("the twin has no event for {other:?}"),
    }
}

/// Parts of a treaty that a log of it says were touched.
pub(crate) fn touched(treaty: Address, log: &Log, parts: &mut BTreeSet<Part>) {
    parts.insert(Part::Treaty(treaty));
    match log.event {
        Event::CessionOpened { incident, year, .. } => {
            parts.extend([Part::Cession(treaty, incident), Part::TreatyYear(treaty, year)]);
        }
        Event::Encumbered { incident, .. }
        | Event::Drawn { incident, .. }
        | Event::DrawFailed { incident, .. }
        | Event::CessionSettled { incident, .. }
        | Event::ReturnReceived { incident, .. }
        | Event::ReturnClaimed { incident, .. } => parts.extend([Part::Cession(treaty, incident)]),
        Event::ShareTransfer { from, to, .. } => {
            let accounts = [from, to].into_iter().filter(|account| !account.is_zero());
            parts.extend(accounts.map(|account| Part::TreatyShares(treaty, account)));
        }
        _ => {}
    }
}

//! The books of a pool: what it holds and to whom each unit belongs.

use alloy::primitives::{Address, U256};
use breakwater_bindings::Pool;
use breakwater_bindings::demo::DemoToken;
use serde_json::{Value, json};

use crate::local::{Local, LocalError};
use crate::market::Market;
use crate::style::{Screen, amount};

/// Names of a pool's layers, first to last in line for losses.
pub(crate) const LAYERS: [&str; 4] = ["surplus", "junior", "mezzanine", "senior"];

/// What a pool holds, what that is made of, and where all units of its asset are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Books {
    /// The pool's balance of its asset.
    pub(crate) balance: U256,
    /// What it owes to whom.
    pub(crate) parts: Vec<(&'static str, U256)>,
    /// All units there are.
    pub(crate) supply: U256,
    /// Who holds them.
    pub(crate) holders: Vec<(String, U256)>,
    /// Layers of the pool.
    pub(crate) layers: [u128; 4],
    /// Taken from the layers and treaties for incidents and not paid.
    pub(crate) held_for_claims: U256,
    /// Premiums that are not earned yet.
    pub(crate) unearned: U256,
    /// Premiums that treaties are to be sent.
    pub(crate) set_aside: U256,
}

impl Books {
    /// Reads the books at the newest block; `incidents` are all that the pool may have booked, and `people`
    /// everyone who may hold the asset.
    pub(crate) async fn read(
        local: &Local,
        market: &Market,
        incidents: &[U256],
        people: &[(String, Address)],
    ) -> Result<Self, LocalError> {
        let (pool, asset) = (market.pool, market.asset);
        let state = local.view(pool, &Pool::stateCall {}).await?;
        let mut held_for_claims = U256::ZERO;
        for incident in incidents {
            let booking = local.view(pool, &Pool::bookingCall { incident: *incident }).await?;
            let cash = (booking.funded + booking.drawn).saturating_sub(booking.ceded + booking.paid);
            held_for_claims += U256::from(cash);
        }
        // A unit that is not wholly earned is not earned: rounded up, as the pool does.
        let unearned = state.unearnedScaled.div_ceil(U256::from(breakwater_primitives::WAD));
        let mut parts: Vec<(&'static str, U256)> =
            LAYERS.into_iter().zip(state.layers.map(U256::from)).collect();
        parts.extend([
            ("premiums not yet earned", unearned),
            ("reserved for incidents", held_for_claims),
            ("owed to accounts", state.owed),
            ("deposits not yet in force", state.pendingDeposits),
            ("paid to leavers, not fetched", state.redeemable),
        ]);
        if !state.premiums.is_zero() {
            parts.push(("premiums of treaties", state.premiums));
        }
        let mut holders = Vec::new();
        for (name, address) in people {
            let held = local.view(asset, &DemoToken::balanceOfCall { account: *address }).await?;
            if !held.is_zero() {
                holders.push((name.clone(), held));
            }
        }
        holders.sort_by(|(_, one), (_, other)| other.cmp(one));
        Ok(Self {
            balance: local.view(asset, &DemoToken::balanceOfCall { account: pool }).await?,
            parts,
            supply: local.view(asset, &DemoToken::totalSupplyCall {}).await?,
            holders,
            layers: state.layers,
            held_for_claims,
            unearned,
            set_aside: state.premiums,
        })
    }

    /// Whether every unit is accounted for.
    pub(crate) fn balanced(&self) -> bool {
        self.balance == self.total() && self.supply == self.held()
    }

    /// Prints both sums and whether they are right.
    pub(crate) fn show(&self, screen: &Screen, symbol: &str, decimals: u8) {
        let line = |name: &str, units: U256| format!("  {name:<30} {:>24}", amount(units, decimals));
        screen.say(format!("Books of the pool ({symbol})"));
        self.parts.iter().for_each(|(name, units)| screen.say(line(name, *units)));
        screen.say(line("sum of its parts", self.total()));
        screen.say(line("its balance of the token", self.balance));
        screen.say(self.verdict(screen, self.balance, self.total(), symbol, decimals));
        screen.say(format!("\nWhere every {symbol} is"));
        self.holders.iter().for_each(|(name, units)| screen.say(line(name, *units)));
        screen.say(line("sum of all accounts", self.held()));
        screen.say(line("supply of the token", self.supply));
        screen.say(self.verdict(screen, self.supply, self.held(), symbol, decimals));
    }

    /// All of it for scripts, amounts as decimal strings.
    pub(crate) fn json(&self) -> Value {
        let parts: serde_json::Map<String, Value> =
            self.parts.iter().map(|(name, units)| ((*name).to_owned(), units.to_string().into())).collect();
        let holders: serde_json::Map<String, Value> =
            self.holders.iter().map(|(name, units)| (name.clone(), units.to_string().into())).collect();
        json!({
            "event": "books",
            "balanced": self.balanced(),
            "balance": self.balance.to_string(),
            "parts": parts,
            "supply": self.supply.to_string(),
            "holders": holders,
        })
    }

    fn total(&self) -> U256 {
        self.parts.iter().map(|(_, units)| *units).sum()
    }

    fn held(&self) -> U256 {
        self.holders.iter().map(|(_, units)| *units).sum()
    }

    fn verdict(&self, screen: &Screen, expected: U256, got: U256, symbol: &str, decimals: u8) -> String {
        match expected == got {
            true => format!("  {}", screen.palette.green("balanced to the unit")),
            false => {
                let gap = amount(expected.abs_diff(got), decimals);
                format!("  {} {gap} {symbol} unaccounted for", screen.palette.red("not balanced:"))
            }
        }
    }
}

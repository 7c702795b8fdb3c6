//! Plays a case with Breakwater beside it: covers what can be covered, lets the keeper work between the case's
//! blocks, and waits until everything is settled.
//!
//! Nothing here sees a label: only the chain and the covered addresses.

use breakwater_node::Seen;

use crate::keeper::LocalKeeper;
use crate::local::Local;
use crate::market::{Cast, Market, Setup};
use crate::replay::case::Scene;
use crate::replay::chronicle;
use crate::replay::cover::Cover;
use crate::replay::report::Facts;
use crate::replay::stage;
use crate::trouble::Trouble;

/// The fastest market there can be, with money far above any case's sums, so that no cap binds.
const SETUP: Setup = Setup {
    symbol: "UNIT",
    decimals: 18,
    epoch: 1,
    cooldown: 1,
    waiting: 1,
    junior: 200_000_000_000_000_000_000_000_000_000,
    mezzanine: 300_000_000_000_000_000_000_000_000_000,
    senior: 500_000_000_000_000_000_000_000_000_000,
    purse: 100_000_000_000_000_000_000_000_000_000,
};

/// Blocks, a second apart, that listing a gauge and offering a product on it take.
const SEEK_BLOCKS: u64 = 3;

/// Blocks that are made at most after the last step; a dwell and its answers take fewer.
const AFTERMATH_BLOCKS_MAX: u64 = 400;

/// Blocks without any work after which nothing more is expected.
const QUIET_BLOCKS: u64 = 3;

/// Plays a scene to its end; trouble of our own ends it early and stands in the facts.
pub(crate) async fn play(scene: &Scene) -> Facts {
    let mut facts = Facts::default();
    if let Err(trouble) = run(scene, &mut facts).await {
        facts.trouble = Some(trouble.to_string());
    }
    facts
}

async fn run(scene: &Scene, facts: &mut Facts) -> Result<(), Trouble> {
    let cast = Cast::new();
    let mut local = stage::start(scene, &cast.all()).await?;
    let market = Market::open(&mut local, cast, SETUP).await?;
    let keeper = LocalKeeper::start(&local, &market).await?;
    let first = local.head().await?.number() + 1;
    let covers = scene.covered.iter().map(|subject| Cover::new(*subject, first)).collect();
    let mut play = Play { local, market, keeper, covers };
    for (index, step) in scene.steps.iter().enumerate() {
        let played = stage::play(&mut play.local, step).await?;
        facts.blocks.insert(step.index, played.number);
        facts.differences.extend(played.differences);
        match scene.steps.get(index + 1) {
            Some(next) => play.between(next.block.time - 1).await?,
            None => play.aftermath().await?,
        }
    }
    for cover in &play.covers {
        cover.tell(facts);
    }
    facts.incidents = chronicle::incidents(&play.local, &play.market).await?;
    Ok(())
}

struct Play {
    local: Local,
    market: Market,
    keeper: LocalKeeper,
    covers: Vec<Cover>,
}

impl Play {
    /// Our own blocks, a second apart and none later than `until`, as long as there is something to do.
    async fn between(&mut self, until: u64) -> Result<(), Trouble> {
        self.keeper_works().await?;
        for cover in &mut self.covers {
            if self.local.time() + SEEK_BLOCKS <= until {
                cover.seek(&mut self.local, &self.market).await?;
            }
        }
        while self.local.time() < until {
            let mut bought = false;
            for cover in &mut self.covers {
                if self.local.time() < until {
                    bought |= cover.buy(&mut self.local, &self.market).await?;
                }
            }
            let waits = self.covers.iter().any(|cover| cover.waits(self.local.time()));
            if !bought && !waits && self.local.pooled().await? == 0 {
                break;
            }
            if !bought {
                self.local.seal(self.local.time() + 1).await?;
            }
            self.keeper_works().await?;
        }
        Ok(())
    }

    /// Blocks after the last step, until no incident dwells and nothing waits.
    async fn aftermath(&mut self) -> Result<(), Trouble> {
        let mut quiet = 0;
        for _ in 0..AFTERMATH_BLOCKS_MAX {
            let idle = self.keeper_works().await?;
            let waits = self.local.pooled().await? > 0 || self.keeper.dwells();
            quiet = if waits || !idle { 0 } else { quiet + 1 };
            if quiet > QUIET_BLOCKS {
                return Ok(());
            }
            self.local.seal(self.local.time() + 1).await?;
        }
        Err(Trouble::Unsettled { blocks: AFTERMATH_BLOCKS_MAX })
    }

    /// Lets the keeper handle what is new; whether it had nothing to do.
    async fn keeper_works(&mut self) -> Result<bool, Trouble> {
        let report = self.keeper.tick().await?;
        for seen in &report.seen {
            if let Seen::Undecided { gauge, block, why } = seen {
                self.covers.iter_mut().for_each(|cover| cover.lose(*gauge, *block, why));
            }
        }
        Ok(report.sent.is_empty())
    }
}

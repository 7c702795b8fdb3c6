//! Making pools.

use std::path::{Path, PathBuf};

use alloy::primitives::{B256, keccak256};
use alloy::sol_types::SolEvent;
use breakwater_bindings::{Catalog, Factory, PoolConfig};
use clap::Args;

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene};
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::Quantity;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What pool.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater pool create --config pool.toml --account me --dry-run\n\
    The file has the members of one [[pools]] entry in docs/deploying.md; anybody may make a pool for any curator.")]
pub(crate) struct Create {
    /// TOML, or JSON if the name says so, with the pool's terms
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Another salt gives another address [default: the hash of the pool's name]
    #[arg(long, value_name = "HASH")]
    salt: Option<B256>,
    #[command(flatten)]
    act: Act,
}

/// Makes a pool through the factory, which registers it.
pub(crate) async fn create(asked: &Create, screen: &Screen) -> Result<Outcome, Failure> {
    let config = read(&asked.config)?;
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let factory = scene.deployment.factory;
    let terms = config.to_sol(scene.deployment.underwriting);
    let salt = asked.salt.unwrap_or_else(|| keccak256(&config.name));
    let call = Factory::poolOfCall { creator: signer.address(), config: terms.clone(), salt };
    let pool = scene.view(factory, &call).await?;
    if scene.view(scene.deployment.catalog, &Catalog::isPoolCall { pool }).await? {
        return Err(Failure::usage(format!("{pool} stands already: the same terms, salt and account"))
            .right("nothing to be done, or another --salt"));
    }
    let probes =
        vec![Probe::new("registered", scene.deployment.catalog, &Catalog::isPoolCall { pool }, |known| {
            Quantity::Text(if known { "yes" } else { "no" }.to_owned())
        })];
    let step =
        Step::new("making the pool", factory, &Factory::createPoolCall { config: terms.clone(), salt });
    let title = format!("making pool {} at {pool} for curator {}", config.name, config.curator);
    let plan = Plan::new("pool create", title, vec![step], probes).telling(|logs| {
        let made = logs.iter().find_map(|log| Factory::PoolCreated::decode_log(log).ok());
        made.map_or_else(Vec::new, |made| {
            vec![
                ("pool", Quantity::Account(made.pool)),
                ("junior", Quantity::Account(made.tranches[0])),
                ("mezzanine", Quantity::Account(made.tranches[1])),
                ("senior", Quantity::Account(made.tranches[2])),
            ]
        })
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

fn read(file: &Path) -> Result<PoolConfig, Failure> {
    let refuse = |wrong: String| {
        Failure::usage(format!("--config: {}: {wrong}", file.display()))
            .right("the members of one [[pools]] entry as docs/deploying.md describes them")
    };
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    match file.extension().is_some_and(|end| end == "json") {
        true => serde_json::from_str(&text).map_err(|error| refuse(error.to_string())),
        false => toml::from_str(&text).map_err(|error| refuse(error.to_string())),
    }
}

//! The command line: names, flags and environment variables, as Foundry's users know them.

use std::path::PathBuf;

use alloy::primitives::Address;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::act::Act;
use crate::capital::CapitalCommand;

const EXIT_CODES: &str = "Exit status: 0 ok, 1 failure, 2 wrong usage, 4 only partial data.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "breakwater", version, about = "Smart-contract cover that settles itself", after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print JSON, one object a line where there are several
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub(crate) json: bool,
    /// When to use colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Color::Auto,
        value_name = "WHEN",
        help_heading = "Options of every command"
    )]
    pub(crate) color: Color,
    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Options of every command")]
    pub(crate) verbose: u8,
}

/// When output has colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal only
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Questions about a chain
    Chain {
        #[command(subcommand)]
        command: ChainCommand,
    },
    /// Bring Breakwater onto a chain, or check what stands there
    ///
    /// Addresses follow from the configuration alone, and a second run does only what is missing.
    Deploy(Deploy),
    /// Run a daemon's role until it is interrupted
    Node(Node),
    /// Gauges: how the health of a contract is read from chain state
    Gauge {
        #[command(subcommand)]
        command: GaugeCommand,
    },
    #[command(flatten)]
    Act(Act),
    /// What a pool must hold and what each cover costs it, by simulation
    Capital {
        #[command(subcommand)]
        command: CapitalCommand,
    },
    /// Cover bought, two attacks or a case study, losses paid, books balanced; all on a local chain
    Demo(Demo),
    /// Play attack cases on a local chain and see what Breakwater proves and pays
    Replay {
        /// Cases in the format attack-corpus/1, or folders of them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
}

/// Which play to show.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// A case study in place of the two attacks; docs/case-studies.md tells them
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) scenario: Option<Scenario>,
}

/// Case studies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// A flash loan drains 15 % of a constant-product pair; cover of the protocol, proven
    Amm,
    /// A failed upgrade locks everyone in; cover of positions, told by a canary, 95 % against the shares
    Upgrade,
    /// A thief bends the price that a lender reads and liquidates its borrowers; oracle cover
    Oracle,
    /// A grantee re-enters a treasury and takes 30 % of it; custom cover, told by three reporters
    Reentrancy,
    /// An upgraded lending market loses 5 million; cover of positions, measured by three reporters' nodes
    Lending,
}

/// Questions about a chain.
#[derive(Debug, Subcommand)]
pub(crate) enum ChainCommand {
    /// Whether losses can be proven there: header hash, state proofs, history of block hashes
    Check {
        #[command(flatten)]
        rpc: Rpc,
    },
}

/// Gauges.
#[derive(Debug, Subcommand)]
pub(crate) enum GaugeCommand {
    /// Find the gauge of a contract, or why there is none and which rung serves
    Compile(GaugeCompile),
    /// What a gauge reads at blocks, proven against their state roots
    Read(GaugeRead),
}

/// What to compile and how.
#[derive(Debug, Args)]
pub(crate) struct GaugeCompile {
    /// The contract to cover
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) subject: Address,
    /// First block of the traffic to look at; the contract's creation is best
    #[arg(long, value_name = "BLOCK", default_value_t = 0)]
    pub(crate) from_block: u64,
    /// Block at which the gauge is compared with the contract's own answers; may be given several times, the
    /// newest is the one it is compiled at [default: the newest of the chain]
    #[arg(long = "block", value_name = "BLOCK")]
    pub(crate) blocks: Vec<u64>,
    /// Smallest loss that is an incident, in basis points
    #[arg(long, value_name = "BPS", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) threshold_bps: u16,
    /// How fast assets per share may honestly rise, in basis points a year
    #[arg(long, value_name = "BPS", default_value_t = 2_000)]
    pub(crate) growth_bps: u16,
    /// Smallest claims or shares at which a loss is defined [default: a hundredth of those now]
    #[arg(long, value_name = "UNITS")]
    pub(crate) floor: Option<u128>,
    #[command(flatten)]
    pub(crate) rpc: Rpc,
}

/// What to read.
#[derive(Debug, Args)]
pub(crate) struct GaugeRead {
    /// File with a gauge, as `gauge compile --json` prints it
    #[arg(long, value_name = "FILE")]
    pub(crate) gauge: PathBuf,
    /// Block to read; may be given several times [default: the newest]
    #[arg(long = "block", value_name = "BLOCK")]
    pub(crate) blocks: Vec<u64>,
    /// Further holder of an enumerated gauge; may be given several times
    #[arg(long = "holder", value_name = "ADDRESS")]
    pub(crate) holders: Vec<Address>,
    #[command(flatten)]
    pub(crate) rpc: Rpc,
}

/// What to deploy.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// TOML or JSON with roles, dwell and pools [default: all roles to the signing account, no pool]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Send nothing, only check what stands on the chain
    #[arg(long)]
    pub(crate) check: bool,
    /// Write the addresses here, for `breakwater node`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rpc: Rpc,
    #[command(flatten)]
    pub(crate) wallet: Wallet,
}

/// What a daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Watches gauges and triggers, asserts, opens, answers, finalises, settles, and keeps pools and products current
    Keeper,
    /// Measures what no proof decides, signs it, and posts it with the signatures of others
    Reporter,
}

/// Which daemon to run.
#[derive(Debug, Args)]
pub(crate) struct Node {
    /// What it does
    #[arg(long, value_enum)]
    pub(crate) role: Role,
    /// TOML with `deployment`, `journal`, and perhaps `rpc_urls`, `poll_seconds`, `confirmations`, `traffic_from`,
    /// `signatures`, `sign_after_blocks`, `refusals`, `challenge`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// JSON-RPC address in place of the file's; several are cross-checked
    #[arg(
        long = "rpc-url",
        env = "ETH_RPC_URL",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ','
    )]
    pub(crate) rpc_urls: Vec<String>,
    /// Directory in which reporters and keepers leave signatures for one another, in place of the file's
    #[arg(long, value_name = "DIR")]
    pub(crate) signatures: Option<PathBuf>,
    /// Reporter: challenge reports that say too much, at its own expense
    #[arg(long)]
    pub(crate) challenge: bool,
    #[command(flatten)]
    pub(crate) wallet: Wallet,
}

/// Where the chain is.
#[derive(Debug, Args)]
pub(crate) struct Rpc {
    /// JSON-RPC address; several are cross-checked
    #[arg(
        long = "rpc-url",
        env = "ETH_RPC_URL",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) urls: Vec<String>,
}

/// Whose key signs.
#[derive(Debug, Args)]
pub(crate) struct Wallet {
    /// Private key, 32 bytes in hex; visible to other users of the machine, so better a keystore
    #[arg(
        long,
        env = "ETH_PRIVATE_KEY",
        hide_env_values = true,
        value_name = "KEY",
        conflicts_with_all = ["keystore", "account"]
    )]
    pub(crate) private_key: Option<String>,
    /// Encrypted key file, as `cast wallet` writes it
    #[arg(long, env = "ETH_KEYSTORE", value_name = "FILE", conflicts_with = "account")]
    pub(crate) keystore: Option<PathBuf>,
    /// Name of a key file in ~/.foundry/keystores
    #[arg(long, env = "ETH_KEYSTORE_ACCOUNT", value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// File with the password of the key file, alone on its first line [default: it is asked for]
    #[arg(long, env = "ETH_PASSWORD", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

impl Wallet {
    /// Whether a key was named in any way.
    pub(crate) fn names_a_key(&self) -> bool {
        self.private_key.is_some() || self.keystore.is_some() || self.account.is_some()
    }
}

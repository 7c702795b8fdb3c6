//! What every command here begins with: a deployment, a chain that it stands on, and perhaps an account.

use std::path::PathBuf;
use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes, U64};
use alloy::rpc::types::{Filter, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolEvent};
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::{Catalog, Deployment, Pool};
use breakwater_chain::{ChainError, Endpoints, Head};
use breakwater_evm::{Reader, RpcSource, Rules, View, off_thread};
use clap::Args;
use serde_json::Value;

use crate::act::bench::{self, Bench};
use crate::act::units::Token;
use crate::act::words;
use crate::args::{Rpc, Wallet};
use crate::connect;
use crate::deploy;
use crate::failure::Failure;

/// Where to look.
#[derive(Debug, Args)]
pub(crate) struct Look {
    /// Addresses, as `breakwater deploy --out` wrote them
    #[arg(long, env = "BREAKWATER_DEPLOYMENT", value_name = "FILE")]
    pub(crate) deployment: PathBuf,
    #[command(flatten)]
    pub(crate) rpc: Rpc,
}

/// Where to act, as whom, and whether for real.
#[derive(Debug, Args)]
pub(crate) struct Act {
    #[command(flatten)]
    pub(crate) look: Look,
    #[command(flatten)]
    pub(crate) wallet: Wallet,
    /// Account that acts: checked against the key, alone enough for --dry-run, needed for --unlocked
    #[arg(long, env = "ETH_FROM", value_name = "ADDRESS")]
    pub(crate) from: Option<Address>,
    /// Let the node sign for --from, as development nodes can
    #[arg(long, requires = "from", conflicts_with_all = ["private_key", "keystore", "account"])]
    pub(crate) unlocked: bool,
    /// Only print what would change; nothing is signed or sent
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Blocks that must follow a transaction's block before the next step
    #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
    pub(crate) confirmations: u64,
}

/// Who signs.
#[derive(Debug, Clone)]
pub(crate) enum Signer {
    /// A key of ours.
    Key(Box<PrivateKeySigner>),
    /// The node, for an account that it keeps.
    Node(Address),
    /// Nobody: only a dry run can be made.
    Nobody(Address),
}

impl Signer {
    /// The account that acts.
    pub(crate) fn address(&self) -> Address {
        match self {
            Self::Key(key) => key.address(),
            Self::Node(from) | Self::Nobody(from) => *from,
        }
    }
}

impl Act {
    /// The signer that the flags name, with a warning where a key was given in the open.
    pub(crate) fn signer(&self) -> Result<Signer, Failure> {
        if self.wallet.names_a_key() {
            if self.wallet.private_key.is_some() {
                tracing::warn!("a private key in a flag or variable can be read by others; better --account");
            }
            let key = connect::signer(&self.wallet)?;
            return match self.from {
                Some(from) if from != key.address() => Err(Failure::usage(format!(
                    "--from: expected {}, the key's account, got {from}",
                    key.address()
                ))
                .right("the account of the key, or no --from")),
                _ => Ok(Signer::Key(Box::new(key))),
            };
        }
        match self.from {
            Some(from) if self.unlocked => Ok(Signer::Node(from)),
            Some(from) if self.dry_run => Ok(Signer::Nobody(from)),
            _ => connect::signer(&self.wallet).map(|key| Signer::Key(Box::new(key))),
        }
    }
}

/// A deployment on a chain, read at its newest block.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// The chain.
    pub(crate) endpoints: Endpoints,
    /// Where Breakwater stands on it.
    pub(crate) deployment: Deployment,
    /// The block that everything is read at.
    pub(crate) head: Head,
    url: String,
}

impl Scene {
    /// Reads the file, connects, and refuses a chain that is not the deployment's.
    pub(crate) async fn open(look: &Look) -> Result<Self, Failure> {
        Self::open_at(look, None).await
    }

    /// The same at an older block, which the endpoint must still have.
    pub(crate) async fn open_at(look: &Look, number: Option<u64>) -> Result<Self, Failure> {
        let deployment = deploy::read(&look.deployment)?;
        let endpoints = connect::endpoints(&look.rpc)?;
        let chain_id = endpoints.chain_id().await.map_err(connect::unreadable)?;
        if chain_id != deployment.chain_id {
            return Err(Failure::usage(format!("expected chain {}, got {chain_id}", deployment.chain_id))
                .right("an endpoint of the deployment's chain, or the deployment of this chain"));
        }
        let head = match number {
            None => endpoints.head().await,
            Some(number) => endpoints.head_at(number, None).await,
        };
        let head = head.map_err(connect::unreadable)?;
        let url = look.rpc.urls.first().map(|url| url.trim().to_owned()).unwrap_or_default();
        Ok(Self { endpoints, deployment, head, url })
    }

    /// Asks a view at the newest block.
    pub(crate) async fn view<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, Failure> {
        let output = self.ask(&self.head, to, call.abi_encode().into()).await?;
        let output = output.map_err(|data| words::reverted(C::SIGNATURE, &data))?;
        C::abi_decode_returns(&output).map_err(|error| words::strange(to, C::SIGNATURE, &error.to_string()))
    }

    /// Asks a view after a block; the revert data where it reverts.
    pub(crate) async fn ask(
        &self,
        at: &Head,
        to: Address,
        data: Bytes,
    ) -> Result<Result<Bytes, Bytes>, Failure> {
        let request = TransactionRequest::default().to(to).input(data.into());
        match self.endpoints.call(at, &request).await {
            Ok(output) => Ok(Ok(output)),
            Err(ChainError::Reverted { error, .. }) => Ok(Err(error.data.unwrap_or_default())),
            Err(error) => Err(connect::unreadable(error)),
        }
    }

    /// All events of one kind that a contract of the deployment emitted, in order, with block numbers.
    pub(crate) async fn events<E: SolEvent>(
        &self,
        of: Address,
        filter: Filter,
    ) -> Result<Vec<(u64, E)>, Failure> {
        let filter = filter.address(of).event_signature(E::SIGNATURE_HASH);
        let range = self.deployment.from_block..=self.head.number();
        let logs = self.endpoints.logs(range, &filter).await.map_err(connect::unreadable)?;
        let decoded = logs.iter().filter_map(|log| {
            let event = E::decode_log(&log.inner).ok()?;
            Some((log.block_number.unwrap_or_default(), event.data))
        });
        Ok(decoded.collect())
    }

    /// What a token says of itself.
    pub(crate) async fn token(&self, address: Address) -> Result<Token, Failure> {
        let decimals = self.view(address, &DemoToken::decimalsCall {}).await?;
        let symbol = self.ask(&self.head, address, DemoToken::symbolCall {}.abi_encode().into()).await?;
        let symbol = symbol.ok().and_then(|output| symbol_in(&output)).unwrap_or_else(|| address.to_string());
        Ok(Token { address, symbol, decimals })
    }

    /// The asset of a pool.
    pub(crate) async fn asset_of(&self, pool: Address) -> Result<Token, Failure> {
        let asset = self.view(pool, &Pool::assetCall {}).await?;
        self.token(asset).await
    }

    /// A registered pool by its name in the deployment file or by its address.
    pub(crate) async fn pool(&self, text: &str) -> Result<Address, Failure> {
        let known = || self.deployment.pools.keys().cloned().collect::<Vec<_>>().join(", ");
        let named = self.deployment.pools.get(text).copied();
        let address = named.or_else(|| text.parse().ok()).ok_or_else(|| {
            Failure::usage(format!("--pool: expected a name or an address, got {text:?}"))
                .right(format!("one of {}, or an address: breakwater pools", known()))
        })?;
        match self.view(self.deployment.catalog, &Catalog::isPoolCall { pool: address }).await? {
            true => Ok(address),
            false => Err(Failure::usage(format!("--pool: {address} is not registered"))
                .right("a registered pool: breakwater pools")),
        }
    }

    /// Every registered pool in the order of registration.
    pub(crate) async fn pools(&self) -> Result<Vec<Address>, Failure> {
        let events: Vec<(u64, Catalog::PoolRegistered)> =
            self.events(self.deployment.catalog, Filter::new()).await?;
        Ok(events.into_iter().map(|(_, event)| event.pool).collect())
    }

    /// The name of a pool in the deployment file, or its address.
    pub(crate) fn pool_name(&self, pool: Address) -> String {
        let named = self.deployment.pools.iter().find(|(_, address)| **address == pool);
        named.map_or_else(|| pool.to_string(), |(name, _)| name.clone())
    }

    /// A private copy of the newest state, in the block that is to come.
    pub(crate) async fn bench(&self) -> Result<Bench, Failure> {
        self.forked(self.next_time().await, 1).await
    }

    /// A private copy of the newest state in that very block, so that everybody who looks at it finds the same.
    pub(crate) async fn still(&self) -> Result<Bench, Failure> {
        self.forked(self.head.timestamp(), 0).await
    }

    /// A private copy of the newest state, so many blocks later at this time.
    async fn forked(&self, time: u64, blocks: u64) -> Result<Bench, Failure> {
        let source = RpcSource::http(&self.url).map_err(|error| Failure::usage(error.to_string()))?;
        let (number, hash, now) = (self.head.number(), self.head.hash(), self.head.timestamp());
        let fork = off_thread(move || {
            let view = View::at(&Reader::new(Arc::new(source)), number, Rules::Auto)?;
            let mut fork = view.fork();
            fork.advance(time.saturating_sub(now), blocks);
            Ok((fork, view.block().hash))
        });
        let (fork, got) = fork.await.and_then(|done| done).map_err(|error| bench::unreadable(&error))?;
        match got == hash {
            true => Ok(Bench::new(fork, number.saturating_add(blocks), time)),
            false => Err(Failure::new(format!("block {number}: expected {hash}, got {got}"))
                .right("the same command again: the chain was reorganised meanwhile")),
        }
    }

    /// Time of the block that is to come: the node's guess if it makes one, else a slot after the newest one.
    async fn next_time(&self) -> u64 {
        const SLOT: u64 = 12;
        let newest = self.head.timestamp();
        let pending: Result<Value, _> =
            self.endpoints.request("eth_getBlockByNumber", ("pending", false)).await;
        let field = |block: &Value, name: &str| -> Option<u64> {
            serde_json::from_value::<U64>(block[name].clone()).ok().map(|value| value.to())
        };
        // Some nodes answer with the newest block again, which guesses nothing.
        let guess = pending
            .ok()
            .filter(|block| field(block, "number") > Some(self.head.number()))
            .and_then(|block| field(&block, "timestamp"));
        guess.map_or(newest.saturating_add(SLOT), |time| time.max(newest.saturating_add(1)))
    }
}

/// A string, or the 32 bytes that some old tokens answer with.
fn symbol_in(output: &Bytes) -> Option<String> {
    if let Ok(symbol) = DemoToken::symbolCall::abi_decode_returns(output) {
        return clean(&symbol);
    }
    let word = B256::try_from(output.as_ref()).ok()?;
    clean(std::str::from_utf8(word.as_slice()).ok()?.trim_end_matches('\0'))
}

/// A symbol comes from a stranger's contract: only short printable ones reach a terminal.
fn clean(symbol: &str) -> Option<String> {
    let fits = !symbol.is_empty() && symbol.chars().count() <= 16;
    (fits && symbol.chars().all(|c| !c.is_control() && !c.is_whitespace())).then(|| symbol.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::sol_types::SolValue;

    #[test]
    fn symbols_of_all_kinds_are_read_and_bad_ones_are_not_shown() {
        let text = |symbol: &str| symbol_in(&symbol.abi_encode().into());
        assert_eq!(text("dUSD").as_deref(), Some("dUSD"));
        let mut word = B256::ZERO;
        word[..3].copy_from_slice(b"MKR");
        assert_eq!(symbol_in(&Bytes::from(word.to_vec())).as_deref(), Some("MKR"));
        for bad in ["", "\u{1b}[31mUSD", "a symbol with spaces", "waytoolongforasymbol"] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
        assert_eq!(symbol_in(&Bytes::new()), None);
    }
}

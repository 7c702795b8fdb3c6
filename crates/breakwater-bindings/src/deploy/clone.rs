//! Pools and tranches as the factory makes them: OpenZeppelin's clones with arguments behind the forwarder.

use alloy::primitives::{Address, B256, keccak256};
use alloy::sol_types::SolValue;

use crate::contracts::Factory::PoolConfig;

/// Bytes of the forwarder, before the arguments.
const FORWARDER: usize = 45;
/// Bytes of a pool's arguments: those of `Terms.pack`.
const POOL_ARGUMENTS: usize = 158;
/// Bytes of a tranche's arguments: pool, asset, curator, layer, decimals, epoch, cooldown.
const TRANCHE_ARGUMENTS: usize = 70;

/// The forwarder to `implementation` with its arguments: the code of a clone.
pub(crate) fn runtime(implementation: Address, arguments: &[u8]) -> Vec<u8> {
    let head = [0x36, 0x3d, 0x3d, 0x37, 0x3d, 0x3d, 0x3d, 0x36, 0x3d, 0x73];
    let tail = [0x5a, 0xf4, 0x3d, 0x82, 0x80, 0x3e, 0x90, 0x3d, 0x91, 0x60, 0x2b, 0x57, 0xfd, 0x5b, 0xf3];
    [&head[..], implementation.as_slice(), &tail[..], arguments].concat()
}

/// Where `createPool` of `creator` puts a pool; see `IFactory.poolOf`.
pub(super) fn pool_address(
    factory: Address,
    implementation: Address,
    creator: Address,
    salt: B256,
    config: &PoolConfig,
) -> Address {
    let code = runtime(implementation, &pack(config));
    // Lengths of clones are far below 2^16.
    let [.., high, low] = code.len().to_be_bytes();
    let head = [0x61, high, low, 0x3d, 0x81, 0x60, 0x0a, 0x3d, 0x39, 0xf3];
    factory.create2_from_code(keccak256((creator, salt).abi_encode()), [&head[..], &code].concat())
}

/// Whether `code` is that of a pool, whatever its config.
pub(crate) fn is_pool(code: &[u8], implementation: Address) -> bool {
    code.len() == FORWARDER + POOL_ARGUMENTS && code.starts_with(&runtime(implementation, &[]))
}

/// Whether `code` is that of the tranche of one layer of one pool.
pub(crate) fn is_tranche(code: &[u8], implementation: Address, pool: Address, layer: u8) -> bool {
    code.len() == FORWARDER + TRANCHE_ARGUMENTS
        && code.starts_with(&runtime(implementation, pool.as_slice()))
        && code.get(FORWARDER + 60) == Some(&layer)
}

/// `Terms.pack`.
fn pack(config: &PoolConfig) -> Vec<u8> {
    let [junior, mezzanine, senior] = config.weightBps;
    let parties = (config.asset, config.curator, config.epoch, config.cooldown, config.leverageBps);
    let shares =
        (config.curatorShareBps, config.subordinationBps, config.surplusBps, junior, mezzanine, senior);
    let price = (config.costOfCapital, config.kink, config.scarcityKink, config.scarcityFull);
    let surge = (config.surgeSlope, config.surgeMax, config.surgeHalfLife);
    let bound = (config.underwriting, config.gate, config.curatorFeeBps);
    [
        parties.abi_encode_packed(),
        shares.abi_encode_packed(),
        price.abi_encode_packed(),
        surge.abi_encode_packed(),
        bound.abi_encode_packed(),
    ]
    .concat()
}

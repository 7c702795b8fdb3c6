//! The deterministic deployment proxy: a contract without owner, at one address on every chain, that creates
//! whatever it is sent with CREATE2.

use alloy::primitives::{Address, B256, Bytes, U256, address, hex};

/// Where it stands on every chain.
pub const PROXY: Address = address!("0x4e59b44847b379578588920ca78fbf26c0b4956c");
/// Its code.
pub const PROXY_CODE: &[u8] = &hex!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);
/// Whose first transaction creates it. Nobody has this account's key: its one signature was made up.
pub const PROXY_SIGNER: Address = address!("0x3fab184622dc19b6109349b94811493bf2a45362");
/// What that transaction costs: 100,000 gas at 100 gwei.
pub const PRESIGNED_COST_WEI: U256 = U256::from_limbs([10_000_000_000_000_000, 0, 0, 0]);
/// That transaction, valid on every chain that takes transactions without a chain id.
pub const PRESIGNED: &[u8] = &hex!(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222"
);

/// What the proxy is sent to create a contract.
pub(super) fn calldata(salt: B256, init_code: &[u8]) -> Bytes {
    [salt.as_slice(), init_code].concat().into()
}

/// Where the proxy creates it.
pub(super) fn address_of(salt: B256, init_code: &[u8]) -> Address {
    PROXY.create2_from_code(salt, init_code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::consensus::transaction::SignerRecoverable;
    use alloy::consensus::{Transaction, TxEnvelope};
    use alloy::eips::eip2718::Decodable2718;

    #[test]
    fn the_presigned_transaction_creates_the_proxy() {
        let transaction = TxEnvelope::decode_2718(&mut &PRESIGNED[..]).unwrap();
        assert_eq!(transaction.recover_signer().unwrap(), PROXY_SIGNER);
        assert_eq!(PROXY_SIGNER.create(0), PROXY);
        assert_eq!((transaction.nonce(), transaction.chain_id()), (0, None));
        let cost = U256::from(transaction.gas_limit()) * U256::from(transaction.max_fee_per_gas());
        assert_eq!(cost, PRESIGNED_COST_WEI);
        assert!(transaction.input().ends_with(PROXY_CODE));
    }
}

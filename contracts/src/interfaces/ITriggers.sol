// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice What may open an incident where no gauge measures one: feeds, a canary, reporters. Its id is
///         keccak256(abi.encode(keccak256("breakwater.trigger/1"), trigger)), so that it is never a gauge's; products
///         name it in place of a gauge. A listed trigger never changes.
struct Trigger {
    uint256 chainId;
    uint8 rungs; // bit i: Rung(i) may open incidents on it; never the bit of the proof rung
    address asset; // what base and loss are counted in; zero: the chain's native coin
    address subject; // the covered contract
    bytes4 selector; // the covered function; zero: the whole contract
    bytes32 claims; // where the holders' claims are kept, as of a gauge's subject; zero: nowhere on chain
    uint64 threshold; // wad, 0 < threshold <= 1e18: the smallest loss that is an incident
    bytes terms; // what the rung reads it by: abi.encode of a struct of that rung; empty: reporters alone
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice How a subject's health is computed from the words a gauge reads. See docs/design.md, "Measuring".
enum Form {
    Ratio, // assets over shares
    Par, // claims fixed in the asset, with a total on chain
    Enumerated, // par claims kept holder by holder, without a total
    Geometric // sqrt(reserve0 * reserve1) over supply
}

/// @notice Which sum a term belongs to and its sign. A geometric gauge has exactly two `AssetAdd` terms,
///         its reserves; an enumerated gauge has no claim terms.
enum Side {
    AssetAdd,
    AssetSub,
    ClaimAdd,
    ClaimSub
}

/// @notice An account whose words are read, with the code it must have. Order is the order of the proofs.
struct PinnedAccount {
    address account;
    bytes32 codeHash; // zero: the account must be absent or hold no code
}

/// @notice A word that must hold exactly `value` at every reading: an implementation, a beacon.
struct Pin {
    uint8 account; // index into `accounts`
    bytes32 slot;
    bytes32 value;
}

/// @notice One number: bits [offset, offset + width) of a storage word, or the account's native balance,
///         times `scale`.
struct Term {
    uint8 account;
    Side side;
    bool native; // the account's balance; `slot`, `offset`, `width` are zero
    bytes32 slot;
    uint8 offset; // bits, from the least significant
    uint16 width; // bits, 1 to 256
    uint64 scale; // multiplier, at least 1
}

/// @notice Where one holder's shares or claims are kept: a mapping keyed by the holder's address.
///         slot = hash(holder, base); with `nested`, slot = hash(innerKey, slot); then slot += word.
///         `vyper` swaps the operands of both hashes: keccak(slot . key) in place of keccak(key . slot).
struct Holding {
    uint8 account;
    bool vyper;
    bool nested;
    uint8 offset;
    uint16 width;
    uint64 scale;
    uint32 word;
    bytes32 base;
    bytes32 innerKey;
}

/// @notice Everything that defines a gauge. Its id is keccak256(abi.encode(spec)): a gauge never changes.
struct GaugeSpec {
    uint256 chainId;
    Form form;
    address asset; // what the assets are counted in; zero: the chain's native coin
    uint64 threshold; // wad, 0 < threshold <= 1e18: the smallest loss that is an incident
    uint64 growth; // wad per year: how fast assets per share may honestly rise
    uint64 pinnedAt; // seconds: when assets0 and shares0 were read
    uint128 floor; // smallest claims (par) or shares (ratio) at which a loss is defined
    uint128 assets0; // ratio and geometric: health at pinnedAt is assets0 / shares0
    uint128 shares0;
    PinnedAccount[] accounts; // 1 to 8, strictly ascending by address
    Pin[] pins; // at most 8
    Term[] terms; // at most 16
    Holding holding;
}

/// @notice What a gauge reads in one block.
struct Reading {
    uint64 number; // block
    uint64 time; // seconds
    uint128 assets; // geometric: floor(sqrt(reserve0 * reserve1))
    uint128 claims; // shares for ratio and geometric
    bytes32 holders; // enumerated: chain hash of the sorted holders; else zero
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ITranche} from "../interfaces/ITranche.sol";
import {Buckets, Days} from "./Buckets.sol";
import {Cessions} from "./Cessions.sol";
import {Exposure} from "./Exposure.sol";
import {Stream} from "./Stream.sol";
import {Waterfall} from "./Waterfall.sol";

/// @title The state of a pool
/// @notice One struct, so that `Bookings` can work on it in the pool's own storage.
library Ledger {
    /// @dev What one incident left of one product. `instantPaid` is at most what the reserve holds for it.
    struct Share {
        uint128 instantPaid;
        uint64 fraction; // wad, at most 1e18
    }

    /// @dev Idle capital in a yield vault, see `Idle`.
    struct Vault {
        address vault; // zero: the curator named none
        uint32 effectiveAt; // seconds: from then on he may invest
        uint32 markedAt; // seconds
        uint32 blindSince; // seconds: it could not be read since; zero: it can
        uint128 mark; // what the shares count for; part of the layers
        uint128 gain; // of a withdrawal beyond its mark, earned at the next accrual
        uint256 shares; // by the pool's own count
        bytes32 cluster;
        uint16 capBps; // of capital
        uint32 fellAt; // seconds: the mark fell last
        uint128 lost; // what the vault lost and has not earned again; no fee is due on it
    }

    struct Store {
        // Of layers 1 to 3; written once. The config stands in the clone's code, see `Terms`.
        ITranche[3] tranches;
        // Surplus, junior, mezzanine, senior: money that bears losses. Two words.
        uint128[4] layers;
        Stream.Store stream;
        // One word: exposure that counts for price, leverage and exits. Invariant: the sum over all policies. That over
        // all products is more by what portfolios count in each of their legs.
        uint128 exposure;
        uint64 surge; // wad, as of `surgeAt`
        uint32 surgeAt; // seconds, enough until 2106
        uint32 rolled; // day: all releases up to it are out of `exposure`
        Days.Sums exposureEnds;
        // One word: money of depositors who wait for shares, and of cohorts that were paid.
        uint128 pendingDeposits;
        uint128 redeemable;
        // One word. Invariant: `owedSum` is the sum of `owed`.
        uint128 owedSum;
        uint64 closedAt; // seconds; zero: open
        uint32 epochDone; // deposits and exits of all epochs up to it are done
        uint32 dwelling; // bookings whose incident dwells
        mapping(address account => uint256 amount) owed;
        // One word. Invariant: `instantOutstanding` is the sum of instantPaid of the bookings that are not settled.
        uint128 capSum; // sum of the caps asked for; pending ones count
        uint128 instantOutstanding;
        // The curator's junior shares that may not leave his balance.
        uint256 locked;
        mapping(bytes32 product => Exposure.Cover) covers;
        // Empty in a pool whose curator alone sets limits.
        mapping(bytes32 cluster => Buckets.Store) clusters;
        // At most four each; the catalog knows the pool under every gauge that has one.
        mapping(bytes32 gauge => bytes32[]) products;
        mapping(uint256 incident => Waterfall.Entry) entries;
        mapping(uint256 incident => mapping(bytes32 product => Share)) shares;
        Vault vault;
        // Incidents in the order in which they fell short. One that is no longer short is dropped at the head.
        uint256[] short_;
        uint256 shortHead;
        Cessions.Store cessions;
    }
}

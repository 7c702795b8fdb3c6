// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IIncidents} from "../interfaces/IIncidents.sol";
import {IPool} from "../interfaces/IPool.sol";
import {IUnderwriting} from "../interfaces/IUnderwriting.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {Buckets} from "../libraries/Buckets.sol";
import {Exposure} from "../libraries/Exposure.sol";
import {Ledger} from "../libraries/Ledger.sol";
import {Price} from "../libraries/Price.sol";
import {Terms} from "../libraries/Terms.sol";
import {Clone} from "./Clone.sol";

/// @title What the two halves of a pool's code share: the state
/// @notice `Pool` and `PoolDesk` run on the storage of one clone. Neither they nor anything that they inherit may
///         declare state but `_l`, so that both see the same words; the guard against re-entry is one transient word
///         of the clone and holds for both.
abstract contract PoolBase is Clone, ReentrancyGuardTransient {
    using Buckets for Buckets.Store;
    using Exposure for Exposure.Cover;

    uint256 internal constant BPS = 10_000;
    uint256 internal constant JUNIOR = 1;

    ICatalog internal immutable _catalog;
    IIncidents internal immutable _incidents;

    struct Limits {
        uint256 leverage; // bps, not zero
        uint256 cap; // pool units
        uint256 floorRate; // wad a year
        bytes32 cluster; // zero: no certificates bind the pool
        uint256 clusterCap; // pool units
    }

    /// @dev Everything, word by word in `Ledger`.
    Ledger.Store internal _l;

    constructor(ICatalog catalog_, IIncidents incidents_) {
        (_catalog, _incidents) = (catalog_, incidents_);
    }

    /// @dev What may be sold of a product now, and at which rate at least. Reverts where nothing may.
    function _limits(bytes32 product, Exposure.Cover storage cover) internal view returns (Limits memory l) {
        bool live;
        (l.cap, l.floorRate, live) = cover.setting(block.timestamp);
        if (!live) revert IPool.NotEffective(product, cover.effectiveAt);
        l.leverage = Terms.leverageBps();
        address underwriting = Terms.underwriting();
        if (underwriting == address(0)) return l;
        (uint256 leverage, uint256 cap, bytes32 cluster, uint256 clusterCap, uint256 floorRate, bool open) =
            IUnderwriting(underwriting).limits(address(this), product);
        if (!open) revert IPool.NotCertified(product);
        (l.leverage, l.cap) = (Math.min(l.leverage, leverage), Math.min(l.cap, cap));
        (l.floorRate, l.cluster, l.clusterCap) = (Math.max(l.floorRate, floorRate), cluster, clusterCap);
    }

    /// @dev Exposure of a cluster, and idle capital if the vault belongs to it: both are gone together.
    function _inCluster(bytes32 cluster) internal view returns (uint256 sum) {
        sum = _l.clusters[cluster].sumAt(block.timestamp);
        if (_l.vault.cluster == cluster) sum += _l.vault.mark;
    }

    function _surgeNow() internal view returns (uint256) {
        return Price.decayed(_l.surge, block.timestamp - _l.surgeAt, Terms.surgeHalfLife());
    }

    function _capital() internal view returns (uint256) {
        return uint256(_l.layers[0]) + _l.layers[1] + _l.layers[2] + _l.layers[3];
    }

    function _lockValue(uint256 shares) internal view returns (uint256) {
        return shares == 0 ? 0 : _tranche(JUNIOR).convertToAssets(shares);
    }

    function _setLocked(uint256 shares) internal {
        _l.locked = shares;
        emit IPool.CuratorLocked(shares);
    }

    function _tranche(uint256 index) internal view returns (ITranche) {
        return _l.tranches[index - 1];
    }

    function _known(bytes32 product) internal view returns (Exposure.Cover storage cover) {
        cover = _l.covers[product];
        if (cover.gauge == 0) revert IPool.UnknownProduct(product);
    }

    /// @dev Reverts with an error of one argument, the caller.
    function _only(address expected, bytes4 error_) internal view {
        if (msg.sender == expected) return;
        bytes memory data = abi.encodeWithSelector(error_, msg.sender);
        assembly ("memory-safe") {
            revert(add(data, 32), mload(data))
        }
    }
}

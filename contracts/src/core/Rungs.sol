// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IExtensions} from "../interfaces/IExtensions.sol";
import {IIncidents, Rung} from "../interfaces/IIncidents.sol";
import {ILadder, Times} from "../interfaces/ILadder.sol";
import {Booking, IPool} from "../interfaces/IPool.sol";

/// @title What incidents know of the rungs: who serves them, how long each gives for an answer, how much may be open
///        on its word, and which payouts wait for the guardian
abstract contract Rungs is IIncidents, ILadder, IExtensions, AccessManaged {
    uint256 private constant BPS = 10_000;
    /// @dev `heavyBps` of a deployment in which nothing waits.
    uint16 private constant NEVER = type(uint16).max;

    ICatalog public immutable catalog;
    /// @inheritdoc IIncidents
    uint64 public immutable dwell;
    /// @inheritdoc IIncidents
    uint32 public immutable claimWindow;
    uint64 private immutable _quorumWindow;
    uint64 private immutable _assemblyWindow;
    /// @inheritdoc ILadder
    uint64 public immutable guardianDelay;
    /// @inheritdoc ILadder
    uint16 public immutable heavyBps;

    /// @notice The one contract that may consume; zero until wired.
    address public policies;
    /// @dev Somebody is there to decide. Where nobody is, what was held ends as it was asserted.
    bool internal _hasAssembly;
    /// @inheritdoc ILadder
    address public guardian;
    /// @dev One more than the rung that a contract serves; zero for none. Never changes once wired.
    mapping(address rungContract => uint256 rung) internal _rung;
    mapping(Rung rung => address[] contracts) private _contracts;
    /// @inheritdoc ILadder
    mapping(uint8 rung => mapping(address asset => uint256)) public ceiling;
    /// @inheritdoc ILadder
    mapping(uint8 rung => mapping(address asset => uint256)) public openOn;
    /// @dev What of an incident's booking in a pool is in `openOn`.
    mapping(uint256 id => mapping(address pool => uint256)) private _counted;

    constructor(ICatalog catalog_, address authority) AccessManaged(authority) {
        // What holders read and what happens to them is one set of numbers.
        Times memory t = catalog_.renderer().times();
        if (t.dwell == 0) revert NoTime("dwell");
        if (t.claimWindow == 0) revert NoTime("claimWindow");
        if (t.quorumWindow == 0) revert NoTime("quorumWindow");
        if (t.assemblyWindow == 0) revert NoTime("assemblyWindow");
        if (t.guardianDelay == 0) revert NoTime("guardianDelay");
        catalog = catalog_;
        (dwell, claimWindow) = (t.dwell, t.claimWindow);
        (_quorumWindow, _assemblyWindow) = (t.quorumWindow, t.assemblyWindow);
        (guardianDelay, heavyBps) = (t.guardianDelay, t.heavyBps);
    }

    /// @inheritdoc IIncidents
    function wire(address policies_, address[] calldata contracts, Rung[] calldata rungs)
        external
        restricted
    {
        if (policies != address(0)) revert AlreadyWired();
        if (policies_ == address(0) || contracts.length != rungs.length) {
            revert BadWiring(policies_, contracts.length, rungs.length);
        }
        policies = policies_;
        for (uint256 i; i < rungs.length; ++i) {
            _rung[contracts[i]] = 1 + uint256(rungs[i]);
            _contracts[rungs[i]].push(contracts[i]);
            if (rungs[i] == Rung.Assembly) _hasAssembly = true;
        }
        emit Wired(policies_, contracts, rungs);
    }

    /// @inheritdoc ILadder
    function setCeiling(uint8 rung, address asset, uint128 ceiling_) external restricted {
        ceiling[rung][asset] = ceiling_;
        emit CeilingSet(rung, asset, ceiling_);
    }

    /// @inheritdoc ILadder
    function setGuardian(address guardian_) external restricted {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// @inheritdoc IExtensions
    function rungContracts(Rung rung) external view returns (address[] memory) {
        return _contracts[rung];
    }

    /// @inheritdoc ILadder
    function window(uint8 rung) public view returns (uint64) {
        if (rung == uint8(Rung.Quorum)) return _quorumWindow;
        if (rung == uint8(Rung.Assembly)) return _assemblyWindow;
        return dwell;
    }

    /// @dev Brings what counts for the rung to what the pools can pay now. Answers whether a rise led above a ceiling;
    ///      what is open is never measured against a ceiling that was lowered later.
    function _count(uint256 id, Rung rung_, address[] memory pools) internal returns (bool over) {
        uint8 rung = uint8(rung_);
        for (uint256 i; i < pools.length; ++i) {
            uint256 before = _counted[id][pools[i]];
            (uint256 payable_,) = _payable(id, pools[i]);
            if (payable_ == before) continue;
            address asset = IPool(pools[i]).asset();
            uint256 sum = openOn[rung][asset] + payable_ - before;
            (openOn[rung][asset], _counted[id][pools[i]]) = (sum, payable_);
            emit Counted(id, pools[i], payable_);
            if (payable_ > before && sum > ceiling[rung][asset]) over = true;
        }
    }

    /// @dev The incident leaves the account of its rung: it is over, or the assembly's.
    function _uncount(uint256 id, Rung rung, address[] memory pools) internal {
        for (uint256 i; i < pools.length; ++i) {
            uint256 counted = _counted[id][pools[i]];
            if (counted == 0) continue;
            _counted[id][pools[i]] = 0;
            openOn[uint8(rung)][IPool(pools[i]).asset()] -= counted;
        }
    }

    /// @dev Whether the pools of one asset together can pay more than the stated part of what they held when they
    ///      booked the incident. One pool alone, which anyone can make, says nothing of the others.
    function _great(uint256 id, address[] memory pools) internal view returns (bool) {
        if (heavyBps == NEVER || guardian == address(0)) return false;
        address[] memory assets = new address[](pools.length);
        uint256[] memory payable_ = new uint256[](pools.length);
        uint256[] memory held = new uint256[](pools.length);
        for (uint256 i; i < pools.length; ++i) {
            assets[i] = IPool(pools[i]).asset();
            (uint256 most, uint256 limit) = _payable(id, pools[i]);
            // At the place of the first pool of the same asset; each place is final once its last pool has added.
            uint256 k;
            while (assets[k] != assets[i]) ++k;
            payable_[k] += most;
            held[k] += limit;
        }
        for (uint256 i; i < pools.length; ++i) {
            if (payable_[i] * BPS > held[i] * heavyBps) return true;
        }
        return false;
    }

    /// @dev What a pool can pay for an incident, and what its layers held when it booked it. Cover that a pool sold
    ///      beyond what it has is nobody's payout; what another booking took from the layers may come to this one.
    function _payable(uint256 id, address pool) private view returns (uint256 most, uint256 held) {
        Booking memory b = IPool(pool).booking(id);
        held = uint256(b.limit[0]) + b.limit[1] + b.limit[2] + b.limit[3];
        most = Math.min(b.reserved, Math.saturatingAdd(Math.max(held, IPool(pool).money()), b.ceded));
    }
}

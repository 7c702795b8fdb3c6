// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Booking} from "breakwater/interfaces/IPool.sol";

/// @notice Stands where a pool stands and writes down how incidents call it, so that the order of calls and what
///         a pool answers can be tested apart from what pools do.
contract Spy {
    struct Call {
        bool settled; // settleBooking, else book
        uint256 incident;
        uint64 onsetTime;
        uint128 loss;
        uint128 base;
    }

    Call[] public calls;
    uint256 public answer;
    bool public broken;
    bytes public reentry;
    bytes public refusal;
    address public asset;
    uint128 public held; // in its layers, when it books
    mapping(uint256 incident => uint128 reserved) private _reserved;

    function set(uint256 answer_, bool broken_) external {
        (answer, broken) = (answer_, broken_);
    }

    /// @dev What to call back when booked.
    function attack(bytes calldata reentry_) external {
        reentry = reentry_;
    }

    function setMoney(address asset_, uint128 held_) external {
        (asset, held) = (asset_, held_);
    }

    /// @dev It reserves one unit for each that was lost.
    function booking(uint256 incident) external view returns (Booking memory entry) {
        entry.reserved = _reserved[incident];
        entry.limit[1] = held;
    }

    /// @dev Of this one nothing is anybody else's.
    function money() external view returns (uint256) {
        return held;
    }

    function count() external view returns (uint256) {
        return calls.length;
    }

    function last() external view returns (Call memory) {
        return calls[calls.length - 1];
    }

    function book(uint256 incident, bytes32, uint64 onsetTime, uint128 loss, uint128 base)
        external
        returns (uint256)
    {
        require(!broken, "broken");
        calls.push(Call(false, incident, onsetTime, loss, base));
        _reserved[incident] = loss;
        if (reentry.length != 0) {
            bool ok;
            (ok, refusal) = msg.sender.call(reentry);
            require(!ok, "came back in");
        }
        return answer;
    }

    function settleBooking(uint256 incident) external {
        calls.push(Call(true, incident, 0, 0, 0));
    }
}

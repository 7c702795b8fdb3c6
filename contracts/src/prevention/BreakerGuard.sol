// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IBreaker} from "../interfaces/IBreaker.sol";

/// @title For protocols: functions that rest while the breaker holds them
/// @notice The breaker never calls in, so it can do nothing but this, and a trip ends without a transaction.
abstract contract BreakerGuard {
    IBreaker public immutable breaker;

    error Stopped(uint256 until);

    modifier whenNotTripped() {
        if (breaker.tripped(address(this))) revert Stopped(breaker.trippedUntil(address(this)));
        _;
    }

    constructor(IBreaker breaker_) {
        breaker = breaker_;
    }
}

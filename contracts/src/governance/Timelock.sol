// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title Timelock: what the council decided waits here, for anyone to read and then to execute
/// @notice It administers itself alone, and its delay never falls below the first one: what was promised to those
///         who may want to leave first cannot be voted away.
contract Timelock is TimelockController {
    /// @notice Seconds; the longest delay, so that a mistake cannot put off its own repair for ever.
    uint256 public constant MOST_DELAY = 30 days;
    /// @notice Seconds; the delay at deployment.
    uint256 public immutable LEAST_DELAY;

    /// @notice A delay in seconds outside `LEAST_DELAY` to `MOST_DELAY`.
    error DelayOutOfRange(uint256 least, uint256 most, uint256 got);

    /// @param council proposes and cancels; anyone executes.
    constructor(uint256 delay, address council)
        TimelockController(delay, _only(council), _only(address(0)), address(0))
    {
        if (delay > MOST_DELAY) revert DelayOutOfRange(0, MOST_DELAY, delay);
        LEAST_DELAY = delay;
    }

    /// @inheritdoc TimelockController
    function updateDelay(uint256 delay) public override {
        if (delay < LEAST_DELAY || delay > MOST_DELAY) {
            revert DelayOutOfRange(LEAST_DELAY, MOST_DELAY, delay);
        }
        super.updateDelay(delay);
    }

    function _only(address account) private pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = account;
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Claims, IHoldings} from "./IHoldings.sol";

/// @notice Terms of upgrade cover: Trigger.terms = abi.encode(bytes32("breakwater.canary/1"), CanaryTerms).
struct CanaryTerms {
    address canary; // an ICanary whose target, and selector if it names one, are the trigger's
    address breaker; // an IBreaker; zero: nobody may pause the subject on our behalf
    uint64 gasLimit; // that each probe gets, 50,000 to 10,000,000
    uint32 spacing; // seconds between two failures, at least one hour, at most 30 days
    uint128 base; // units of the trigger's asset; the loss is the whole of it
    Claims claims;
}

/// @notice What is known of one canary.
struct Watch {
    uint64 onset; // block before the last success; zero: never alive, and no failure counts
    uint64 onsetTime; // seconds: the last success
    uint64 failedAt; // seconds: the first failure since that counts; zero: none
    bool ripe; // a second failure came long enough after it
    uint256 incident; // that these failures opened; zero: none
}

/// @title CanaryRung: a position that cannot be withdrawn, or another function that no longer hands out what it must
interface ICanaryRung is IHoldings {
    event Probed(bytes32 indexed trigger, bool success, Watch watch);
    event CanaryOpened(bytes32 indexed trigger, uint256 indexed id);

    /// @notice A probe that gets less gas than it is promised would fail for that alone.
    error NotEnoughGas(uint256 need, uint256 left);
    /// @notice Our own breaker has paused the subject.
    error BreakerTripped(address target, uint256 until);
    /// @notice Two failures far enough apart are needed, after a success.
    error NotRipe(bytes32 trigger);
    error AlreadyOpened(bytes32 trigger, uint256 id);
    /// @notice The canary has not got out since the incident was opened.
    error NotRefuted(uint256 id);
    /// @notice The canary's position is in another contract than the trigger covers.
    error WrongTarget(address expected, address got);
    /// @notice The canary calls another function than the trigger covers.
    error WrongSelector(bytes4 expected, bytes4 got);

    /// @notice Lets the canary try; by anyone who gives enough gas. A success ends what failures began.
    function probe(bytes32 trigger) external returns (bool success);
    /// @notice Opens an incident after two failures: everything is lost.
    function open(bytes32 trigger) external returns (uint256 id);
    /// @notice Probes, and refutes the dwelling incident when the canary gets out.
    function review(uint256 id) external;
    function watch(bytes32 trigger) external view returns (Watch memory);
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title A small position of its own in a covered contract, by which anyone can see whether holders get out
interface ICanary {
    error NotCanaryRung(address caller);
    error NotSelf(address caller);
    /// @notice What a probe takes out must be at least one, and at most the whole position.
    error BadLittle(uint256 little, uint256 minimum);
    /// @notice The covered contract handed out nothing, or less than it said.
    error NothingOut(uint256 said, uint256 got);

    /// @notice The contract that it holds a position in.
    function target() external view returns (address);
    /// @notice What the position must be, in the unit of the covered contract.
    function minimum() external view returns (uint256);
    /// @notice Whether the position was there at the last success, by the canary's own books: whatever the covered
    ///         contract has become since, it is not asked.
    function alive() external view returns (bool);
    /// @notice Takes a little out and puts it back; reverts when the covered contract does not let it.
    function probe() external;
}

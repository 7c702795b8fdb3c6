// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title A small position of its own in a covered contract, by which anyone can see whether holders get out
interface ICanary {
    /// @notice The position is worth less than it must be, so a failure would say nothing.
    error BelowMinimum(uint256 worth, uint256 minimum);
    error NotCanaryRung(address caller);
    /// @notice Taking out or putting back moved another amount than was asked.
    error WrongAmount(uint256 expected, uint256 got);

    /// @notice The contract that it holds a position in.
    function target() external view returns (address);
    /// @notice What the position must be worth, in its asset.
    function minimum() external view returns (uint256);
    /// @notice Whether the position is there, as its own books say, whatever the covered contract answers.
    function alive() external view returns (bool);
    /// @notice Takes a little out and puts it back; reverts when the covered contract does not let it.
    function probe() external;
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title A small position of its own in a covered contract, by which anyone can see whether a function of it still
///        hands holders what is theirs
interface ICanary {
    /// @notice The call has no selector or no word for the canary's address, or nothing would be enough.
    error BadCanary(uint256 length, uint256 least);
    /// @notice How an attempt that is undone says what came out.
    error Out(uint256 amount);
    /// @notice The call failed, or handed out less than the least.
    error NotOut(uint256 least, uint256 got);

    /// @notice The contract that it holds a position in.
    function target() external view returns (address);
    /// @notice The function that it calls.
    function selector() external view returns (bytes4);
    /// @notice What it calls the target with: selector and encoded arguments.
    function input() external view returns (bytes memory);
    /// @notice The token that must come out; zero: the chain's native coin.
    function asset() external view returns (address);
    /// @notice Units of the asset that must come out, at least 1.
    function least() external view returns (uint256);
    /// @notice A token that the target may pull from the canary during the call; zero: none.
    function spends() external view returns (address);
    /// @notice Tries, and undoes it. Answers what would have come out; reverts where that is too little. By anyone.
    function probe() external returns (uint256 amount);
}

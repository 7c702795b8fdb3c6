// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICanary} from "../interfaces/ICanary.sol";

/// @title Canary: a small position of its own in a contract, and the one call by which it would get out
/// @notice Has no owner, and does nothing but try: the try itself is undone, so that no probe spends the position, and
///         nobody can take it out: whoever could would silence it at the right time. Whoever sends it shares, or makes
///         a position in its name, gives them up for good.
contract Canary is ICanary {
    /// @inheritdoc ICanary
    address public immutable target;
    /// @inheritdoc ICanary
    bytes4 public immutable selector;
    /// @inheritdoc ICanary
    address public immutable asset;
    /// @inheritdoc ICanary
    uint256 public immutable least;
    /// @inheritdoc ICanary
    address public immutable spends;
    bytes private _input;

    /// @param input_ selector and encoded arguments.
    /// @param own bit i: argument word i is this canary's own address, which nobody knows before.
    /// @param least_ units of `asset_`, at least 1.
    constructor(
        address target_,
        bytes memory input_,
        uint256 own,
        address asset_,
        uint256 least_,
        address spends_
    ) {
        if (input_.length < 4 || least_ == 0) revert BadCanary(input_.length, least_);
        for (uint256 i; own >> i != 0 && i < 256; ++i) {
            if (own >> i & 1 == 0) continue;
            uint256 end = 36 + 32 * i;
            if (end > input_.length) revert BadCanary(input_.length, least_);
            assembly ("memory-safe") {
                mstore(add(input_, end), address())
            }
        }
        (target, selector, _input) = (target_, bytes4(input_), input_);
        (asset, least, spends) = (asset_, least_, spends_);
    }

    receive() external payable {}

    /// @inheritdoc ICanary
    function probe() external returns (uint256 amount) {
        try this.attempt() {}
        catch (bytes memory reason) {
            // Out of gas leaves no reason; any other is this contract's own.
            if (reason.length == 36) {
                assembly ("memory-safe") {
                    amount := mload(add(reason, 36))
                }
            }
        }
        if (amount < least) revert NotOut(least, amount);
    }

    /// @notice Always reverts, with `Out`: everything that it does is undone. What the covered contract and the token
    ///         answer is never passed on, so that none of them can say it in this contract's place.
    function attempt() external {
        uint256 before = _balance();
        if (spends != address(0)) _ask(spends, abi.encodeCall(IERC20.approve, (target, type(uint256).max)));
        bool done = _ask(target, _input);
        revert Out(done ? Math.saturatingSub(_balance(), before) : 0);
    }

    /// @inheritdoc ICanary
    function input() external view returns (bytes memory) {
        return _input;
    }

    /// @dev Without a copy of what it answers, however much that is.
    function _ask(address to, bytes memory data) private returns (bool done) {
        assembly ("memory-safe") {
            done := call(gas(), to, 0, add(data, 32), mload(data), 0, 0)
        }
    }

    function _balance() private view returns (uint256 amount) {
        address token = asset;
        if (token == address(0)) return address(this).balance;
        bytes memory data = abi.encodeCall(IERC20.balanceOf, (address(this)));
        bool told;
        assembly ("memory-safe") {
            told := staticcall(gas(), token, add(data, 32), mload(data), 0, 32)
            told := and(told, gt(returndatasize(), 31))
            amount := mload(0)
        }
        if (!told) revert Out(0);
    }
}

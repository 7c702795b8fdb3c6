// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC20.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ICanary} from "../interfaces/ICanary.sol";

/// @title VaultCanary: a small position in an ERC-4626 vault
/// @notice Has no owner, and nobody can take its position out: whoever could would silence it at the right time. What
///         it is funded with is spent.
contract VaultCanary is ICanary {
    using SafeERC20 for IERC20;

    IERC4626 public immutable vault;
    IERC20 public immutable asset;
    /// @notice The only contract that may let it try.
    address public immutable rung;
    /// @inheritdoc ICanary
    uint256 public immutable minimum;
    /// @notice Shares that each probe takes out and puts back.
    uint256 public immutable little;
    /// @notice Shares it had when it last got out or was funded.
    uint256 public shares;

    event Funded(address indexed by, uint256 assets, uint256 shares);
    event GotOut(uint256 assets, uint256 shares);

    /// @param minimum_ vault shares.
    /// @param little_ vault shares, 1 to `minimum_`.
    constructor(IERC4626 vault_, address rung_, uint256 minimum_, uint256 little_) {
        if (little_ == 0 || little_ > minimum_) revert BadLittle(little_, minimum_);
        (vault, asset, rung) = (vault_, IERC20(vault_.asset()), rung_);
        (minimum, little) = (minimum_, little_);
    }

    /// @notice Takes `assets` of the vault's asset from the caller and deposits them for good.
    function fund(uint256 assets) external {
        asset.safeTransferFrom(msg.sender, address(this), assets);
        _deposit();
        shares = vault.balanceOf(address(this));
        emit Funded(msg.sender, assets, shares);
    }

    /// @inheritdoc ICanary
    function probe() external {
        if (msg.sender != rung) revert NotCanaryRung(msg.sender);
        uint256 before = asset.balanceOf(address(this));
        uint256 said = vault.redeem(little, address(this), address(this));
        uint256 got = asset.balanceOf(address(this)) - before;
        if (got == 0 || got < said) revert NothingOut(said, got);
        // A vault that takes no deposits still lets its holders out; the next probe puts back what is left here.
        try this.putBack() {} catch {}
        shares = vault.balanceOf(address(this));
        emit GotOut(got, shares);
    }

    /// @notice The second half of a probe; only this contract calls it.
    function putBack() external {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _deposit();
    }

    /// @inheritdoc ICanary
    function target() external view returns (address) {
        return address(vault);
    }

    /// @inheritdoc ICanary
    function alive() external view returns (bool) {
        return shares >= minimum;
    }

    function _deposit() private {
        uint256 balance = asset.balanceOf(address(this));
        asset.forceApprove(address(vault), balance);
        vault.deposit(balance, address(this));
    }
}

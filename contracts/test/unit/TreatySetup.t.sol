// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ICatalog} from "breakwater/interfaces/ICatalog.sol";
import {Cession, TreatyTerms} from "breakwater/interfaces/ITreaty.sol";
import {Treaty} from "breakwater/reinsurance/Treaty.sol";
import {TreatyFactory} from "breakwater/reinsurance/TreatyFactory.sol";
import {Base} from "../Base.sol";
import {BlockingToken} from "../Tokens.sol";

/// @notice A treaty apart from pools: this contract is its cedant and knows of itself that it is a pool.
abstract contract TreatySetup is Base {
    uint128 internal constant UNIT = 1e6;
    uint256 internal constant START = 1_800_000_000;

    BlockingToken internal coin;
    TreatyFactory internal factory;
    Treaty internal treaty;
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");

    bool internal attached;
    bool internal dwelling;
    uint128 internal premium;

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(1_000);
        coin = new BlockingToken();
        factory = new TreatyFactory(ICatalog(address(this)));
        treaty = _make(_terms());
        attached = true;
    }

    // ----- what a treaty and its factory ask -----

    function isPool(address pool) external view returns (bool) {
        return pool == address(this);
    }

    function asset() external view returns (address) {
        return address(coin);
    }

    function cedes(address) external view returns (bool, bool) {
        return (attached, dwelling);
    }

    /// @dev As a pool does it: the money first, then the word.
    function payPremium(address to) external returns (uint128 amount) {
        amount = premium;
        if (amount == 0) return 0;
        premium = 0;
        coin.mint(to, amount);
        Treaty(to).receivePremium(amount);
    }

    // ----- building -----

    /// @dev 80 % of what lies between 100 and 600, at most 700 a year.
    function _terms() internal view returns (TreatyTerms memory t) {
        t.cedant = address(this);
        t.asset = address(coin);
        (t.shareBps, t.premiumBps) = (8_000, 1_000);
        (t.attachment, t.limit, t.yearlyLimit) = (100 * UNIT, 500 * UNIT, 700 * UNIT);
        (t.start, t.end, t.notice) = (uint40(START), uint40(START + 730 days), 30 days);
    }

    function _make(TreatyTerms memory t) internal returns (Treaty) {
        return Treaty(factory.make(t));
    }

    function _deposit(address who, uint256 amount) internal returns (uint256 shares) {
        coin.mint(who, amount);
        vm.startPrank(who);
        coin.approve(address(treaty), amount);
        shares = treaty.deposit(amount, who);
        vm.stopPrank();
        _pass();
    }

    function _pass() internal {
        vm.roll(vm.getBlockNumber() + 1);
        vm.warp(block.timestamp + 12);
    }

    function _encumber(uint256 incident, uint128 loss) internal returns (uint128) {
        return treaty.encumber(incident, uint64(block.timestamp), loss);
    }

    function _open(uint256 incident) internal view returns (uint256) {
        Cession memory c = treaty.cession(incident);
        return c.covered - c.drawn;
    }
}

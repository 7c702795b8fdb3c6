// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Offer} from "breakwater/interfaces/IPoolDesk.sol";
import {Split} from "breakwater/libraries/Split.sol";
import {Base} from "../Base.sol";

/// @notice Splits of purchases against all splits there are, and against single pools.
contract SplitTest is Base {
    uint256 private constant WAD = 1e18;

    function _offer(uint256 capacity, uint256 exposure, uint256 rate) private pure returns (Offer memory) {
        return Offer({
            capacity: capacity,
            kink: capacity / 2,
            scarcityKink: 2 * WAD,
            scarcityFull: 4 * WAD,
            exposure: exposure,
            rate: rate,
            most: capacity - exposure
        });
    }

    function _random(uint256 seed, uint256 count, uint256 size) private pure returns (Offer[] memory offers) {
        offers = new Offer[](count);
        for (uint256 i; i < count; ++i) {
            seed = uint256(keccak256(abi.encode(seed, i)));
            Offer memory o = offers[i];
            o.capacity = seed % size + 2;
            o.kink = (seed >> 32) % o.capacity + 1;
            o.scarcityKink = WAD + (seed >> 64) % WAD;
            o.scarcityFull = o.scarcityKink + (seed >> 96) % (3 * WAD);
            o.exposure = (seed >> 128) % o.capacity;
            o.rate = (seed >> 160) % (WAD / 2) + WAD / 1000;
            o.most = o.capacity - o.exposure;
        }
    }

    /// @dev Area under the curve times the rate: the premium but for the term, which is the same for all.
    function _cost(Offer memory o, uint256 sum) private pure returns (uint256) {
        return (_area(o, o.exposure + sum) - _area(o, o.exposure)) * o.rate;
    }

    /// @dev The integral of `Price` of the same curve, in numbers that show single units.
    function _area(Offer memory o, uint256 x) private pure returns (uint256) {
        uint256 low = x < o.kink ? x : o.kink;
        uint256 area = low * WAD + (o.scarcityKink - WAD) * low * low / (2 * o.kink);
        if (x == low) return area;
        uint256 high = x - low;
        return area + o.scarcityKink * high + (o.scarcityFull - o.scarcityKink) * high * high
            / (2 * (o.capacity - o.kink));
    }

    function _costs(Offer[] memory offers, uint256[] memory sums) private pure returns (uint256 cost) {
        for (uint256 i; i < offers.length; ++i) {
            cost += _cost(offers[i], sums[i]);
        }
    }

    function _total(Offer[] memory offers) private pure returns (uint256 most) {
        for (uint256 i; i < offers.length; ++i) {
            most += offers[i].most;
        }
    }

    function test_twoLikePoolsShareAlike() public pure {
        Offer[] memory offers = new Offer[](2);
        (offers[0], offers[1]) = (_offer(1_000_000, 0, WAD / 20), _offer(1_000_000, 0, WAD / 20));
        uint256[] memory sums = Split.parts(offers, 500_001, 1);
        assertEq(sums[0] + sums[1], 500_001);
        assertApproxEqAbs(sums[0], sums[1], 1);
    }

    function test_aDearPoolSellsOnlyBeyondItsPrice() public pure {
        Offer[] memory offers = new Offer[](2);
        // The first is at 5 % from the start, the second reaches 5 % at its kink.
        (offers[0], offers[1]) = (_offer(1_000_000, 0, WAD / 20), _offer(1_000_000, 0, WAD / 40));
        uint256[] memory sums = Split.parts(offers, 500_000, 1);
        assertEq(sums[0], 0);
        assertEq(sums[1], 500_000);
        // From there on 4 to 8 of scarcity in the second are 2 to 4 in the first.
        sums = Split.parts(offers, 800_000, 1);
        assertApproxEqAbs(sums[0], 150_000, 1);
        assertEq(sums[0] + sums[1], 800_000);
    }

    function test_smallPartsAreLeftToOthersOrBroughtUp() public pure {
        Offer[] memory offers = new Offer[](2);
        (offers[0], offers[1]) = (_offer(1_000_000, 0, WAD / 20), _offer(1_000_000, 0, WAD / 40));
        uint256[] memory sums = Split.parts(offers, 800_000, 160_000);
        assertEq(sums[0], 0);
        assertEq(sums[1], 800_000);
        // The second alone does not hold it: the first sells its least.
        offers[1].most = 700_000;
        sums = Split.parts(offers, 800_000, 160_000);
        assertEq(sums[0], 160_000);
        assertEq(sums[1], 640_000);
    }

    function test_askedForTooMuch() public {
        Offer[] memory offers = new Offer[](1);
        offers[0] = _offer(1000, 400, WAD / 20);
        expectRevert(abi.encodeWithSelector(Split.NotEnough.selector, 601, 600));
        this.parts(offers, 601, 1);
        expectRevert(abi.encodeWithSelector(Split.NotEnough.selector, 600, 0));
        this.parts(offers, 600, 601);
        assertEq(this.parts(offers, 600, 600)[0], 600);
        assertEq(this.parts(offers, 0, 1)[0], 0);
    }

    function parts(Offer[] memory offers, uint256 sum, uint256 least)
        external
        pure
        returns (uint256[] memory)
    {
        return Split.parts(offers, sum, least);
    }

    /// @dev Against every split of small sums over three pools.
    function testFuzz_noSplitIsCheaper(uint256 seed) public pure {
        Offer[] memory offers = _random(seed, 3, 24);
        uint256 most = _total(offers);
        uint256 sum = seed % most + 1;
        uint256[] memory sums = Split.parts(offers, sum, 1);
        assertEq(sums[0] + sums[1] + sums[2], sum);
        uint256 cheapest = type(uint256).max;
        uint256[] memory other = new uint256[](3);
        for (uint256 a; a <= sum && a <= offers[0].most; ++a) {
            for (uint256 b; a + b <= sum && b <= offers[1].most; ++b) {
                if (sum - a - b > offers[2].most) continue;
                (other[0], other[1], other[2]) = (a, b, sum - a - b);
                uint256 cost = _costs(offers, other);
                if (cost < cheapest) cheapest = cost;
            }
        }
        // Prices are equal up to the step of one unit in each pool: no unit is better moved, but for that step.
        assertLe(_costs(offers, sums), cheapest + _step(offers));
    }

    /// @dev Never dearer than any single pool, or than equal parts.
    function testFuzz_noSinglePoolAndNoEqualPartsAreCheaper(uint256 seed) public pure {
        Offer[] memory offers = _random(seed, 5, 1e12);
        uint256 sum = seed % _total(offers) + 1;
        uint256[] memory sums = Split.parts(offers, sum, 1);
        uint256 cost = _costs(offers, sums);
        uint256[] memory other = new uint256[](5);
        uint256 total;
        bool equal = true;
        for (uint256 i; i < 5; ++i) {
            assertLe(sums[i], offers[i].most);
            total += sums[i];
            if (offers[i].most >= sum) assertLe(cost, _cost(offers[i], sum) + _step(offers));
            other[i] = sum / 5 + (i == 0 ? sum % 5 : 0);
            if (other[i] > offers[i].most) equal = false;
        }
        assertEq(total, sum);
        if (equal) assertLe(cost, _costs(offers, other) + _step(offers));
    }

    /// @dev What the last unit of every pool costs more than its first: what whole units may cost.
    function _step(Offer[] memory offers) private pure returns (uint256 step) {
        for (uint256 i; i < offers.length; ++i) {
            Offer memory o = offers[i];
            uint256 slope = (o.scarcityKink - WAD) / o.kink + 1;
            if (o.capacity > o.kink) slope += (o.scarcityFull - o.scarcityKink) / (o.capacity - o.kink) + 1;
            step += slope * o.rate + 4 * o.rate;
        }
    }
}

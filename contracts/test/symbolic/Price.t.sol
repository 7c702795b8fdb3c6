// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Price} from "breakwater/libraries/Price.sol";

/// @notice Checked by halmos for every input, not for samples: `cargo xtask review`.
contract SymbolicPrice {
    uint256 private constant WAD = 1e18;

    /// A curve of a pool with a million units of capital, kinked at three quarters.
    function _curve() private pure returns (Price.Curve memory) {
        return Price.Curve({capacity: 1_000_000, kink: 0.75e18, scarcityKink: 2e18, scarcityFull: 8e18});
    }

    function _integral(uint256 x) private pure returns (uint256) {
        return Price.integral(_curve(), x);
    }

    /// The integral never falls, so no purchase costs less than nothing.
    function check_the_integral_never_falls(uint32 a, uint32 b) external pure {
        if (a > b || b > 1_000_000) return;
        assert(_integral(a) <= _integral(b));
    }

    /// At no point does exposure cost less than the floor or more than the rate at full use.
    function check_scarcity_stays_between_its_ends(uint32 a, uint32 b) external pure {
        if (a > b || b > 1_000_000) return;
        uint256 area = _integral(b) - _integral(a);
        // Each integral rounds down by less than one.
        assert(area + 1 >= uint256(b - a) * WAD);
        assert(area <= uint256(b - a) * 8e18 + 1);
    }

    /// Two purchases never cost less than one of their sum.
    function check_splitting_never_pays(uint32 a, uint32 b, uint32 c, uint32 term) external pure {
        if (a > b || b > c || c > 1_000_000 || term > 365 days) return;
        Price.Curve memory curve = _curve();
        uint256 base = 0.05e18;
        uint256 whole = Price.premium(curve, a, c, base, 0, term);
        uint256 parts = Price.premium(curve, a, b, base, 0, term) + Price.premium(curve, b, c, base, 0, term);
        assert(parts >= whole);
    }

    /// A surge only decays.
    function check_a_surge_only_decays(uint64 surge, uint32 elapsed) external pure {
        assert(Price.decayed(surge, elapsed, 1 days) <= surge);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {PoolConfig} from "../interfaces/IPool.sol";

/// @title What a clone was made with
/// @notice The arguments of a clone stand in its code behind the forwarder, so they can never change and a reading
///         costs no storage access. A linked library that runs in the clone reads the same.
library Args {
    /// @dev Length of OpenZeppelin's forwarder, behind which the arguments begin; see `Clones.fetchCloneArgs`.
    uint256 internal constant START = 45;

    /// @notice The `bits` that begin at byte `offset` of the arguments.
    function read(uint256 offset, uint256 bits) internal view returns (uint256 value) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0, add(START, offset), 32)
            value := shr(sub(256, bits), mload(0))
        }
    }
}

/// @title The config of a pool, packed as its clone carries it
library Terms {
    uint256 internal constant LENGTH = 158;

    function pack(PoolConfig memory c) internal pure returns (bytes memory) {
        bytes memory parties = abi.encodePacked(c.asset, c.curator, c.epoch, c.cooldown, c.leverageBps);
        bytes memory shares = abi.encodePacked(
            c.curatorShareBps,
            c.subordinationBps,
            c.surplusBps,
            c.weightBps[0],
            c.weightBps[1],
            c.weightBps[2]
        );
        bytes memory price = abi.encodePacked(
            c.costOfCapital, c.kink, c.scarcityKink, c.scarcityFull, c.surgeSlope, c.surgeMax
        );
        return
            abi.encodePacked(parties, shares, price, c.surgeHalfLife, c.underwriting, c.gate, c.curatorFeeBps);
    }

    function config() internal view returns (PoolConfig memory c) {
        (c.asset, c.curator) = (asset(), curator());
        (c.epoch, c.cooldown, c.leverageBps) = (uint32(epoch()), uint32(cooldown()), uint32(leverageBps()));
        c.curatorShareBps = uint16(curatorShareBps());
        c.subordinationBps = uint16(subordinationBps());
        c.surplusBps = uint16(surplusBps());
        for (uint256 i; i < 3; ++i) {
            c.weightBps[i] = uint16(Args.read(58 + 2 * i, 16));
        }
        c.costOfCapital = uint64(costOfCapital());
        (c.kink, c.scarcityKink, c.scarcityFull) =
        (uint64(Args.read(72, 64)), uint64(Args.read(80, 64)), uint64(Args.read(88, 64)));
        (c.surgeSlope, c.surgeMax) = (uint64(surgeSlope()), uint64(surgeMax()));
        c.surgeHalfLife = uint32(surgeHalfLife());
        (c.underwriting, c.gate) = (underwriting(), gate());
        c.curatorFeeBps = uint16(curatorFeeBps());
    }

    function asset() internal view returns (address) {
        return address(uint160(Args.read(0, 160)));
    }

    function curator() internal view returns (address) {
        return address(uint160(Args.read(20, 160)));
    }

    function epoch() internal view returns (uint256) {
        return Args.read(40, 32);
    }

    function cooldown() internal view returns (uint256) {
        return Args.read(44, 32);
    }

    function leverageBps() internal view returns (uint256) {
        return Args.read(48, 32);
    }

    function curatorShareBps() internal view returns (uint256) {
        return Args.read(52, 16);
    }

    function subordinationBps() internal view returns (uint256) {
        return Args.read(54, 16);
    }

    function surplusBps() internal view returns (uint256) {
        return Args.read(56, 16);
    }

    /// @notice Of junior, mezzanine and senior, 16 bits each, junior highest.
    function weightsBps() internal view returns (uint256) {
        return Args.read(58, 48);
    }

    function costOfCapital() internal view returns (uint256) {
        return Args.read(64, 64);
    }

    /// @notice Kink, scarcity at the kink and scarcity when full, 64 bits each, the kink highest.
    function curve() internal view returns (uint256) {
        return Args.read(72, 192);
    }

    function surgeSlope() internal view returns (uint256) {
        return Args.read(96, 64);
    }

    function surgeMax() internal view returns (uint256) {
        return Args.read(104, 64);
    }

    function surgeHalfLife() internal view returns (uint256) {
        return Args.read(112, 32);
    }

    function underwriting() internal view returns (address) {
        return address(uint160(Args.read(116, 160)));
    }

    function gate() internal view returns (address) {
        return address(uint160(Args.read(136, 160)));
    }

    function curatorFeeBps() internal view returns (uint256) {
        return Args.read(156, 16);
    }
}

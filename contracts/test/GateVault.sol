// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {ICanary} from "breakwater/interfaces/ICanary.sol";

/// @notice An ERC-4626 vault of which one way out can be shut, as a bad upgrade would; `withdraw` works on.
contract GateVault is ERC4626 {
    enum Out {
        Open,
        Shut,
        BurnGas,
        Nothing,
        Forged
    }

    Out public out;
    error Shut();

    constructor(IERC20 asset_) ERC20("Gate", "GATE") ERC4626(asset_) {}

    function setOut(Out out_) external {
        out = out_;
    }

    function redeem(uint256 shares, address receiver, address owner) public override returns (uint256) {
        if (out == Out.Shut) revert Shut();
        if (out == Out.Nothing) return shares;
        if (out == Out.Forged) revert ICanary.Out(type(uint128).max);
        if (out == Out.BurnGas) {
            assembly {
                invalid()
            }
        }
        return super.redeem(shares, receiver, owner);
    }
}

/// @notice A breaker that is tripped when it is told so.
contract ToldBreaker {
    mapping(address target => uint64) public trippedUntil;

    function set(address target, uint64 until) external {
        trippedUntil[target] = until;
    }

    function tripped(address target) external view returns (bool) {
        return trippedUntil[target] > block.timestamp;
    }
}

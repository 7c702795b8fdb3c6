// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title BreakwaterToken: votes of the council
/// @notice All of it is minted at deployment; nobody can mint more, anyone may burn what is his.
contract BreakwaterToken is ERC20, ERC20Permit, ERC20Votes, ERC20Burnable {
    /// @notice What was minted; 18 decimals.
    uint256 public constant SUPPLY = 100_000_000e18;

    /// @param holder gets the whole supply.
    constructor(address holder) ERC20("Breakwater", "BWR") ERC20Permit("Breakwater") {
        _mint(holder, SUPPLY);
    }

    /// @notice Votes are counted by time, because blocks take another time on each chain.
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    /// @notice The clock in words, see ERC-6372.
    // forge-lint: disable-next-line(mixed-case-function)
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 amount) internal override(ERC20, ERC20Votes) {
        super._update(from, to, amount);
    }
}

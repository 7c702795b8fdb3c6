// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @notice A token that anyone may mint, with permits and any decimals.
contract Token is ERC20Permit {
    uint8 private immutable _decimals;

    constructor(string memory symbol_, uint8 decimals_) ERC20(symbol_, symbol_) ERC20Permit(symbol_) {
        _decimals = decimals_;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}

/// @notice Keeps one unit of every transfer.
contract FeeToken is Token {
    constructor() Token("FEE", 18) {}

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0) && amount != 0) super._update(to, address(0xfee), 1);
    }
}

/// @notice Refuses to send to accounts that are blocked.
contract BlockingToken is Token {
    mapping(address account => bool) public blocked;

    constructor() Token("BLK", 6) {}

    function block_(address account) external {
        blocked[account] = true;
    }

    function free(address account) external {
        blocked[account] = false;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!blocked[to], "blocked");
        super._update(from, to, amount);
    }
}

/// @notice Calls the receiver of every transfer, so that it may try to come back in.
contract CallingToken is Token {
    constructor() Token("CALL", 18) {}

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (to.code.length == 0) return;
        // A receiver that cannot be called still gets the money.
        (bool ok,) = to.call(abi.encodeWithSignature("received(address,uint256)", from, amount));
        ok;
    }
}

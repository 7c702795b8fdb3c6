// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A token that anyone may mint, and whose transfers from and to refused accounts return false.
contract RefusingToken is ERC20 {
    mapping(address account => bool) public refused;

    constructor() ERC20("Refusing Dollar", "USDR") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function refuse(address account, bool refused_) external {
        refused[account] = refused_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (refused[msg.sender] || refused[to]) return false;
        return super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (refused[from] || refused[to]) return false;
        return super.transferFrom(from, to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

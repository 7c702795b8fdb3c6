// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IBreaker} from "breakwater/interfaces/IBreaker.sol";

/// @notice Paused by a role, as OpenZeppelin's wizard writes it.
contract RolePausable is Pausable, AccessControl {
    bytes32 public constant PAUSER = keccak256("PAUSER");

    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(PAUSER, admin);
    }

    function pause() external onlyRole(PAUSER) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER) {
        _unpause();
    }

    function act() external view whenNotPaused returns (bool) {
        return true;
    }
}

/// @notice Answers a pause in the ways in which a target can be hostile, and says that anyone owns it.
contract HostileTarget {
    enum Manner {
        Obey,
        BurnGas,
        LongAnswer,
        Reenter
    }

    Manner public manner;
    address public owner;
    bool public paused;

    constructor(address owner_) {
        owner = owner_;
    }

    function set(Manner manner_) external {
        manner = manner_;
    }

    function pause() external {
        _answer();
        paused = true;
    }

    function unpause() external {
        _answer();
        paused = false;
    }

    function _answer() private {
        if (manner == Manner.BurnGas) {
            assembly {
                invalid()
            }
        }
        if (manner == Manner.LongAnswer) {
            assembly {
                revert(0, 60000)
            }
        }
        if (manner == Manner.Reenter) IBreaker(msg.sender).undo(address(this), false);
    }
}

/// @notice Its roles are with an access manager.
contract ManagedTarget is AccessManaged {
    constructor(address manager) AccessManaged(manager) {}
}

/// @notice Names its owner in two words.
contract LongOwner {
    address private immutable _owner;

    constructor(address owner_) {
        _owner = owner_;
    }

    function owner() external view returns (address, uint256) {
        return (_owner, 1);
    }
}

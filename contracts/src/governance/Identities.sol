// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title Identities: one account for each person, kept by a registrar
/// @notice A person is a hash that the registrar can tell apart; nothing about people is on the chain.
contract Identities is AccessManaged {
    using Checkpoints for Checkpoints.Trace208;

    /// @notice The person's account now; zero: none.
    mapping(bytes32 person => address account) public accountOf;
    /// @notice The account's person now; zero: none.
    mapping(address account => bytes32 person) public personOf;
    /// @dev 1 from the second in which it was added, 0 from that in which it was removed.
    mapping(address account => Checkpoints.Trace208) private _held;

    event IdentityAdded(bytes32 indexed person, address indexed account);
    event IdentityRemoved(bytes32 indexed person, address indexed account);

    error ZeroPerson();
    error ZeroAddress();
    /// @notice The person has an account: remove it first.
    error PersonHasAccount(bytes32 person, address account);
    /// @notice The account stands for a person already.
    error AccountHasPerson(address account, bytes32 person);
    error UnknownPerson(bytes32 person);
    /// @notice What holds at this second is not settled before it is over.
    error NotPast(uint256 time, uint256 present);

    /// @param authority an AccessManager; it decides who the registrar is.
    constructor(address authority) AccessManaged(authority) {}

    /// @notice Gives a person an account.
    function add(bytes32 person, address account) external restricted {
        if (person == 0) revert ZeroPerson();
        if (account == address(0)) revert ZeroAddress();
        if (accountOf[person] != address(0)) revert PersonHasAccount(person, accountOf[person]);
        if (personOf[account] != 0) revert AccountHasPerson(account, personOf[account]);
        accountOf[person] = account;
        personOf[account] = person;
        _held[account].push(uint48(block.timestamp), 1);
        emit IdentityAdded(person, account);
    }

    /// @notice Takes a person's account away; polls whose snapshot has passed still know it.
    function remove(bytes32 person) external restricted {
        address account = accountOf[person];
        if (account == address(0)) revert UnknownPerson(person);
        delete accountOf[person];
        delete personOf[account];
        _held[account].push(uint48(block.timestamp), 0);
        emit IdentityRemoved(person, account);
    }

    /// @notice Whether the account stood for a person at the end of a past second.
    function heldAt(address account, uint48 time) external view returns (bool) {
        if (time >= block.timestamp) revert NotPast(time, block.timestamp);
        return _held[account].upperLookupRecent(time) == 1;
    }
}

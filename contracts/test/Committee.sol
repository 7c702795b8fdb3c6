// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Duty} from "breakwater/interfaces/IUnderwriting.sol";
import {Cap, CapacityCertificate, Eip712Types, RatePosting} from "breakwater/libraries/Eip712Types.sol";
import {Underwriting} from "breakwater/underwriting/Underwriting.sol";
import {Base} from "./Base.sol";

/// @notice Two of three known keys that sign for both duties, and the messages that they sign.
abstract contract Committee is Base {
    Underwriting internal under;
    uint256[3] private _keys;
    address[] internal members;
    uint256 private _nonce;

    /// @dev Whoever calls must be let by the AccessManager.
    function seat(Underwriting underwriting) internal {
        under = underwriting;
        _keys = [uint256(0xA1), 0xB2, 0xC3];
        for (uint256 i = 1; i < 3; ++i) {
            for (uint256 j = i; j > 0 && vm.addr(_keys[j]) < vm.addr(_keys[j - 1]); --j) {
                (_keys[j], _keys[j - 1]) = (_keys[j - 1], _keys[j]);
            }
        }
        for (uint256 i; i < 3; ++i) {
            members.push(vm.addr(_keys[i]));
        }
        under.setCommittee(Duty.Capacity, 2, members);
        under.setCommittee(Duty.Rate, 2, members);
    }

    function signerSet() internal view returns (bytes32) {
        return Eip712Types.signerSet(2, members);
    }

    function certificate(address pool, uint32 leverageBps)
        internal
        returns (CapacityCertificate memory message)
    {
        message.pool = pool;
        message.leverageBps = leverageBps;
        message.signerSet = signerSet();
        message.nonce = ++_nonce;
        message.validFrom = uint64(block.timestamp);
        message.validUntil = uint64(block.timestamp + 30 days);
    }

    function posting(bytes32 product, uint64 rate) internal returns (RatePosting memory message) {
        message.product = product;
        message.floorRate = rate;
        message.signerSet = signerSet();
        message.nonce = ++_nonce;
        message.validFrom = uint64(block.timestamp);
        message.validUntil = uint64(block.timestamp + 30 days);
    }

    function one(bytes32 id, uint128 cap) internal pure returns (Cap[] memory single) {
        single = new Cap[](1);
        single[0] = Cap(id, cap);
    }

    /// @dev In ascending order of their ids.
    function caps(bytes32 a, uint128 capA, bytes32 b, uint128 capB) internal pure returns (Cap[] memory two) {
        two = new Cap[](2);
        (two[0], two[1]) = a < b ? (Cap(a, capA), Cap(b, capB)) : (Cap(b, capB), Cap(a, capA));
    }

    function certify(CapacityCertificate memory message) internal {
        (address[] memory signers, bytes[] memory signatures) = sign(Eip712Types.hash(message), 2);
        under.certify(message, signers, signatures);
    }

    function post(RatePosting memory message) internal {
        (address[] memory signers, bytes[] memory signatures) = sign(Eip712Types.hash(message), 2);
        under.post(message, signers, signatures);
    }

    /// @dev Signatures of the first `count` members.
    function sign(bytes32 structHash, uint256 count)
        internal
        view
        returns (address[] memory signers, bytes[] memory signatures)
    {
        bytes32 separator = Eip712Types.domainSeparator(block.chainid, address(under));
        bytes32 digest = MessageHashUtils.toTypedDataHash(separator, structHash);
        (signers, signatures) = (new address[](count), new bytes[](count));
        for (uint256 i; i < count; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keys[i], digest);
            (signers[i], signatures[i]) = (members[i], abi.encodePacked(r, s, v));
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {
    BreakerTrip,
    Cap,
    CapacityCertificate,
    Eip712Types,
    LossReport,
    PositionConsent,
    PositionsReport,
    RatePosting,
    RenewalOrder
} from "breakwater/libraries/Eip712Types.sol";
import {Base} from "../Base.sol";

/// @notice vectors/eip712.json and vectors/certificate.json, written by the Rust side, hash to the same here.
contract Eip712VectorsTest is Base {
    string private json;
    /// @dev Path of the message that a test reads.
    string private message;

    function setUp() public {
        json = readVectors("eip712.json");
    }

    function test_domain() public view {
        assertEq(vm.parseJsonString(json, ".domain.name"), Eip712Types.NAME);
        assertEq(vm.parseJsonString(json, ".domain.version"), Eip712Types.VERSION);
        assertEq(_separator(), vm.parseJsonBytes32(json, ".domain.separator"));
    }

    function test_signerSet() public view {
        assertEq(
            Eip712Types.signerSet(
                vm.parseJsonUint(json, ".signerSet.quorum"),
                vm.parseJsonAddressArray(json, ".signerSet.signers")
            ),
            vm.parseJsonBytes32(json, ".signerSet.hash")
        );
    }

    function test_lossReport() public {
        message = "LossReport";
        LossReport memory report = LossReport({
            gauge: _word("gauge"),
            incident: _number("incident"),
            onset: uint64(_number("onset")),
            reading: uint64(_number("reading")),
            onsetTime: uint64(_number("onsetTime")),
            afterTime: uint64(_number("afterTime")),
            base: uint128(_number("base")),
            loss: uint128(_number("loss")),
            evidence: _word("evidence"),
            signerSet: _word("signerSet"),
            nonce: _number("nonce"),
            validFrom: uint64(_number("validFrom")),
            validUntil: uint64(_number("validUntil"))
        });
        _check(Eip712Types.LOSS_REPORT_TYPEHASH, Eip712Types.hash(report));
    }

    function test_capacityCertificate() public {
        _checkCertificate();
    }

    /// @dev What the capital engine certified, from its portfolio to the signature.
    function test_certificateOfThePortfolio() public {
        json = readVectors("certificate.json");
        _checkCertificate();
        assertEq(_number("leverageBps") > 0, true);
        address[] memory signers = vm.parseJsonAddressArray(json, ".signerSet.signers");
        assertEq(Eip712Types.signerSet(1, signers), _word("signerSet"));
    }

    function _checkCertificate() private {
        message = "CapacityCertificate";
        CapacityCertificate memory certificate = CapacityCertificate({
            pool: _address("pool"),
            leverageBps: uint32(_number("leverageBps")),
            products: _caps("products", 2),
            clusters: _caps("clusters", 1),
            model: _word("model"),
            data: _word("data"),
            seed: _word("seed"),
            signerSet: _word("signerSet"),
            nonce: _number("nonce"),
            validFrom: uint64(_number("validFrom")),
            validUntil: uint64(_number("validUntil"))
        });
        _check(Eip712Types.CAPACITY_CERTIFICATE_TYPEHASH, Eip712Types.hash(certificate));
    }

    function test_ratePosting() public {
        message = "RatePosting";
        RatePosting memory posting = RatePosting({
            product: _word("product"),
            floorRate: uint64(_number("floorRate")),
            model: _word("model"),
            inputs: _word("inputs"),
            signerSet: _word("signerSet"),
            nonce: _number("nonce"),
            validFrom: uint64(_number("validFrom")),
            validUntil: uint64(_number("validUntil"))
        });
        _check(Eip712Types.RATE_POSTING_TYPEHASH, Eip712Types.hash(posting));
    }

    function test_breakerTrip() public {
        message = "BreakerTrip";
        BreakerTrip memory trip = BreakerTrip({
            target: _address("target"),
            selector: bytes4(vm.parseJsonBytes(json, _path("value.selector"))),
            number: uint64(_number("number")),
            blockHash: _word("blockHash"),
            transaction: _word("transaction"),
            evidence: _word("evidence"),
            duration: uint32(_number("duration")),
            signerSet: _word("signerSet"),
            nonce: _number("nonce"),
            validFrom: uint64(_number("validFrom")),
            validUntil: uint64(_number("validUntil"))
        });
        _check(Eip712Types.BREAKER_TRIP_TYPEHASH, Eip712Types.hash(trip));
    }

    function test_positionConsent() public {
        message = "PositionConsent";
        PositionConsent memory consent = PositionConsent({
            position: _address("position"),
            product: _word("product"),
            buyer: _address("buyer"),
            nonce: _number("nonce"),
            deadline: _number("deadline")
        });
        _check(Eip712Types.POSITION_CONSENT_TYPEHASH, Eip712Types.hash(consent));
    }

    function test_positionsReport() public {
        message = "PositionsReport";
        PositionsReport memory report = PositionsReport({
            incident: _number("incident"),
            root: _word("root"),
            evidence: _word("evidence"),
            signerSet: _word("signerSet"),
            nonce: _number("nonce"),
            validFrom: uint64(_number("validFrom")),
            validUntil: uint64(_number("validUntil"))
        });
        _check(Eip712Types.POSITIONS_REPORT_TYPEHASH, Eip712Types.hash(report));
    }

    function test_renewalOrder() public {
        message = "RenewalOrder";
        RenewalOrder memory order = RenewalOrder({
            policy: _number("policy"),
            sum: uint128(_number("sum")),
            term: uint32(_number("term")),
            lead: uint32(_number("lead")),
            maxPremium: _number("maxPremium"),
            tip: _number("tip"),
            distributor: _address("distributor"),
            feeBps: uint16(_number("feeBps")),
            nonce: _number("nonce"),
            deadline: uint64(_number("deadline"))
        });
        _check(Eip712Types.RENEWAL_ORDER_TYPEHASH, Eip712Types.hash(order));
    }

    /// @dev Each leaf proves itself with the other one, by the library that the rung uses.
    function test_positionLeaves() public view {
        bytes32 root = vm.parseJsonBytes32(json, ".positions.root");
        for (uint256 i; i < 2; ++i) {
            string memory leaf = string.concat(".positions.leaves[", vm.toString(i), "]");
            bytes32 hash = Eip712Types.positionLeaf(
                vm.parseJsonAddress(json, string.concat(leaf, ".account")),
                uint128(vm.parseJsonUint(json, string.concat(leaf, ".lost"))),
                uint128(vm.parseJsonUint(json, string.concat(leaf, ".value")))
            );
            assertEq(hash, vm.parseJsonBytes32(json, string.concat(leaf, ".leaf")));
            bytes32[] memory proof = new bytes32[](1);
            proof[0] =
                vm.parseJsonBytes32(json, string.concat(".positions.leaves[", vm.toString(1 - i), "].leaf"));
            assertTrue(MerkleProof.verify(proof, root, hash));
            assertEq(vm.parseJsonBytes32(json, ".messages.PositionsReport.value.root"), root);
        }
    }

    function _check(bytes32 typeHash, bytes32 structHash) private view {
        assertEq(keccak256(bytes(vm.parseJsonString(json, _path("type")))), typeHash);
        assertEq(vm.parseJsonBytes32(json, _path("typeHash")), typeHash);
        assertEq(vm.parseJsonBytes32(json, _path("structHash")), structHash);
        bytes32 digest = MessageHashUtils.toTypedDataHash(_separator(), structHash);
        assertEq(vm.parseJsonBytes32(json, _path("digest")), digest);

        bytes memory signature = vm.parseJsonBytes(json, _path("signature"));
        uint256 key = uint256(vm.parseJsonBytes32(json, ".key.private"));
        assertEq(bytes32(key), keccak256(bytes(vm.parseJsonString(json, ".key.name"))));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        assertEq(signature, abi.encodePacked(r, s, v));
        assertEq(ecrecover(digest, v, r, s), vm.parseJsonAddress(json, ".key.address"));
    }

    function _separator() private view returns (bytes32) {
        return Eip712Types.domainSeparator(
            vm.parseJsonUint(json, ".domain.chainId"), vm.parseJsonAddress(json, ".domain.verifyingContract")
        );
    }

    function _caps(string memory list, uint256 count) private view returns (Cap[] memory caps) {
        caps = new Cap[](count);
        for (uint256 i; i < count; ++i) {
            string memory base = string.concat("value.", list, "[", vm.toString(i), "]");
            caps[i].id = vm.parseJsonBytes32(json, _path(string.concat(base, ".id")));
            caps[i].cap = uint128(vm.parseJsonUint(json, _path(string.concat(base, ".cap"))));
        }
        assertFalse(
            vm.keyExistsJson(json, _path(string.concat("value.", list, "[", vm.toString(count), "]")))
        );
    }

    function _word(string memory field) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, _path(string.concat("value.", field)));
    }

    function _number(string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, _path(string.concat("value.", field)));
    }

    function _address(string memory field) private view returns (address) {
        return vm.parseJsonAddress(json, _path(string.concat("value.", field)));
    }

    function _path(string memory rest) private view returns (string memory) {
        return string.concat(".messages.", message, ".", rest);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {Form, GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {Evidence} from "breakwater/interfaces/IProofRung.sol";
import {Base} from "./Base.sol";
import {Tries} from "./Tries.sol";

/// @notice A small chain with real headers and tries: accounts with words, sealed block by block, and the
///         evidence of what they held. The chain of the test confirms the block hashes.
/// @dev Walks are collected in the order of `IProofRung`; every node is sent once.
abstract contract World is Base {
    struct Word {
        bytes32 slot;
        uint256 value;
    }

    struct Account {
        address account;
        uint256 balance;
        bytes32 codeHash;
    }

    struct Sealed {
        bytes header;
        uint256 time;
        Account[] accounts;
    }

    /// @dev What is being built while evidence is collected.
    struct Bundle {
        bytes nodes;
        bytes paths;
        bytes32[] hashes;
        uint256 count;
    }

    bytes32 internal constant CODE = keccak256("code");

    /// @dev Of the blocks that are sealed from now on.
    bytes32 internal receiptsRoot = keccak256("receipts");

    Account[] private _accounts;
    mapping(address account => Word[]) private _words;
    mapping(uint256 number => Sealed) private _sealed;
    mapping(uint256 number => mapping(address account => Word[])) private _sealedWords;

    // ----- building -----

    function setAccount(address account, uint256 balance, bytes32 codeHash) internal {
        for (uint256 i; i < _accounts.length; ++i) {
            if (_accounts[i].account == account) {
                _accounts[i] = Account(account, balance, codeHash);
                return;
            }
        }
        _accounts.push(Account(account, balance, codeHash));
    }

    function setWord(address account, bytes32 slot, uint256 value) internal {
        Word[] storage words = _words[account];
        for (uint256 i; i < words.length; ++i) {
            if (words[i].slot == slot) {
                words[i].value = value;
                return;
            }
        }
        words.push(Word(slot, value));
    }

    /// @dev Seals a block of the current number and time and goes on to the next, twelve seconds later.
    function seal() internal returns (uint256 number) {
        number = block.number;
        Sealed storage s = _sealed[number];
        s.time = block.timestamp;
        for (uint256 i; i < _accounts.length; ++i) {
            s.accounts.push(_accounts[i]);
            Word[] storage words = _words[_accounts[i].account];
            for (uint256 k; k < words.length; ++k) {
                _sealedWords[number][_accounts[i].account].push(words[k]);
            }
        }
        s.header = _header(number, block.timestamp, Tries.rootOf(_stateEntries(number)), receiptsRoot);
        vm.roll(number + 1);
        vm.warp(block.timestamp + 12);
        vm.setBlockhash(number, keccak256(s.header));
    }

    function headerOf(uint256 number) internal view returns (bytes memory) {
        return _sealed[number].header;
    }

    // ----- evidence -----

    function evidenceOf(GaugeSpec memory spec, uint256 a) internal view returns (Evidence memory) {
        return evidenceOf(spec, _one(a), new address[](0));
    }

    function evidenceOf(GaugeSpec memory spec, uint256 a, uint256 b) internal view returns (Evidence memory) {
        return evidenceOf(spec, _two(a, b), new address[](0));
    }

    function evidenceOf(GaugeSpec memory spec, uint256[] memory numbers, address[] memory holders)
        internal
        view
        returns (Evidence memory evidence)
    {
        Bundle memory bundle = _bundle();
        evidence.headers = new bytes[](numbers.length);
        for (uint256 i; i < numbers.length; ++i) {
            evidence.headers[i] = headerOf(numbers[i]);
            _walkGauge(bundle, spec, numbers[i], holders);
        }
        (evidence.nodes, evidence.paths) = (bundle.nodes, bundle.paths);
        evidence.holders = holders;
        evidence.newcomers = new uint256[](0);
    }

    /// @param read whether the gauge is walked at the later block.
    function positionsOf(
        GaugeSpec memory spec,
        uint256 onset,
        uint256 later,
        address[] memory accounts,
        bool read
    ) internal view returns (Evidence memory evidence) {
        Bundle memory bundle = _bundle();
        evidence.headers = new bytes[](2);
        (evidence.headers[0], evidence.headers[1]) = (headerOf(onset), headerOf(later));
        _walkHoldings(bundle, spec, onset, accounts);
        if (read) _walkGauge(bundle, spec, later, new address[](0));
        _walkHoldings(bundle, spec, later, accounts);
        (evidence.nodes, evidence.paths) = (bundle.nodes, bundle.paths);
        evidence.holders = new address[](0);
        evidence.newcomers = new uint256[](0);
    }

    /// @dev What accounts held at both blocks, and at the onset a pinned word of the keeper before.
    function pinnedOf(
        GaugeSpec memory spec,
        bytes32 pin,
        uint256 onset,
        uint256 later,
        address[] memory accounts
    ) internal view returns (Evidence memory evidence) {
        Bundle memory bundle = _bundle();
        evidence.headers = new bytes[](2);
        (evidence.headers[0], evidence.headers[1]) = (headerOf(onset), headerOf(later));
        address keeper = spec.accounts[spec.holding.account].account;
        _walkAccount(bundle, onset, keeper);
        _walkSlot(bundle, onset, keeper, pin);
        for (uint256 i; i < accounts.length; ++i) {
            _walkSlot(bundle, onset, keeper, slotFor(spec, accounts[i]));
        }
        _walkHoldings(bundle, spec, later, accounts);
        (evidence.nodes, evidence.paths) = (bundle.nodes, bundle.paths);
        evidence.holders = new address[](0);
        evidence.newcomers = new uint256[](0);
    }

    /// @dev A receipt of block `number`, then what one account held at `onset`.
    function logOf(
        GaugeSpec memory spec,
        uint256 onset,
        uint256 number,
        bytes[] memory receipt,
        address account
    ) internal view returns (Evidence memory evidence) {
        Bundle memory bundle = _bundle();
        evidence.headers = new bytes[](2);
        (evidence.headers[0], evidence.headers[1]) = (headerOf(onset), headerOf(number));
        _add(bundle, receipt);
        address[] memory accounts = new address[](1);
        accounts[0] = account;
        _walkHoldings(bundle, spec, onset, accounts);
        (evidence.nodes, evidence.paths) = (bundle.nodes, bundle.paths);
        evidence.holders = new address[](0);
        evidence.newcomers = new uint256[](0);
    }

    function _walkGauge(Bundle memory bundle, GaugeSpec memory spec, uint256 number, address[] memory holders)
        private
        view
    {
        for (uint256 i; i < spec.accounts.length; ++i) {
            address account = spec.accounts[i].account;
            _walkAccount(bundle, number, account);
            for (uint256 k; k < spec.pins.length; ++k) {
                if (spec.pins[k].account == i) _walkSlot(bundle, number, account, spec.pins[k].slot);
            }
            for (uint256 k; k < spec.terms.length; ++k) {
                if (spec.terms[k].account != i || spec.terms[k].native) continue;
                _walkSlot(bundle, number, account, spec.terms[k].slot);
            }
            if (spec.form != Form.Enumerated || spec.holding.account != i) continue;
            for (uint256 k; k < holders.length; ++k) {
                _walkSlot(bundle, number, account, slotFor(spec, holders[k]));
            }
        }
    }

    function _walkHoldings(
        Bundle memory bundle,
        GaugeSpec memory spec,
        uint256 number,
        address[] memory accounts
    ) private view {
        address account = spec.accounts[spec.holding.account].account;
        _walkAccount(bundle, number, account);
        for (uint256 i; i < accounts.length; ++i) {
            _walkSlot(bundle, number, account, slotFor(spec, accounts[i]));
        }
    }

    /// @dev Written anew from the interface's words, so that the contract's own derivation is checked by it.
    function slotFor(GaugeSpec memory spec, address holder) internal pure returns (bytes32 slot) {
        bytes32 key = bytes32(uint256(uint160(holder)));
        bool vyper = spec.holding.vyper;
        slot = vyper
            ? keccak256(abi.encode(spec.holding.base, key))
            : keccak256(abi.encode(key, spec.holding.base));
        if (spec.holding.nested) {
            bytes32 inner = spec.holding.innerKey;
            slot = vyper ? keccak256(abi.encode(slot, inner)) : keccak256(abi.encode(inner, slot));
        }
        slot = bytes32(uint256(slot) + spec.holding.word);
    }

    function _walkAccount(Bundle memory bundle, uint256 number, address account) private view {
        Tries.Entry[] memory entries = _stateEntries(number);
        Tries.sort(entries);
        _add(bundle, Tries.proofOf(entries, keccak256(abi.encodePacked(account))));
    }

    function _walkSlot(Bundle memory bundle, uint256 number, address account, bytes32 slot) private view {
        Tries.Entry[] memory entries = _storageEntries(number, account);
        Tries.sort(entries);
        _add(bundle, Tries.proofOf(entries, keccak256(abi.encode(slot))));
    }

    function _add(Bundle memory bundle, bytes[] memory nodes) private pure {
        bundle.paths = abi.encodePacked(bundle.paths, uint8(nodes.length));
        for (uint256 i; i < nodes.length; ++i) {
            bundle.paths = abi.encodePacked(bundle.paths, uint16(_indexOf(bundle, nodes[i])));
        }
    }

    function _indexOf(Bundle memory bundle, bytes memory node) private pure returns (uint256) {
        bytes32 hash = keccak256(node);
        for (uint256 i; i < bundle.count; ++i) {
            if (bundle.hashes[i] == hash) return i;
        }
        bundle.hashes[bundle.count] = hash;
        bundle.nodes = abi.encodePacked(bundle.nodes, node);
        return bundle.count++;
    }

    function _bundle() private pure returns (Bundle memory) {
        return Bundle("", "", new bytes32[](512), 0);
    }

    function _stateEntries(uint256 number) private view returns (Tries.Entry[] memory entries) {
        Account[] storage accounts = _sealed[number].accounts;
        entries = new Tries.Entry[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            Account memory account = accounts[i];
            bytes[] memory fields = new bytes[](4);
            fields[0] = RLP.encode(uint256(1));
            fields[1] = RLP.encode(account.balance);
            fields[2] = RLP.encode(Tries.rootOf(_storageEntries(number, account.account)));
            fields[3] = RLP.encode(account.codeHash);
            entries[i] = Tries.Entry(keccak256(abi.encodePacked(account.account)), RLP.encode(fields));
        }
    }

    /// @dev The chain deletes a slot that becomes zero.
    function _storageEntries(uint256 number, address account)
        private
        view
        returns (Tries.Entry[] memory entries)
    {
        Word[] storage words = _sealedWords[number][account];
        entries = new Tries.Entry[](words.length);
        uint256 count;
        for (uint256 i; i < words.length; ++i) {
            if (words[i].value == 0) continue;
            entries[count++] = Tries.Entry(keccak256(abi.encode(words[i].slot)), RLP.encode(words[i].value));
        }
        assembly ("memory-safe") {
            mstore(entries, count)
        }
    }

    /// @dev A header of the Prague format.
    function _header(uint256 number, uint256 time, bytes32 stateRoot, bytes32 receipts)
        private
        pure
        returns (bytes memory)
    {
        bytes[] memory fields = new bytes[](21);
        for (uint256 i; i < 21; ++i) {
            fields[i] = RLP.encode(bytes32(uint256(keccak256(abi.encode("field", i)))));
        }
        fields[2] = RLP.encode(abi.encodePacked(address(0xfee)));
        fields[3] = RLP.encode(stateRoot);
        fields[5] = RLP.encode(receipts);
        fields[6] = RLP.encode(new bytes(256));
        fields[7] = RLP.encode(uint256(0));
        fields[8] = RLP.encode(number);
        fields[9] = RLP.encode(uint256(30_000_000));
        fields[10] = RLP.encode(uint256(0));
        fields[11] = RLP.encode(time);
        fields[12] = RLP.encode(bytes("breakwater"));
        fields[14] = RLP.encode(new bytes(8));
        fields[15] = RLP.encode(uint256(7));
        fields[17] = RLP.encode(uint256(0));
        fields[18] = RLP.encode(uint256(0));
        return RLP.encode(fields);
    }

    function _one(uint256 a) internal pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = a;
    }

    function _two(uint256 a, uint256 b) internal pure returns (uint256[] memory list) {
        list = new uint256[](2);
        (list[0], list[1]) = (a, b);
    }

    function _three(uint256 a, uint256 b, uint256 c) internal pure returns (uint256[] memory list) {
        list = new uint256[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }
}

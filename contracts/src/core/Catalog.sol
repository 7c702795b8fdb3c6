// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {Form, GaugeSpec} from "../interfaces/IGauges.sol";
import {Trigger} from "../interfaces/ITriggers.sol";
import {IWording} from "../interfaces/IWording.sol";
import {Listing} from "../libraries/Listing.sol";

/// @title Catalog
/// @notice Nothing here is ever changed or removed: what a live policy refers to stays as it was bought.
contract Catalog is ICatalog, AccessManaged {
    /// @dev Each listing names all gauges before it, so their number bounds its calldata.
    uint256 public constant MAX_GAUGES = 16;
    /// @dev An incident books into every pool of its gauge in one transaction.
    uint256 public constant MAX_POOLS = 16;
    /// @dev Anyone can make pools, so only some places are for whoever comes first.
    uint256 public constant OPEN_POOLS = 8;

    /// @inheritdoc ICatalog
    IWording public immutable renderer;
    /// @inheritdoc ICatalog
    address public factory;

    /// @dev Gauges and triggers: their ids are hashes of different shapes, so none is both.
    mapping(bytes32 gauge => GaugeInfo info) private _gauges;
    /// @dev No two gauges of one subject can read the same block.
    mapping(bytes32 subject => bytes32[] gauges) private _gaugesOf;
    /// @dev What was listed first on a subject, gauge or trigger: all others count in its asset, so that what one of
    ///      them paid a position can be compared with what another did.
    mapping(bytes32 subject => bytes32 id) private _firstOf;
    mapping(bytes32 id => Product terms) private _products;
    /// @inheritdoc ICatalog
    mapping(bytes32 product => bytes32 hash) public wordingHash;
    /// @inheritdoc ICatalog
    mapping(address pool => bool registered) public isPool;
    /// @dev At most `MAX_POOLS`, none twice, all registered.
    mapping(bytes32 gauge => address[] pools) private _poolsOf;
    mapping(bytes32 gauge => mapping(address pool => bool attached)) private _attached;
    /// @inheritdoc ICatalog
    mapping(bytes32 gauge => mapping(address pool => bool)) public admitted;
    /// @dev Attached pools that were not admitted, at most `OPEN_POOLS`.
    mapping(bytes32 gauge => uint256 pools) private _openTaken;

    /// @param authority an AccessManager; it decides who lists gauges and who names the factory, once.
    constructor(address authority, IWording wording) AccessManaged(authority) {
        renderer = wording;
    }

    /// @inheritdoc ICatalog
    function listGauge(GaugeSpec calldata spec, GaugeSpec[] calldata priors)
        external
        restricted
        returns (bytes32 gauge)
    {
        Listing.checkGauge(spec);
        gauge = keccak256(abi.encode(spec));
        if (_gauges[gauge].listedAt != 0) revert AlreadyListed(gauge);

        bytes32 subject = Listing.subjectOf(spec);
        bytes32[] storage listed = _gaugesOf[subject];
        uint256 count = listed.length;
        if (count == MAX_GAUGES) revert TooManyGauges(subject, MAX_GAUGES);
        if (priors.length != count) revert PriorsMismatch(count, priors.length);
        for (uint256 i; i < count; ++i) {
            bytes32 prior = keccak256(abi.encode(priors[i]));
            if (prior != listed[i]) revert WrongPrior(listed[i], prior);
            if (!Listing.exclusive(spec, priors[i])) revert NotExclusive(prior);
        }

        listed.push(gauge);
        _list(
            gauge,
            GaugeInfo({
                subject: subject,
                asset: spec.asset,
                threshold: spec.threshold,
                // Enough until the year 2106.
                listedAt: uint32(block.timestamp),
                account: spec.accounts[spec.holding.account].account,
                form: spec.form,
                rungs: Listing.GAUGE_RUNGS,
                trigger: false,
                selector: 0,
                placed: true
            })
        );
        emit GaugeListed(gauge, subject, spec);
    }

    /// @inheritdoc ICatalog
    function listTrigger(Trigger calldata trigger) external restricted returns (bytes32 id) {
        Listing.checkTrigger(trigger);
        id = Listing.idOf(trigger);
        if (_gauges[id].listedAt != 0) revert AlreadyListed(id);
        _list(
            id,
            GaugeInfo({
                subject: Listing.subjectOf(trigger),
                asset: trigger.asset,
                threshold: trigger.threshold,
                listedAt: uint32(block.timestamp),
                account: trigger.subject,
                form: Form.Ratio,
                rungs: trigger.rungs,
                trigger: true,
                selector: trigger.selector,
                placed: trigger.claims != 0
            })
        );
        emit TriggerListed(id, trigger);
    }

    /// @inheritdoc ICatalog
    function listProduct(Product calldata terms, bytes32 hash) external returns (bytes32 id) {
        // Whoever a registrant may be settles for all who hold, so the listers vouch for him and his units;
        // anybody else could take the proven loss of all holders for a few coins of his own.
        if (terms.registrant != address(0)) _checkCanCall(msg.sender, msg.data);
        GaugeInfo memory info = _gauges[terms.gauge];
        if (info.listedAt == 0) revert UnknownGauge(terms.gauge);
        Listing.checkProduct(terms, info);
        id = keccak256(abi.encode(terms));
        if (_products[id].unitDen != 0) revert AlreadyListed(id);
        bytes32 rendered = keccak256(bytes(renderer.wording(terms, info)));
        if (rendered != hash) revert WrongWording(rendered, hash);

        _products[id] = terms;
        wordingHash[id] = hash;
        emit ProductListed(id, terms.gauge, terms, hash);
    }

    /// @inheritdoc ICatalog
    function wire(address factory_) external restricted {
        if (factory != address(0)) revert AlreadyWired();
        if (factory_.code.length == 0) revert BadWiring(factory_);
        factory = factory_;
        emit Wired(factory_);
    }

    /// @inheritdoc ICatalog
    function registerPool(address pool) external {
        if (msg.sender != factory) revert NotFactory(msg.sender);
        // An account without code could become any contract later.
        if (pool.code.length == 0) revert NotAPool(pool);
        if (isPool[pool]) revert AlreadyRegistered(pool);
        isPool[pool] = true;
        emit PoolRegistered(pool);
    }

    /// @inheritdoc ICatalog
    function admit(bytes32 gauge, address pool) external restricted {
        if (!isPool[pool]) revert NotAPool(pool);
        if (_gauges[gauge].listedAt == 0) revert UnknownGauge(gauge);
        if (admitted[gauge][pool]) return;
        admitted[gauge][pool] = true;
        // The open place that it took is free again.
        if (_attached[gauge][pool]) --_openTaken[gauge];
        emit PoolAdmitted(gauge, pool);
    }

    /// @inheritdoc ICatalog
    function attach(bytes32 gauge) external {
        if (!isPool[msg.sender]) revert NotAPool(msg.sender);
        if (_gauges[gauge].listedAt == 0) revert UnknownGauge(gauge);
        if (_attached[gauge][msg.sender]) return;
        if (_poolsOf[gauge].length == MAX_POOLS) revert TooManyPools(gauge, MAX_POOLS);
        if (!admitted[gauge][msg.sender]) {
            if (_openTaken[gauge] == OPEN_POOLS) revert TooManyPools(gauge, OPEN_POOLS);
            ++_openTaken[gauge];
        }
        _attached[gauge][msg.sender] = true;
        _poolsOf[gauge].push(msg.sender);
        emit PoolAttached(gauge, msg.sender);
    }

    /// @inheritdoc ICatalog
    function gaugeInfo(bytes32 gauge) external view returns (GaugeInfo memory) {
        return _gauges[gauge];
    }

    /// @inheritdoc ICatalog
    function gaugesOf(bytes32 subject) external view returns (bytes32[] memory) {
        return _gaugesOf[subject];
    }

    /// @inheritdoc ICatalog
    function product(bytes32 id) external view returns (Product memory) {
        return _products[id];
    }

    /// @inheritdoc ICatalog
    function poolsOf(bytes32 gauge) external view returns (address[] memory) {
        return _poolsOf[gauge];
    }

    function _list(bytes32 id, GaugeInfo memory info) private {
        bytes32 first = _firstOf[info.subject];
        if (first == 0) {
            _firstOf[info.subject] = id;
        } else if (_gauges[first].asset != info.asset) {
            revert OutOfRange("asset", uint160(info.asset));
        }
        _gauges[id] = info;
    }
}

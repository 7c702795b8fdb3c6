// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Purchase} from "breakwater/interfaces/IPolicies.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Bounds} from "./Bounds.sol";
import {Elements} from "./handlers/Elements.sol";
import {Strangers} from "./handlers/Strangers.sol";
import {Cast} from "./Scene.sol";

/// @notice All handlers in one contract, because they share what they remember.
contract Handler is Strangers, Elements {
    constructor(Cast memory cast_) {
        cast = cast_;
    }

    /// @inheritdoc Elements
    function _end() internal override {
        for (uint256 g; g < cast.gauges.length; ++g) {
            if (_chance(70)) _endDwell(cast.gauges[g]);
        }
    }

    // ----- before a campaign -----

    /// @notice The campaign begins from what is there now.
    function look() external {
        for (uint256 p; p < cast.pools.length; ++p) {
            _look(p, cast.pools[p].state());
            for (uint256 i = 1; i < 4; ++i) {
                _skipProcessed(cast.pools[p].tranche(i));
            }
        }
    }

    function advance(uint256 blocks) external {
        _advance(blocks);
    }

    /// @notice Asks for shares; `join` claims them an epoch later.
    function fund(Pool pool, uint256 index, address who, uint256 assets) external {
        ITranche tranche = ITranche(pool.tranche(index));
        cast.usd.mint(who, assets);
        vm.prank(who);
        cast.usd.approve(address(tranche), assets);
        vm.prank(who);
        uint256 id = tranche.requestDeposit(assets, who, who);
        flowIn[address(pool)] += assets;
        _addRequest(batchLine[address(tranche)], id);
    }

    function join(Pool pool, uint256 index, address who) external {
        ITranche tranche = ITranche(pool.tranche(index));
        tranche.claimDeposit(_now() / Bounds.DAY - 1, who);
        _note(address(tranche), who);
    }

    /// @notice Asks for as many whole units back as `units` says, at the first price.
    function askOut(Pool pool, uint256 index, address who, uint256 units) external {
        _redeem(pool, Tranche(pool.tranche(index)), who, units * Bounds.UNIT * Bounds.SHARE_OFFSET);
    }

    function cap(Pool pool, bytes32 product, uint128 amount) external {
        vm.prank(cast.curator);
        pool.setProduct(product, amount, 0.02e18);
        _noteAsk(pool, product, amount);
    }

    function insure(Pool pool, bytes32 product, address position, uint128 sum, uint256 days_) external {
        Purchase memory p = _purchase(pool, product, sum);
        (p.position, p.to) = (position, position);
        p.expiry = uint64((_now() / Bounds.DAY + days_) * Bounds.DAY);
        _buyWhole(pool, p);
    }
}

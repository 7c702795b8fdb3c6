// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Factory} from "breakwater/core/Factory.sol";
import {Pool} from "breakwater/core/Pool.sol";
import {PoolDesk} from "breakwater/core/PoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {ICatalog} from "breakwater/interfaces/ICatalog.sol";
import {IIncidents} from "breakwater/interfaces/IIncidents.sol";
import {TreatyFactory} from "breakwater/reinsurance/TreatyFactory.sol";

/// @notice The code of pools and the factory over it, as a deployment makes them.
library Pools {
    function factory(ICatalog catalog, IIncidents incidents, address policies) internal returns (Factory) {
        PoolDesk desk = new PoolDesk(catalog, incidents, new TreatyFactory(catalog));
        Pool pool = new Pool(catalog, incidents, policies, address(desk));
        return new Factory(address(catalog), address(pool), address(new Tranche()));
    }
}

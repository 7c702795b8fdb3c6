// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Rung} from "./IIncidents.sol";

/// @title What rungs that can be silenced from outside need of the incidents. `Incidents` implements it.
interface IExtensions {
    /// @notice Time that a rung could not see counts for nobody: the incident is reported as of `openedTime`, and its
    ///         claims end at `claimsEnd` (zero while it dwells).
    event Extended(uint256 indexed id, uint64 openedTime, uint32 claimsEnd);

    /// @notice While it dwells the report counts as made `time` seconds earlier, once final its claims stay open that
    ///         much longer. Only the contract that opened it, for time that it has measured.
    function extend(uint256 id, uint64 time) external;
    /// @notice The contracts that were wired to a rung.
    function rungContracts(Rung rung) external view returns (address[] memory);
}

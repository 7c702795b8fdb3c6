// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IPool} from "../interfaces/IPool.sol";
import {ITreaty} from "../interfaces/ITreaty.sol";
import {Terms} from "./Terms.sol";
import {Waterfall} from "./Waterfall.sol";

/// @title What a pool cedes to treaties
/// @notice Every treaty is a clone whose code the pool knows, so it is called plainly: none of these calls can fail.
///         Rules are in docs/capital.md, "Ceding".
library Cessions {
    using SafeERC20 for IERC20;

    uint256 private constant BPS = 10_000;
    /// @dev Bits of one place in a line.
    uint256 private constant PLACE = 16;
    uint256 internal constant MAX_TREATIES = 4;

    /// @notice One treaty that the pool ever ceded to. Two words.
    struct Reinsurer {
        address treaty;
        uint16 premiumBps;
        uint40 start;
        uint40 end;
        uint128 premium; // set aside for it and not sent
        uint16 shareBps;
    }

    struct Store {
        Reinsurer[] all; // only grows, so that incidents find theirs when the pool cedes to it no more
        /// @dev Those it cedes to, in the order of attachment: their places in `all` plus one, the first lowest.
        uint64 line;
        uint128 premiums; // invariant: the sum of `premium`
    }

    /// @notice Lets each treaty of an incident lock its part of `reserve`. Returns what the pool counts on: a unit
    ///         less of each, because draws round down and the layers must always hold the rest.
    function cede(
        Store storage self,
        Waterfall.Entry storage entry,
        uint256 incident,
        uint64 onset,
        uint128 reserve
    ) internal returns (uint256 ceded) {
        for (uint256 line = entry.line; line != 0; line >>= PLACE) {
            uint256 covered = _treaty(self, line).encumber(incident, onset, reserve);
            if (covered != 0) ceded += covered - 1;
        }
    }

    /// @notice Draws what the treaties owe on what is due by now.
    function draw(Store storage self, Waterfall.Entry storage entry, uint256 incident) internal {
        uint128 due = entry.due;
        uint128 sent;
        for (uint256 line = entry.line; line != 0; line >>= PLACE) {
            sent += _treaty(self, line).draw(incident, due);
        }
        if (sent != 0) entry.drawn += sent;
    }

    /// @notice Claims are over: draws, frees what nobody is owed, and returns what is covered for good.
    function settle(Store storage self, Waterfall.Entry storage entry, uint256 incident)
        internal
        returns (uint256 ceded)
    {
        for (uint256 line = entry.line; line != 0; line >>= PLACE) {
            (uint128 covered, uint128 sent) = _treaty(self, line).settle(incident, entry.due);
            ceded += covered;
            entry.drawn += sent;
        }
    }

    /// @notice Sends `amount` of a recovery back to the treaties of an incident, by what each paid; rounded down, and
    ///         the last one gets the rest. Returns what could not be sent.
    function giveBack(Store storage self, Waterfall.Entry storage entry, uint256 incident, uint256 amount)
        internal
        returns (uint256 left)
    {
        left = amount;
        uint256 drawn = entry.drawn;
        uint256 back;
        for (uint256 line = entry.line; line != 0 && left != 0; line >>= PLACE) {
            ITreaty treaty = _treaty(self, line);
            uint256 its = treaty.cession(incident).drawn;
            // Of what is left by what is left: the last of them gets all of it.
            uint256 part = its == 0 ? 0 : Math.mulDiv(amount - back, its, drawn);
            (drawn, back) = (drawn - its, back + part);
            if (part == 0 || !IERC20(Terms.asset()).trySafeTransfer(address(treaty), part)) continue;
            left -= part;
            // Parts of 128 bits.
            treaty.giveBack(incident, uint128(part));
            emit IPool.Returned(incident, address(treaty), part);
        }
    }

    /// @notice Sets the treaties' part of `earned` aside, each rounded down; returns the sum.
    function setAside(Store storage self, uint256 earned) internal returns (uint256 sum) {
        for (uint256 line = self.line; line != 0; line >>= PLACE) {
            Reinsurer storage r = _of(self, line);
            if (block.timestamp < r.start || block.timestamp >= r.end) continue;
            // An accrual must not fail: what does not fit stays with the pool.
            uint256 part = Math.min(earned * r.premiumBps / BPS, type(uint128).max - self.premiums);
            if (part == 0) continue;
            sum += part;
            (r.premium, self.premiums) = (r.premium + uint128(part), self.premiums + uint128(part));
        }
    }

    /// @notice Sends a treaty what was set aside for it; zero if the asset does not move.
    function payPremium(Store storage self, address treaty) internal returns (uint128 amount) {
        (bool found, uint256 line) = find(self, treaty);
        if (!found) return 0;
        Reinsurer storage r = _of(self, line);
        amount = r.premium;
        if (amount == 0) return 0;
        (r.premium, self.premiums) = (0, self.premiums - amount);
        if (!IERC20(Terms.asset()).trySafeTransfer(treaty, amount)) {
            (r.premium, self.premiums) = (r.premium + amount, self.premiums + amount);
            return 0;
        }
        emit IPool.PremiumCeded(treaty, amount);
        ITreaty(treaty).receivePremium(amount);
    }

    /// @notice Whether the pool cedes to `treaty`, and the line from its place on.
    function find(Store storage self, address treaty) internal view returns (bool found, uint256 line) {
        for (line = self.line; line != 0; line >>= PLACE) {
            if (address(_treaty(self, line)) == treaty) return (true, line);
        }
    }

    /// @notice The treaties that the pool cedes to, in the order of their attachment.
    function treaties(Store storage self) internal view returns (address[] memory list) {
        (uint256 count,,) = sums(self);
        list = new address[](count);
        for (uint256 i; i < count; ++i) {
            list[i] = address(_treaty(self, self.line >> (PLACE * i)));
        }
    }

    /// @notice What is set aside for a treaty that the pool cedes to.
    function premiumOf(Store storage self, address treaty) internal view returns (uint256) {
        (bool found, uint256 line) = find(self, treaty);
        return found ? _of(self, line).premium : 0;
    }

    /// @notice Sums over the treaties that the pool cedes to, and how many they are.
    function sums(Store storage self)
        internal
        view
        returns (uint256 count, uint256 shareBps, uint256 premiumBps)
    {
        for (uint256 line = self.line; line != 0; line >>= PLACE) {
            Reinsurer storage r = _of(self, line);
            (count, shareBps, premiumBps) = (count + 1, shareBps + r.shareBps, premiumBps + r.premiumBps);
        }
    }

    /// @notice Puts `r` at the end of the line, which has `count` treaties.
    function push(Store storage self, Reinsurer memory r, uint256 count) internal {
        self.all.push(r);
        // The caller keeps the number of all within 16 bits.
        self.line |= uint64(uint256(uint16(self.all.length)) << (PLACE * count));
    }

    /// @notice Takes a treaty out of the line, whose `rest` begins with it; the others keep their order.
    function remove(Store storage self, uint256 rest) internal {
        uint256 place;
        for (uint256 line = self.line; line != rest; line >>= PLACE) {
            ++place;
        }
        uint256 below = self.line & ((1 << (PLACE * place)) - 1);
        self.line = uint64(below | (rest >> PLACE) << (PLACE * place));
    }

    function _treaty(Store storage self, uint256 line) private view returns (ITreaty) {
        return ITreaty(_of(self, line).treaty);
    }

    function _of(Store storage self, uint256 line) private view returns (Reinsurer storage) {
        return self.all[uint16(line) - 1];
    }
}

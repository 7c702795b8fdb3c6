// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {Policy} from "../interfaces/IPolicies.sol";
import {Leg} from "../interfaces/IWording.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Text} from "../libraries/Text.sol";

/// @title Certificate
/// @notice The metadata of a policy and its picture: a tide staff whose water is what is left of the sum.
/// @dev All that goes into markup is made here from numbers and addresses, apart from the token's symbol, of which
///      `Text.plain` leaves only letters, digits, dots, dashes and underscores.
contract Certificate {
    using Strings for uint256;
    using Strings for address;

    /// @dev What both the picture and the attributes show.
    struct View {
        string id;
        string kind;
        string symbol;
        string sum;
        string paid;
        string threshold;
        string deductible;
        uint256 left; // of the sum, bps
    }

    uint256 private constant BPS = 10_000;
    uint256 private constant WAD = 1e18;
    /// @dev Of the staff, in pixels.
    uint256 private constant TOP = 96;
    uint256 private constant HEIGHT = 300;

    /// @notice ERC-721 metadata as a data URI; see `IWording.tokenURI`.
    function tokenURI(
        uint256 id,
        Policy calldata policy,
        Product calldata terms,
        ICatalog.GaugeInfo calldata gauge,
        bytes32 wordingHash
    ) external view returns (string memory) {
        View memory v = _view(id, policy, terms, gauge);
        string memory json = string.concat(
            string.concat(
                '{"name":"Breakwater policy ',
                v.id,
                '","description":"',
                v.kind,
                " that settles itself. The wording with hash ",
                uint256(wordingHash).toHexString(32)
            ),
            string.concat(
                ' binds.","image":"data:image/svg+xml;base64,',
                Base64.encode(bytes(_svg(v, _rows(v, policy, gauge), "wording ", wordingHash))),
                '","attributes":[',
                _attributes(v, policy, gauge),
                "]}"
            )
        );
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }

    /// @notice The same of a policy on a portfolio; see `IWording.portfolioURI`.
    function portfolioURI(uint256 id, Policy calldata policy, Leg[] calldata legs)
        external
        view
        returns (string memory)
    {
        View memory v = _view(id, policy, legs[0].terms, legs[0].gauge);
        v.kind = string.concat("Portfolio of ", legs.length.toString(), " covers under one sum");
        string memory json = string.concat(
            string.concat(
                '{"name":"Breakwater policy ',
                v.id,
                '","description":"',
                v.kind,
                ". Each settles itself; the wordings that the attributes name bind.",
                '","image":"data:image/svg+xml;base64,'
            ),
            string.concat(
                Base64.encode(bytes(_svg(v, _legRows(v, policy, legs), "portfolio ", policy.product))),
                '","attributes":[',
                _shared(v, policy),
                _legAttributes(legs),
                ",",
                _attribute("Portfolio", uint256(policy.product).toHexString(32)),
                "]}"
            )
        );
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }

    function _legAttributes(Leg[] calldata legs) private pure returns (string memory all) {
        for (uint256 i; i < legs.length; ++i) {
            all = string.concat(
                all,
                ",",
                _attribute(
                    string.concat("Leg ", (i + 1).toString()),
                    string.concat(
                        Kinds.title(legs[i].terms.kind),
                        " of ",
                        legs[i].gauge.account.toChecksumHexString(),
                        ", wording ",
                        uint256(legs[i].wordingHash).toHexString(32)
                    )
                )
            );
        }
    }

    function _legRows(View memory v, Policy calldata policy, Leg[] calldata legs)
        private
        pure
        returns (string memory all)
    {
        all = string.concat(
            _head(v, policy), _row(4, "Pays for each of", "these contracts, what is left of the sum", false)
        );
        for (uint256 i; i < legs.length; ++i) {
            all = string.concat(
                all,
                '<text x="190" y="',
                (292 + 16 * i).toString(),
                '" font-size="11.5" font-family="monospace">',
                legs[i].gauge.account.toChecksumHexString(),
                "</text>"
            );
        }
    }

    function _view(
        uint256 id,
        Policy calldata policy,
        Product calldata terms,
        ICatalog.GaugeInfo calldata gauge
    ) private view returns (View memory v) {
        uint256 decimals = Text.decimalsOf(terms.asset);
        v.id = id.toString();
        v.kind = Kinds.title(terms.kind);
        v.symbol = Text.symbolOf(terms.asset);
        v.sum = Text.fixedPoint(policy.sum, decimals);
        v.paid = Text.fixedPoint(policy.paid, decimals);
        v.threshold = Text.percent(gauge.threshold, WAD);
        v.deductible = Text.percent(terms.deductibleBps, BPS);
        // A cancelled policy has a sum of zero, and nothing of it is left.
        if (policy.sum != 0) v.left = uint256(policy.sum - policy.paid) * BPS / policy.sum;
    }

    function _attributes(View memory v, Policy calldata policy, ICatalog.GaugeInfo calldata gauge)
        private
        pure
        returns (string memory)
    {
        return string.concat(
            _shared(v, policy),
            ",",
            _attribute("Covered contract", gauge.account.toChecksumHexString()),
            ",",
            _attribute("Product", uint256(policy.product).toHexString(32))
        );
    }

    function _shared(View memory v, Policy calldata policy) private pure returns (string memory) {
        return string.concat(
            string.concat(
                _attribute("Kind", v.kind),
                ",",
                _attribute("Sum insured", string.concat(v.sum, " ", v.symbol)),
                ",",
                _attribute("Paid", string.concat(v.paid, " ", v.symbol)),
                ",",
                _attribute("Position", policy.position.toChecksumHexString()),
                ","
            ),
            string.concat(
                _attribute("Pool", policy.pool.toChecksumHexString()),
                ",",
                _date("Inception", policy.inception),
                ",",
                _date("Expiry", policy.expiry)
            )
        );
    }

    function _attribute(string memory trait, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', trait, '","value":"', value, '"}');
    }

    function _date(string memory trait, uint256 time) private pure returns (string memory) {
        return
            string.concat('{"trait_type":"', trait, '","display_type":"date","value":', time.toString(), "}");
    }

    function _svg(View memory v, string memory rows, string memory what, bytes32 hash)
        private
        pure
        returns (string memory)
    {
        return string.concat(
            string.concat(
                '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 460" width="720" height="460" ',
                'font-family="Georgia,serif" fill="#16283a">',
                '<rect width="720" height="460" fill="#f7f5f0"/>',
                '<rect x="14" y="14" width="692" height="432" fill="none" stroke="#16283a" stroke-width="1.5"/>',
                '<text x="44" y="62" font-size="26">Breakwater</text>',
                '<text x="44" y="86" font-size="15" fill="#4a5a6a">'
            ),
            string.concat(
                v.kind,
                unicode", policy № ",
                v.id,
                "</text>",
                rows,
                '<text x="44" y="428" font-size="9.5" font-family="monospace" fill="#4a5a6a">',
                what
            ),
            string.concat(uint256(hash).toHexString(32), "</text>", _staff(v), "</svg>")
        );
    }

    function _rows(View memory v, Policy calldata policy, ICatalog.GaugeInfo calldata gauge)
        private
        pure
        returns (string memory)
    {
        return string.concat(
            string.concat(
                _head(v, policy),
                _row(
                    4, "Pays from a loss of", string.concat(v.threshold, ", deductible ", v.deductible), false
                ),
                _row(5, "Covered contract", gauge.account.toChecksumHexString(), true)
            ),
            string.concat(
                _row(6, "Position account", policy.position.toChecksumHexString(), true),
                _row(7, "Pool", policy.pool.toChecksumHexString(), true)
            )
        );
    }

    function _head(View memory v, Policy calldata policy) private pure returns (string memory) {
        return string.concat(
            _row(0, "Sum insured", string.concat(v.sum, " ", v.symbol), false),
            _row(1, "Paid so far", string.concat(v.paid, " ", v.symbol), false),
            _row(2, "Cover begins", Text.moment(policy.inception), false),
            _row(3, "Cover ends", Text.moment(policy.expiry), false)
        );
    }

    function _row(uint256 index, string memory name, string memory value, bool code)
        private
        pure
        returns (string memory)
    {
        string memory y = (132 + 35 * index).toString();
        return string.concat(
            string.concat(
                '<text x="44" y="', y, '" font-size="13" fill="#4a5a6a">', name, '</text><text x="190" y="', y
            ),
            string.concat(
                code ? '" font-size="12.5" font-family="monospace">' : '" font-size="17">', value, "</text>"
            )
        );
    }

    /// @dev Ten marks, each a tenth of the sum, and water up to what is left of it.
    function _staff(View memory v) private pure returns (string memory) {
        string memory marks;
        for (uint256 i; i < 10; ++i) {
            marks = string.concat(
                marks,
                '<rect x="',
                i % 2 == 0 ? "604" : "622",
                '" y="',
                (TOP + i * HEIGHT / 10).toString(),
                '" width="18" height="30" fill="#16283a"/>'
            );
        }
        uint256 level = HEIGHT * v.left / BPS;
        string memory y = (TOP + HEIGHT - level).toString();
        return string.concat(
            string.concat(
                '<text x="622" y="66" font-size="13" text-anchor="middle" fill="#4a5a6a">Left of the sum</text>',
                '<text x="622" y="86" font-size="16" text-anchor="middle">',
                Text.percent(v.left, BPS),
                '</text><rect x="604" y="96" width="36" height="300" fill="#ffffff"/>',
                marks,
                '<rect x="582" y="'
            ),
            string.concat(
                y,
                '" width="80" height="',
                level.toString(),
                '" fill="#2f6f9f" fill-opacity="0.55"/><line x1="574" x2="670" y1="',
                y,
                '" y2="'
            ),
            string.concat(
                y,
                '" stroke="#2f6f9f" stroke-width="2"/>',
                '<rect x="604" y="96" width="36" height="300" fill="none" stroke="#16283a"/>'
            )
        );
    }
}

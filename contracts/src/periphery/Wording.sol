// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ICatalog, Kind, Product} from "../interfaces/ICatalog.sol";
import {Policy} from "../interfaces/IPolicies.sol";
import {Times} from "../interfaces/ILadder.sol";
import {IWording, Leg} from "../interfaces/IWording.sol";
import {Due} from "../libraries/Due.sol";
import {Kinds} from "../libraries/Kinds.sol";
import {Text} from "../libraries/Text.sol";
import {Certificate} from "./Certificate.sol";

/// @title Wording
/// @notice The text of a cover, from the numbers that the contracts settle by, so that text and code cannot part.
/// @dev The text is fixed at listing by its hash. It therefore says nothing that may change later, such as the
///      symbol of a token; of the asset it asks only the decimals.
contract Wording is IWording {
    using Strings for uint256;
    using Strings for address;

    uint256 private constant BPS = 10_000;
    uint256 private constant WAD = 1e18;
    /// @dev `GaugeInfo.rungs` of what only reporters can tell.
    uint8 private constant QUORUM = 8;

    Times private _times;
    Certificate public immutable certificate;

    constructor(Times memory times_) {
        _times = times_;
        certificate = new Certificate();
    }

    /// @inheritdoc IWording
    function times() external view returns (Times memory) {
        return _times;
    }

    /// @inheritdoc IWording
    function wording(Product calldata terms, ICatalog.GaugeInfo calldata gauge)
        external
        view
        returns (string memory)
    {
        return string.concat(
            string.concat(
                _covered(terms, gauge),
                _trigger(terms, gauge),
                _payment(terms),
                _example(terms, gauge),
                _limits(terms),
                _exclusions(terms, gauge.trigger)
            ),
            Kinds.deciding(gauge.rungs, gauge.trigger, _times),
            _settling(terms, gauge.rungs),
            _rights(terms)
        );
    }

    /// @inheritdoc IWording
    function tokenURI(
        uint256 id,
        Policy calldata policy,
        Product calldata terms,
        ICatalog.GaugeInfo calldata gauge,
        bytes32 wordingHash
    ) external view returns (string memory) {
        return certificate.tokenURI(id, policy, terms, gauge, wordingHash);
    }

    /// @inheritdoc IWording
    function portfolioURI(uint256 id, Policy calldata policy, Leg[] calldata legs)
        external
        view
        returns (string memory)
    {
        return certificate.portfolioURI(id, policy, legs);
    }

    function _covered(Product calldata terms, ICatalog.GaugeInfo calldata gauge)
        private
        view
        returns (string memory)
    {
        bool named = terms.registrant != address(0);
        return string.concat(
            string.concat(
                "# ",
                Kinds.title(terms.kind),
                "\n\n## What is covered\n\n",
                named
                    ? "Losses of all holders together in the "
                    : "Losses of the position account named in the policy in the ",
                gauge.selector == 0
                    ? ""
                    : string.concat("function ", uint256(uint32(gauge.selector)).toHexString(4), " of the "),
                "contract ",
                gauge.account.toChecksumHexString(),
                " on chain ",
                block.chainid.toString()
            ),
            string.concat(
                ".\nThe loss is counted in ",
                gauge.asset == address(0)
                    ? "the native coin of the chain"
                    : string.concat("the token ", gauge.asset.toChecksumHexString()),
                gauge.trigger ? " and found by the trigger " : " and read from storage by the gauge ",
                uint256(terms.gauge).toHexString(32),
                ".\n",
                Kinds.measured(terms.kind, gauge)
            ),
            named
                ? string.concat(
                    "Only the registrant ",
                    terms.registrant.toChecksumHexString(),
                    " can be insured, for all its users.\n"
                )
                : "Only the account that held the position when the loss began is insured, with its own consent.\n"
        );
    }

    function _trigger(Product calldata terms, ICatalog.GaugeInfo calldata gauge)
        private
        pure
        returns (string memory)
    {
        return string.concat(
            string.concat(
                "\n## When it pays\n\nAn incident is a loss of at least ",
                Text.percent(gauge.threshold, WAD),
                gauge.trigger
                    ? " of what was there.\n"
                    : " of what was there, of which at least half of that share shows within one block.\n",
                "It touches a policy if the last block before the loss is not earlier than the inception, the block after it is not later than the expiry, and the incident is opened no later than ",
                terms.reportWindow == 0
                    ? "the expiry.\n"
                    : string.concat(Text.span(terms.reportWindow), " after the expiry.\n"),
                "The inception is "
            ),
            string.concat(
                Text.span(terms.waitingPeriod),
                " after the purchase; what happens in this waiting period is not covered.\n"
            )
        );
    }

    function _payment(Product calldata terms) private pure returns (string memory) {
        string memory less = terms.deductibleBps == 0
            ? "The share that counts, f, is the share lost, L.\n"
            : string.concat(
                "The deductible D is ",
                Text.percent(terms.deductibleBps, BPS),
                ". The share that counts is f = (L - D) / (1 - D), where L is the share lost; nothing is paid for L up to D.\n"
            );
        return string.concat(
            string.concat(
                "\n## How much it pays\n\nThe lesser of two amounts.\n",
                less,
                "1. The proven loss",
                _kindOfLoss(terms),
                ", times ",
                Text.percent(terms.lossCapBps, BPS)
            ),
            string.concat(
                ", times f / L, at the agreed rate of ",
                uint256(terms.unitNum).toString(),
                " / ",
                uint256(terms.unitDen).toString(),
                " units of the payout token for each unit of the loss.\n",
                "2. The sum insured, less what is due for other incidents, times f.\n\nAll divisions round down.\n"
            )
        );
    }

    function _kindOfLoss(Product calldata terms) private pure returns (string memory) {
        return terms.registrant != address(0)
            ? " of all holders"
            : " of the position account, from its own balance before and after";
    }

    /// @dev One number worked through, by the code that settles: a loss of half, or of all above a high threshold.
    function _example(Product calldata terms, ICatalog.GaugeInfo calldata gauge)
        private
        pure
        returns (string memory)
    {
        uint256 lambda = gauge.threshold <= WAD / 2 ? WAD / 2 : WAD;
        uint256 f = Due.fraction(lambda, terms.deductibleBps);
        uint256 part = f * terms.lossCapBps / BPS;
        return string.concat(
            string.concat(
                "Example: if ",
                Text.percent(lambda, WAD),
                " is lost, f is about ",
                _rounded(f),
                " %: the cover pays about ",
                _rounded(part)
            ),
            string.concat(
                " % of what the position was worth, and at most ", _rounded(f), " % of the sum insured.\n"
            )
        );
    }

    function _limits(Product calldata terms) private view returns (string memory) {
        uint256 decimals = Text.decimalsOf(terms.asset);
        return string.concat(
            string.concat(
                "\n## Limits\n\n- Payout token: ",
                terms.asset.toChecksumHexString(),
                ". Amounts here are in whole tokens of ",
                decimals.toString(),
                " decimals.\n- Smallest sum insured: ",
                Text.fixedPoint(terms.minSum, decimals)
            ),
            string.concat(
                "\n- A pool pays for one incident on these terms: ",
                terms.eventLimit == 0
                    ? "no limit but the sums insured"
                    : string.concat(
                        "at most ",
                        Text.fixedPoint(terms.eventLimit, decimals),
                        ", shared by all policies in proportion"
                    ),
                "\n- Term from inception to expiry: ",
                Text.span(terms.minTerm),
                " to ",
                Text.span(terms.maxTerm)
            ),
            "\n- Nobody is paid for more than was lost: one account is paid once for one loss, whatever policies, pools and kinds of cover it holds.\n",
            terms.salvage == address(0)
                ? ""
                : string.concat(
                    "- The loss counts only as far as the position account has assigned tokens of ",
                    terms.salvage.toChecksumHexString(),
                    ", one smallest unit for each unit of the loss. Those that stand behind what is paid are the pool's; the others come back.\n"
                )
        );
    }

    function _exclusions(Product calldata terms, bool trigger) private pure returns (string memory) {
        Kind kind = terms.kind;
        // These are about prices.
        bool priced = kind == Kind.Liquidity || kind == Kind.Oracle || kind == Kind.Depeg;
        return string.concat(
            string.concat(
                "\n## What is not paid\n\n- A loss below the threshold",
                trigger
                    ? ".\n"
                    : ", or, unless reporters report it, one that came so slowly that no single block shows half of it.\n",
                priced ? "" : "- A fall of the market price of any token.\n",
                trigger
                    ? ""
                    : "- Gains from donations and other rises that the gauge does not count as honest growth.\n",
                "- What came back before the time for answers was over, as far as it was shown.\n"
            ),
            trigger
                ? ""
                : "- A change of the covered code, or of a pinned setting of it, while it is measured: only reporters can then find a loss.\n",
            terms.registrant != address(0)
                ? ""
                : "- What the account bought after the loss began, or had already taken out.\n"
        );
    }

    function _settling(Product calldata terms, uint8 rungs) private view returns (string memory) {
        return string.concat(
            string.concat(
                "Then policies are settled for ",
                Text.span(_times.claimWindow),
                ", by anyone; the payment goes to the holder of the policy.\n"
            ),
            terms.instant && rungs != QUORUM
                ? "Instant lane: before the time for answers is over, the pool may pay as much as the curator's own locked capital can bear, but not on the word of reporters.\n"
                : "Instant lane: none; nothing is paid before the time for answers is over.\n",
            terms.bountyBps == 0
                ? "No part of a payment goes to those who prove and settle.\n"
                : string.concat(
                    "Of each payment ",
                    Text.percent(terms.bountyBps, BPS),
                    " goes to those who proved the loss and settled the policy, half to each; a holder who does it keeps that part.\n"
                )
        );
    }

    function _rights(Product calldata terms) private pure returns (string memory) {
        uint256 least = terms.waitingPeriod > 7 days ? terms.waitingPeriod : 7 days;
        return string.concat(
            "\n## Rights of the holder\n\n",
            "The policy can be sold or given away with every right in it.\n",
            "From inception to expiry its sum can be lowered, or the policy cancelled, unless an incident touches it; the premium of the time left comes back, for the part of the sum that was not paid out, but that of the first ",
            Text.span(least),
            " does not.\nNothing raises the sum or prolongs the term: more cover is another policy with its own waiting period.\n",
            "The pool pays with what it has. If it is due more than it holds, all policies get the same part of what they are due, and more when more comes in.\n"
        );
    }

    /// @dev A wad as percent, rounded down to two places.
    function _rounded(uint256 fraction) private pure returns (string memory) {
        return Text.fixedPoint(fraction / 1e14, 2);
    }
}

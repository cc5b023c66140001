// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Preinstalls} from "@eth-optimism/contracts-bedrock/src/libraries/Preinstalls.sol";
import {DevUsd} from "../../contracts/DevUsd.sol";
import {EscrowBase} from "../../contracts/EscrowBase.sol";
import {EscrowCourt} from "../../contracts/EscrowCourt.sol";
import {EscrowFunding} from "../../contracts/EscrowFunding.sol";
import {IPermit2} from "../../contracts/interfaces/IFunding.sol";
import {JobRef, Pinned, Terms} from "../../contracts/lib/JobTerms.sol";
import {SignedRows} from "../../contracts/lib/SignedRows.sol";
import {PictorEscrow} from "../../contracts/PictorEscrow.sol";
import {vm} from "./Kit.sol";
import {FalseToken, FeeToken, HookToken, Onlooker, ShrinkingToken} from "./Mocks.sol";
import {NoReturnToken} from "./NoReturnToken.sol";
import {AttackKit} from "./AttackKit.sol";

/// Attacks by tokens and on deposits. One test for each, named after it.
contract MoneyAttacksTest is AttackKit {
    uint256 internal constant PAYER = 0xFA7E5;

    function test_reentrancy_by_a_hook_token() public {
        HookToken hook = new HookToken();
        escrow.setAsset(address(hook), true, 1);
        token = DevUsd(address(hook));
        Terms memory t = defaultTerms("hook");
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        Pinned memory p = attest(ref, id, leases, _one(0), false, votes);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        address thief = payeeOf(0);
        hook.setHook(address(escrow), abi.encodeCall(escrow.withdraw, (address(hook), thief)));
        uint256 due = escrow.creditOf(address(hook), thief);
        vm.prank(thief);
        escrow.withdraw(address(hook), thief);
        require(!hook.hookSucceeded() && hook.balanceOf(thief) == due, "once");
        require(escrow.creditOf(address(hook), thief) == 0, "no credit left");
        // During a deposit the hook cannot withdraw either.
        t.runId = "second";
        hook.setHook(address(0), "");
        hook.mint(CREATOR, 1100e6);
        hook.setHook(address(escrow), abi.encodeCall(escrow.withdraw, (address(hook), thief)));
        vm.startPrank(CREATOR);
        hook.approve(address(escrow), 1100e6);
        escrow.openJob(t, tree(leases)[0], EscrowFunding.Funding.allowance, "", "");
        require(!hook.hookSucceeded(), "deposit");
    }

    function test_read_only_reentrancy_by_a_hook_token() public {
        HookToken hook = new HookToken();
        escrow.setAsset(address(hook), true, 1);
        token = DevUsd(address(hook));
        Onlooker onlooker = new Onlooker(escrow, payeeOf(0));
        hook.setHook(address(onlooker), abi.encodeCall(onlooker.look, (ERC20(address(hook)))));
        (id, ref) = openAs(CREATOR, defaultTerms("hook"), tree(leases)[0]);
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        vm.prank(payeeOf(0));
        escrow.withdraw(address(hook), payeeOf(0));
        // Minting, deposit and withdrawal call twice each.
        require(onlooker.looked() == 6, "looked before and after each move");
        require(!onlooker.sawCredit() && !onlooker.sawMoreOwedThanHeld(), "never more than there is");
    }

    function test_fee_on_transfer_token() public {
        FeeToken fee = new FeeToken();
        escrow.setAsset(address(fee), true, 1);
        Terms memory t = defaultTerms("fee");
        t.token = address(fee);
        uint256 amount = uint256(t.farmBudget) + t.checkBudget;
        fee.mint(CREATOR, amount);
        vm.startPrank(CREATOR);
        fee.approve(address(escrow), amount);
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.TransferShort.selector, amount, amount - amount / 100));
        escrow.openJob(t, 0, EscrowFunding.Funding.allowance, "", "");
    }

    function test_rebasing_token_hurts_only_those_who_use_it() public {
        ShrinkingToken shrinking = new ShrinkingToken();
        escrow.setAsset(address(shrinking), true, 1);
        DevUsd dollar = token;
        token = DevUsd(address(shrinking));
        (bytes32 other, JobRef memory otherRef) = openAs(CREATOR, defaultTerms("shrinks"), tree(leases)[0]);
        Pinned memory p = attest(otherRef, other, leases, all(2), false, votes);
        token = dollar;
        shrinking.shrink(address(escrow), 1080e6);
        vm.warp(p.releaseAt);
        escrow.release(other, 1, p);
        vm.prank(payeeOf(0));
        vm.expectRevert();
        escrow.withdraw(address(shrinking), payeeOf(0));
        vm.expectRevert();
        escrow.rescue(shrinking, address(this));
        // The dollars of the other job are all there.
        p = attest(ref, id, leases, all(2), false, votes);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        vm.prank(payeeOf(0));
        require(escrow.withdraw(address(token), payeeOf(0)) == 47.5e6, "paid in full");
    }

    function test_token_that_returns_false() public {
        FalseToken no = new FalseToken();
        escrow.setAsset(address(no), true, 1);
        Terms memory t = defaultTerms("false");
        t.token = address(no);
        vm.startPrank(CREATOR);
        vm.expectRevert();
        escrow.openJob(t, 0, EscrowFunding.Funding.allowance, "", "");
    }

    function test_token_that_returns_nothing_and_blocks_a_payee() public {
        NoReturnToken usdt = new NoReturnToken();
        escrow.setAsset(address(usdt), true, 1);
        Terms memory t = defaultTerms("usdt");
        t.token = address(usdt);
        uint256 amount = uint256(t.farmBudget) + t.checkBudget;
        usdt.mint(CREATOR, amount);
        vm.startPrank(CREATOR);
        usdt.approve(address(escrow), amount);
        id = escrow.openJob(t, tree(leases)[0], EscrowFunding.Funding.allowance, "", "");
        vm.stopPrank();
        ref.terms = t;
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        usdt.setBlocked(payeeOf(0), true);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        vm.prank(payeeOf(0));
        vm.expectRevert();
        escrow.withdraw(address(usdt), payeeOf(0));
        // It chooses another address; the others were never held up.
        vm.prank(payeeOf(0));
        escrow.withdraw(address(usdt), address(0xCAFE));
        require(usdt.balanceOf(address(0xCAFE)) == 47.5e6, "paid elsewhere");
    }

    function test_token_that_is_not_allowed() public {
        Terms memory t = defaultTerms("other");
        t.token = address(0xDEAD);
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.TokenRefused.selector, address(0xDEAD)));
        escrow.openJob(t, 0, EscrowFunding.Funding.allowance, "", "");
    }

    function test_spending_a_strangers_allowance() public {
        Terms memory t = defaultTerms("stolen");
        t.creator = vm.addr(PAYER);
        token.mint(t.creator, 1e12);
        vm.prank(t.creator);
        token.approve(address(escrow), type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, t.creator));
        escrow.openJob(t, 0, EscrowFunding.Funding.allowance, "", "");
        // With the creator's signature over exactly these terms and this set anybody may relay.
        bytes memory signature = sign(PAYER, _openDigest(t, "set"));
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, t.creator));
        escrow.openJob(t, "another set", EscrowFunding.Funding.allowance, "", signature);
        escrow.openJob(t, "set", EscrowFunding.Funding.allowance, "", signature);
    }

    function test_front_running_a_permit() public {
        Terms memory t = defaultTerms("permit");
        t.creator = vm.addr(PAYER);
        uint256 amount = uint256(t.farmBudget) + t.checkBudget;
        token.mint(t.creator, amount);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                t.creator,
                address(escrow),
                amount,
                0,
                block.timestamp + 1
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(PAYER, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
        // Somebody sends the permit first; the opening still works.
        token.permit(t.creator, address(escrow), amount, block.timestamp + 1, v, r, s);
        vm.prank(t.creator);
        escrow.openJob(t, "set", EscrowFunding.Funding.permit, abi.encode(amount, block.timestamp + 1, v, r, s), "");
        require(token.balanceOf(t.creator) == 0, "funded");
    }

    function test_erc3009_authorization_is_bound_to_terms_and_set() public {
        Terms memory t = defaultTerms("3009");
        t.creator = vm.addr(PAYER);
        uint256 amount = uint256(t.farmBudget) + t.checkBudget;
        token.mint(t.creator, amount);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                t.creator,
                address(escrow),
                amount,
                0,
                block.timestamp + 100,
                _openHash(t, "set")
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(PAYER, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
        bytes memory data = abi.encode(0, block.timestamp + 100, v, r, s);
        vm.expectRevert();
        escrow.openJob(t, "another set", EscrowFunding.Funding.authorization, data, "");
        escrow.openJob(t, "set", EscrowFunding.Funding.authorization, data, "");
        require(token.balanceOf(address(escrow)) == amount + 1100e6, "funded");
    }

    function test_permit2_witness_is_bound_to_terms_and_set() public {
        // The code of the deployed Permit2, as its rollup preinstalls carry it.
        vm.etch(PERMIT2, Preinstalls.getPermit2Code(block.chainid));
        Terms memory t = defaultTerms("permit2");
        t.creator = vm.addr(PAYER);
        uint256 amount = uint256(t.farmBudget) + t.checkBudget;
        token.mint(t.creator, amount);
        vm.prank(t.creator);
        token.approve(PERMIT2, type(uint256).max);
        bytes memory data = abi.encode(uint256(5), block.timestamp + 9, _permit2Signature(t, "set", amount));
        vm.expectRevert();
        escrow.openJob(t, "another set", EscrowFunding.Funding.permit2, data, "");
        escrow.openJob(t, "set", EscrowFunding.Funding.permit2, data, "");
        require(token.balanceOf(address(escrow)) == amount + 1100e6, "funded");
        // The nonce is spent: the same signature moves no second deposit.
        token.mint(t.creator, amount);
        vm.prank(address(escrow));
        vm.expectRevert(bytes4(keccak256("InvalidNonce()")));
        IPermit2(PERMIT2).permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom(IPermit2.TokenPermissions(address(token), amount), 5, block.timestamp + 9),
            IPermit2.SignatureTransferDetails(address(escrow), amount),
            t.creator,
            _openHash(t, "set"),
            "Open witness)Open(bytes32 terms,bytes32 setRoot)TokenPermissions(address token,uint256 amount)",
            _permit2Signature(t, "set", amount)
        );
    }

    function test_front_running_an_opening_with_its_signature_copied() public {
        Terms memory t = defaultTerms("copied");
        t.creator = vm.addr(PAYER);
        token.mint(t.creator, 1e12);
        vm.prank(t.creator);
        token.approve(address(escrow), type(uint256).max);
        bytes memory signature = sign(PAYER, _openDigest(t, "set"));
        vm.prank(address(0xF407));
        bytes32 opened = escrow.openJob(t, "set", EscrowFunding.Funding.allowance, "", signature);
        require(opened == escrow.jobIdOf(t.creator, t.runId), "the very same job");
        vm.expectRevert(EscrowFunding.AlreadyOpen.selector);
        escrow.openJob(t, "set", EscrowFunding.Funding.allowance, "", signature);
        require(token.balanceOf(t.creator) == 1e12 - 1100e6, "paid once");
    }

    function test_opening_with_words_that_no_later_call_can_read() public {
        // A bit above the type of a field that opening itself has no use for: `attest` would stop in the decoder, `refund` would not read it.
        Terms memory t = defaultTerms("dirty");
        t.platformFeeBps = 0;
        token.mint(CREATOR, 1e12);
        vm.startPrank(CREATOR);
        token.approve(address(escrow), type(uint256).max);
        bytes memory clean = abi.encodeCall(escrow.openJob, (t, "set", EscrowFunding.Funding.allowance, "", ""));
        for (uint256 word; word < 24; ++word) {
            bool wide = word == 1 || (word >= 7 && word <= 10);
            if (wide) continue;
            bytes memory dirty = bytes.concat(clean);
            // Selector, five words of arguments, then the terms.
            dirty[4 + 5 * 32 + word * 32] = 0x80;
            (bool ok,) = address(escrow).call(dirty);
            require(!ok, "opened");
        }
        (bool fine,) = address(escrow).call(clean);
        require(fine, "the same without");
    }

    function test_opening_the_same_run_twice() public {
        vm.startPrank(CREATOR);
        vm.expectRevert(EscrowFunding.AlreadyOpen.selector);
        escrow.openJob(ref.terms, ref.setRoot, EscrowFunding.Funding.allowance, "", "");
    }

    function test_top_up_with_the_same_key_pays_once() public {
        token.mint(CREATOR, 30e6);
        vm.startPrank(CREATOR);
        token.approve(address(escrow), 30e6);
        escrow.topUp(ref, 10e6, 5e6, "key");
        vm.expectRevert(EscrowFunding.AlreadyToppedUp.selector);
        escrow.topUp(ref, 10e6, 5e6, "key");
        escrow.topUp(ref, 10e6, 5e6, "other");
        (, uint96 farm, uint96 check,,,,) = escrow.jobs(id);
        require(farm == 1020e6 && check == 110e6, "twice in all");
    }

    function test_terms_under_which_money_could_be_stuck() public {
        string[17] memory fields = [
            "quorum", "quorum", "checkers", "checkers", "platformFeeBps", "platformFeeBps", "arbiter", "leaseKey", "recordMode",
            "deadline", "attestBy", "claimTime", "refundAfter", "resolveBy", "disputeWindow", "refundAfter", "farmBudget"
        ];
        // With money and allowance there, so that nothing but the terms can be the reason.
        token.mint(CREATOR, 1e30);
        vm.prank(CREATOR);
        token.approve(address(escrow), type(uint256).max);
        for (uint256 i; i < 17; ++i) {
            Terms memory t = defaultTerms(keccak256(abi.encode(i)));
            if (i == 0) t.quorum = 2;
            if (i == 1) t.quorum = 6;
            if (i == 2) (t.checkers[0], t.checkers[1]) = (t.checkers[1], t.checkers[0]);
            if (i == 3) t.checkers[1] = t.checkers[0];
            if (i == 4) t.platformFeeBps = 3001;
            if (i == 5) t.platform = address(0);
            if (i == 6) t.arbiter = address(0);
            if (i == 7) t.leaseKey = address(0);
            if (i == 8) t.recordMode = 2;
            if (i == 9) t.deadline = uint40(block.timestamp);
            if (i == 10) t.attestBy = t.deadline;
            if (i == 11) t.claimTime = 0;
            if (i == 12) t.refundAfter = t.attestBy + t.claimTime;
            if (i == 13) t.resolveBy = 31 days;
            if (i == 14) t.disputeWindow = 31 days;
            if (i == 15) t.refundAfter = t.attestBy + 71 * HOUR;
            if (i == 16) (t.farmBudget, t.checkBudget) = (type(uint96).max, 1);
            vm.expectRevert(abi.encodeWithSelector(EscrowFunding.BadTerms.selector, fields[i]));
            vm.prank(CREATOR);
            escrow.openJob(t, 0, EscrowFunding.Funding.allowance, "", "");
        }
    }

    function test_the_owner_can_touch_no_job_and_take_only_strays() public {
        token.mint(address(escrow), 7e6);
        escrow.setAsset(address(token), false, 0);
        escrow.rescue(IERC20(address(token)), address(this));
        require(token.balanceOf(address(this)) == 7e6 && token.balanceOf(address(escrow)) == 1100e6, "only strays");
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        vm.startPrank(CREATOR);
        vm.expectRevert();
        escrow.setAsset(address(token), true, 0);
        vm.expectRevert();
        escrow.rescue(IERC20(address(token)), CREATOR);
    }

    function test_stray_ether_is_refused() public {
        bytes[3] memory calls =
            [bytes(""), abi.encodeCall(escrow.jobIdOf, (CREATOR, "run")), abi.encodeCall(court.cancel, (ref, ""))];
        for (uint256 i; i < 3; ++i) {
            (bool ok,) = address(escrow).call{value: 1}(calls[i]);
            require(!ok && address(escrow).balance == 0, "nothing is payable");
        }
    }

    function _openHash(Terms memory t, bytes32 setRoot) internal pure returns (bytes32) {
        bytes memory list;
        for (uint256 i; i < t.checkers.length; ++i) list = abi.encodePacked(list, abi.encode(t.checkers[i]));
        bytes memory head = abi.encode(
            t.creator, t.runId, t.token, t.farmBudget, t.checkBudget, t.frameCap, t.checkFee, t.specHash, t.bundleRoot, t.quoteHash
        );
        bytes memory middle = abi.encode(
            keccak256(list), t.registryDraw, t.quorum, t.arbiter, t.leaseKey, t.platform, t.platformFeeBps, t.recordMode
        );
        bytes memory times = abi.encode(t.deadline, t.attestBy, t.claimTime, t.refundAfter, t.disputeWindow, t.resolveBy);
        bytes32 typeHash = keccak256(
            "Terms(address creator,bytes32 runId,address token,uint96 farmBudget,uint96 checkBudget,uint96 frameCap,uint96 checkFee,bytes32 specHash,bytes32 bundleRoot,bytes32 quoteHash,address[] checkers,uint8 registryDraw,uint8 quorum,address arbiter,address leaseKey,address platform,uint16 platformFeeBps,uint8 recordMode,uint40 deadline,uint40 attestBy,uint40 claimTime,uint40 refundAfter,uint40 disputeWindow,uint40 resolveBy)"
        );
        bytes32 termsHash = keccak256(bytes.concat(typeHash, head, middle, times));
        return keccak256(abi.encode(keccak256("Open(bytes32 terms,bytes32 setRoot)"), termsHash, setRoot));
    }

    function _openDigest(Terms memory t, bytes32 setRoot) internal view returns (bytes32) {
        return digest(_openHash(t, setRoot));
    }

    function _permit2Signature(Terms memory t, bytes32 setRoot, uint256 amount)
        internal
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256(
            "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Open witness)Open(bytes32 terms,bytes32 setRoot)TokenPermissions(address token,uint256 amount)"
        );
        bytes32 tokenHash =
            keccak256(abi.encode(keccak256("TokenPermissions(address token,uint256 amount)"), address(token), amount));
        bytes32 structHash =
            keccak256(abi.encode(typeHash, tokenHash, address(escrow), uint256(5), block.timestamp + 9, _openHash(t, setRoot)));
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)"),
                keccak256("Permit2"),
                block.chainid,
                PERMIT2
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }
}

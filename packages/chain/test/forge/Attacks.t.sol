// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {CheckerRegistry} from "../../contracts/CheckerRegistry.sol";
import {DevUsd} from "../../contracts/DevUsd.sol";
import {EscrowBase} from "../../contracts/EscrowBase.sol";
import {EscrowBatches} from "../../contracts/EscrowBatches.sol";
import {EscrowBooks} from "../../contracts/EscrowBooks.sol";
import {EscrowCourt} from "../../contracts/EscrowCourt.sol";
import {EscrowDisputes} from "../../contracts/EscrowDisputes.sol";
import {EscrowFunding} from "../../contracts/EscrowFunding.sol";
import {IPermit2} from "../../contracts/interfaces/IFunding.sol";
import {BatchReader} from "../../contracts/lib/BatchReader.sol";
import {FrameProofs} from "../../contracts/lib/FrameProofs.sol";
import {FarmShare, JobRef, Objection, Pinned, Terms} from "../../contracts/lib/JobTerms.sol";
import {SignedRows} from "../../contracts/lib/SignedRows.sol";
import {PictorEscrow} from "../../contracts/PictorEscrow.sol";
import {Kit, TestLease, vm} from "./Kit.sol";
import {FalseToken, FeeToken, HookToken, MockPermit2, NoReturnToken, Wallet1271} from "./Mocks.sol";

/// One test for each attack, named after it.
contract AttacksTest is Kit {
    TestLease[] internal leases;
    JobRef internal ref;
    bytes32 internal id;
    uint32[3] internal votes = [uint32(1), 1, 1];
    uint256 internal constant PAYER = 0xFA7E5;

    function setUp() public {
        _setUpKit(address(0));
        leases.push(lease(1, 0, 50e6, 1000));
        leases.push(lease(2, 1, 60e6, 500));
        (id, ref) = openAs(CREATOR, defaultTerms("run"), tree(leases)[0]);
    }

    function _one(uint256 i) internal pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = i;
    }

    /// Blob, proof, expiry and signatures of an honest batch of lease `i`.
    function _honest(uint256 i) internal view returns (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) {
        blob = blobOf(pick(leases, _one(i)), 0, false, votes);
        proof = setProof(leases, _one(i));
        until = uint40(block.timestamp) + HOUR;
        signatures = rows(batchDigest(id, blob, until), 3);
    }

    function test_replay_on_another_chain() public {
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(0);
        vm.chainId(31338);
        vm.expectRevert(EscrowBase.UnknownJob.selector);
        escrow.attest(ref, blob, proof, until, signatures);
        // The same job opened there has another id, and the old signatures do not count.
        (id, ref) = openAs(CREATOR, ref.terms, ref.setRoot);
        vm.expectRevert();
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_replay_on_another_deployment() public {
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(0);
        EscrowCourt court2 = new EscrowCourt(registry, 60);
        escrow = new PictorEscrow(address(this), court2, IPermit2(address(0)));
        escrow.setAsset(address(token), true, 1);
        (id, ref) = openAs(CREATOR, ref.terms, ref.setRoot);
        vm.expectRevert();
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_replay_of_a_batch_within_its_job() public {
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(0);
        escrow.attest(ref, blob, proof, until, signatures);
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.AlreadySettled.selector, 1));
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_signature_malleability_flipped_s() public {
        (bytes memory blob, bytes memory proof, uint40 until,) = _honest(0);
        bytes32 d = batchDigest(id, blob, until);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[0], d);
        bytes32 flipped = bytes32(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - uint256(s));
        bytes memory bad = abi.encodePacked(uint8(0), uint16(65), r, flipped, v == 27 ? uint8(28) : uint8(27));
        for (uint8 i = 1; i < 3; ++i) bad = abi.encodePacked(bad, i, uint16(65), sign(keys[i], d));
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, vm.addr(keys[0])));
        escrow.attest(ref, blob, proof, until, bad);
    }

    function test_signature_malleability_compact_form() public {
        (bytes memory blob, bytes memory proof, uint40 until,) = _honest(0);
        bytes32 d = batchDigest(id, blob, until);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[0], d);
        bytes32 vs = bytes32(uint256(s) | (v == 28 ? 1 << 255 : 0));
        bytes memory bad = abi.encodePacked(uint8(0), uint16(64), r, vs);
        for (uint8 i = 1; i < 3; ++i) bad = abi.encodePacked(bad, i, uint16(65), sign(keys[i], d));
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, vm.addr(keys[0])));
        escrow.attest(ref, blob, proof, until, bad);
    }

    function test_duplicate_signer() public {
        (bytes memory blob, bytes memory proof, uint40 until,) = _honest(0);
        bytes32 d = batchDigest(id, blob, until);
        bytes memory row = abi.encodePacked(uint8(0), uint16(65), sign(keys[0], d));
        vm.expectRevert(SignedRows.SignerOrder.selector);
        escrow.attest(ref, blob, proof, until, abi.encodePacked(row, row, row));
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.QuorumMissing.selector, 2, 3));
        escrow.attest(ref, blob, proof, until, rows(d, 2));
    }

    function test_signatures_cut_short_or_out_of_the_committee() public {
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(0);
        bytes memory cut = new bytes(signatures.length - 1);
        for (uint256 i; i < cut.length; ++i) cut[i] = signatures[i];
        vm.expectRevert(SignedRows.MalformedRows.selector);
        escrow.attest(ref, blob, proof, until, cut);
        bytes memory outside = abi.encodePacked(signatures, uint8(7), uint16(65), sign(1, 0));
        vm.expectRevert();
        escrow.attest(ref, blob, proof, until, outside);
    }

    function test_erc1271_checker_revokes_and_reenters() public {
        Wallet1271 wallet = new Wallet1271();
        Terms memory t = defaultTerms("1271");
        t.checkers = new address[](1);
        t.checkers[0] = address(wallet);
        t.quorum = 1;
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        bytes memory blob = blobOf(pick(leases, _one(0)), 0, false, [uint32(1), 0, 0]);
        bytes memory proof = setProof(leases, _one(0));
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory row = abi.encodePacked(uint8(0), uint16(3), "yes");
        wallet.setWilling(false);
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, address(wallet)));
        escrow.attest(ref, blob, proof, until, row);
        wallet.setWilling(true);
        wallet.setReenter(address(escrow));
        escrow.attest(ref, blob, proof, until, row);
    }

    function test_delegated_account_still_signs_with_its_key() public {
        // EIP-7702: the account has code that knows no ERC-1271.
        vm.etch(vm.addr(keys[0]), abi.encodePacked(hex"ef0100", address(token)));
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(0);
        escrow.attest(ref, blob, proof, until, signatures);
    }

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
        openAs(CREATOR, t, tree(leases)[0]);
        require(!hook.hookSucceeded(), "deposit");
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
        MockPermit2 permit2 = new MockPermit2();
        escrow = new PictorEscrow(address(this), new EscrowCourt(registry, 60), IPermit2(address(permit2)));
        escrow.setAsset(address(token), true, 1);
        Terms memory t = defaultTerms("permit2");
        t.creator = vm.addr(PAYER);
        uint256 amount = uint256(t.farmBudget) + t.checkBudget;
        token.mint(t.creator, amount);
        vm.prank(t.creator);
        token.approve(address(permit2), type(uint256).max);
        bytes memory data = abi.encode(uint256(5), block.timestamp + 9, _permit2Signature(permit2, t, "set", amount));
        vm.expectRevert();
        escrow.openJob(t, "another set", EscrowFunding.Funding.permit2, data, "");
        escrow.openJob(t, "set", EscrowFunding.Funding.permit2, data, "");
        require(token.balanceOf(address(escrow)) == amount, "funded");
    }

    function test_opening_the_same_run_twice() public {
        vm.startPrank(CREATOR);
        vm.expectRevert(EscrowFunding.AlreadyOpen.selector);
        escrow.openJob(ref.terms, ref.setRoot, EscrowFunding.Funding.allowance, "", "");
    }

    function test_attesting_leases_that_are_in_no_set() public {
        TestLease[] memory forged = new TestLease[](1);
        forged[0] = lease(1, 0, 60e6, 1000);
        bytes memory blob = blobOf(forged, 0, false, votes);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        bytes memory proof = setProof(leases, _one(0));
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.NotALeaseSet.selector, 0));
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_more_weight_accepted_than_there_is() public {
        TestLease[] memory greedy = new TestLease[](1);
        greedy[0] = lease(1, 0, 50e6, 1001);
        bytes memory blob = blobOf(greedy, 0, false, votes);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        bytes memory proof = setProof(leases, _one(0));
        vm.expectRevert(abi.encodeWithSelector(BatchReader.BadLease.selector, 1));
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_merkle_second_preimage_an_inner_node_is_no_lease() public {
        // The root of the two leaves hashes 64 bytes; a lease hashes 97, so no lease entry can name an inner node. A proof of nothing fails as well.
        (bytes memory blob,, uint40 until, bytes memory signatures) = _honest(0);
        vm.expectRevert(FrameProofs.BadProof.selector);
        escrow.attest(ref, blob, abi.encodePacked(uint16(0), uint16(1), uint8(0x80)), until, signatures);
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.NotALeaseSet.selector, 0));
        escrow.attest(ref, blob, abi.encodePacked(uint16(0), uint16(0)), until, signatures);
        vm.expectRevert(FrameProofs.BadProof.selector);
        escrow.attest(ref, blob, abi.encodePacked(uint16(1), leaf(leases[1]), uint16(1), uint8(0x80)), until, signatures);
    }

    function test_tampered_or_padded_batch() public {
        (bytes memory blob, bytes memory proof, uint40 until,) = _honest(0);
        bytes[4] memory bad = [abi.encodePacked(blob, uint8(0)), blob, blob, blob];
        bad[1] = abi.encodePacked(blob);
        bad[1][0] = 0x02;
        bad[2] = abi.encodePacked(blob);
        bad[2][1] = 0x02;
        bad[3] = new bytes(blob.length - 1);
        for (uint256 i; i < bad[3].length; ++i) bad[3][i] = blob[i];
        for (uint256 i; i < 4; ++i) {
            bytes memory signatures = rows(batchDigest(id, bad[i], until), 3);
            vm.expectRevert();
            escrow.attest(ref, bad[i], proof, until, signatures);
        }
    }

    function test_over_budget_and_over_frame_cap() public {
        Terms memory t = defaultTerms("tight");
        t.farmBudget = 100e6;
        t.checkBudget = 150_000;
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        bytes memory blob = blobOf(leases, 0, false, votes);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        bytes memory proof = setProof(leases, all(2));
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.OverFarmBudget.selector, 100e6));
        escrow.attest(ref, blob, proof, until, signatures);
        t.runId = "tight check";
        t.farmBudget = 110e6;
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        signatures = rows(batchDigest(id, blob, until), 3);
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.OverCheckBudget.selector, 150_000));
        escrow.attest(ref, blob, proof, until, signatures);
        t.runId = "cap";
        t.checkBudget = 1e9;
        t.frameCap = 5.9e6;
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        signatures = rows(batchDigest(id, blob, until), 3);
        vm.expectRevert(abi.encodeWithSelector(BatchReader.OverFrameCap.selector, 2));
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_refund_from_under_an_attested_batch() public {
        vm.warp(ref.terms.attestBy);
        Pinned memory p = attest(ref, id, leases, all(2), true, votes);
        require(p.releaseAt <= ref.terms.refundAfter, "windows end before the refund");
        vm.warp(ref.terms.refundAfter);
        court.refund(ref);
        escrow.release(id, 1, p);
        require(escrow.creditOf(address(token), payeeOf(0)) == 47.5e6, "its farm is paid");
    }

    function test_attest_after_its_time() public {
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(0);
        vm.warp(until + 1);
        vm.expectRevert(EscrowBase.TooLate.selector);
        escrow.attest(ref, blob, proof, until, signatures);
        vm.warp(ref.terms.attestBy + 1);
        signatures = rows(batchDigest(id, blob, type(uint40).max), 3);
        vm.expectRevert(EscrowBase.TooLate.selector);
        escrow.attest(ref, blob, proof, type(uint40).max, signatures);
    }

    function test_release_with_other_payees_or_amounts() public {
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        vm.warp(p.releaseAt);
        p.farms[0].payTo = address(0xBAD);
        vm.expectRevert(EscrowBooks.NotPinned.selector);
        escrow.release(id, 1, p);
    }

    function test_dispute_by_a_stranger_or_too_late_or_twice() public {
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        vm.expectRevert(EscrowBase.NotAllowed.selector);
        court.dispute(ref, 1, p, 0, 0, address(this), "");
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, CREATOR));
        court.dispute(ref, 1, p, 0, 0, CREATOR, "");
        token.mint(CREATOR, 100e6);
        vm.startPrank(CREATOR);
        token.approve(address(escrow), 100e6);
        court.dispute(ref, 1, p, 0, 0, CREATOR, "");
        vm.expectRevert(EscrowBooks.NotPinned.selector);
        court.dispute(ref, 1, p, 0, 0, CREATOR, "");
        FarmShare[] memory rest = new FarmShare[](1);
        rest[0] = p.farms[1];
        p.farms = rest;
        vm.warp(p.releaseAt);
        vm.expectRevert(EscrowBase.TooLate.selector);
        court.dispute(ref, 1, p, 0, 0, CREATOR, "");
    }

    function test_somebody_else_than_the_arbiter_resolves() public {
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        Objection memory o = objectionOf(ref, p.farms[0], CREATOR, CREATOR, false);
        token.mint(CREATOR, o.bond);
        vm.startPrank(CREATOR);
        token.approve(address(escrow), o.bond);
        court.dispute(ref, 1, p, 0, 0, CREATOR, "");
        vm.expectRevert(EscrowBase.NotAllowed.selector);
        court.resolve(ref, 1, o, 0);
        vm.stopPrank();
        vm.startPrank(ARBITER);
        vm.expectRevert(EscrowDisputes.NotPerMille.selector);
        court.resolve(ref, 1, o, 1001);
        o.bond += 1;
        vm.expectRevert(EscrowDisputes.NoSuchObjection.selector);
        court.resolve(ref, 1, o, 0);
    }

    function test_a_rival_blocks_a_lease_by_claiming_it() public {
        bytes memory held = rows(heldDigest(id, 1, 0), 3);
        vm.warp(ref.terms.attestBy);
        vm.expectRevert(EscrowBase.NotAllowed.selector);
        court.claim(ref, leaseData(leases[0]), 0, ref.setRoot, "", new bytes32[](1), 0, held);
    }

    function test_claim_without_a_quorum_of_held() public {
        bytes memory held = rows(heldDigest(id, 1, 0), 2);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = leaf(leases[1]);
        vm.warp(ref.terms.attestBy);
        vm.startPrank(farmOf(0));
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.QuorumMissing.selector, 2, 3));
        court.claim(ref, leaseData(leases[0]), 0, ref.setRoot, "", proof, 0, held);
        proof[0] = 0;
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.NotALeaseSet.selector, 0));
        court.claim(ref, leaseData(leases[0]), 0, ref.setRoot, "", proof, 0, held);
        vm.warp(ref.terms.attestBy + ref.terms.claimTime + 1);
        vm.expectRevert(EscrowBase.TooLate.selector);
        court.claim(ref, leaseData(leases[0]), 0, ref.setRoot, "", proof, 0, held);
    }

    function test_final_below_what_is_attested_or_without_quorum() public {
        attest(ref, id, leases, _one(0), false, votes);
        uint96 attested = 50e6 + 100_010;
        bytes memory signatures = rows(finalDigest(id, attested - 1), 3);
        vm.expectRevert(abi.encodeWithSelector(EscrowCourt.KeepTooSmall.selector, attested));
        court.finalize(ref, attested - 1, signatures);
        signatures = rows(finalDigest(id, attested), 2);
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.QuorumMissing.selector, 2, 3));
        court.finalize(ref, attested, signatures);
        signatures = rows(finalDigest(id, 2000e6), 3);
        vm.expectRevert(abi.encodeWithSelector(EscrowCourt.KeepTooLarge.selector, 1100e6));
        court.finalize(ref, 2000e6, signatures);
    }

    function test_a_thief_of_the_lease_key_cannot_withdraw_or_cancel() public {
        address thief = vm.addr(LEASE_KEY);
        vm.startPrank(thief);
        require(escrow.withdraw(address(token), thief) == 0, "nothing");
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, CREATOR));
        court.cancel(ref, "");
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, CREATOR));
        court.setLeaseKey(ref, thief, "");
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

    function test_the_owner_cannot_price_disputes_out() public {
        escrow.setAsset(address(token), true, type(uint96).max);
        require(court.bondFor(address(token), 50e6) == 50e6, "at most the price");
        escrow.setAsset(address(token), true, 1e6);
        require(court.bondFor(address(token), 50e6) == 2.5e6 && court.bondFor(address(token), 10e6) == 1e6, "a twentieth");
    }

    function test_stray_ether_is_refused() public {
        (bool ok,) = address(escrow).call{value: 0}("");
        require(!ok, "no such call");
    }

    function test_the_court_called_directly_holds_nothing() public {
        EscrowCourt direct = EscrowCourt(escrow.court());
        vm.expectRevert(EscrowBase.UnknownJob.selector);
        direct.refund(ref);
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

    function _permit2Signature(MockPermit2 permit2, Terms memory t, bytes32 setRoot, uint256 amount)
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
                address(permit2)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encode(r, s, v);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowBase} from "../../contracts/EscrowBase.sol";
import {EscrowBooks} from "../../contracts/EscrowBooks.sol";
import {EscrowCourt} from "../../contracts/EscrowCourt.sol";
import {EscrowDisputes} from "../../contracts/EscrowDisputes.sol";
import {EscrowFunding} from "../../contracts/EscrowFunding.sol";
import {Amounts} from "../../contracts/lib/Amounts.sol";
import {BatchReader} from "../../contracts/lib/BatchReader.sol";
import {FrameProofs} from "../../contracts/lib/FrameProofs.sol";
import {FarmShare, Objection, Pinned, Terms} from "../../contracts/lib/JobTerms.sol";
import {SignedRows} from "../../contracts/lib/SignedRows.sol";
import {TestLease, vm} from "./Kit.sol";
import {AttackKit} from "./AttackKit.sol";

/// Attacks on batches, disputes and roles. One test for each, named after it.
contract AttacksTest is AttackKit {
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
        vm.expectRevert(abi.encodeWithSelector(Amounts.OverFarmBudget.selector, 100e6));
        escrow.attest(ref, blob, proof, until, signatures);
        t.runId = "tight check";
        t.farmBudget = 110e6;
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        signatures = rows(batchDigest(id, blob, until), 3);
        vm.expectRevert(abi.encodeWithSelector(Amounts.OverCheckBudget.selector, 150_000));
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

    function test_two_batches_about_one_lease_only_the_first_counts() public {
        attest(ref, id, leases, _one(0), false, votes);
        leases[0].accepted = 0;
        bytes memory blob = blobOf(leases, 0, false, votes);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        bytes memory proof = setProof(leases, all(2));
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.AlreadySettled.selector, 1));
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_front_running_an_attest_or_a_release() public {
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(0);
        vm.prank(address(0xF407));
        escrow.attest(ref, blob, proof, until, signatures);
        Pinned memory p = pinnedOf(ref.terms, pick(leases, _one(0)), uint40(block.timestamp) + ref.terms.disputeWindow, votes);
        vm.warp(p.releaseAt);
        vm.prank(address(0xF407));
        escrow.release(id, 1, p);
        require(escrow.creditOf(address(token), address(0xF407)) == 0, "the copier earns nothing");
        require(escrow.creditOf(address(token), payeeOf(0)) == 47.5e6, "the farm is paid as if it had sent them");
    }

    function test_batch_numbers_never_wrap_around_to_overwrite_an_open_batch() public {
        Pinned memory p = attest(ref, id, leases, _one(0), false, votes);
        // The second slot of the job: farmLocked 96, checkLocked 96, batches 16 bits.
        bytes32 slot = bytes32(uint256(keccak256(abi.encode(id, uint256(2)))) + 1);
        uint256 packed = uint256(vm.load(address(escrow), slot));
        vm.store(address(escrow), slot, bytes32(packed | uint256(type(uint16).max) << 192));
        (bytes memory blob, bytes memory proof, uint40 until, bytes memory signatures) = _honest(1);
        vm.expectRevert(EscrowBooks.TooManyBatches.selector);
        escrow.attest(ref, blob, proof, until, signatures);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
    }

    function test_long_lists_64_leases_of_64_farms_fit_into_one_transaction() public {
        TestLease[] memory many = new TestLease[](64);
        for (uint32 i; i < 64; ++i) many[i] = lease(i + 1, uint8(i), 1e6, 1000);
        (id, ref) = openAs(CREATOR, defaultTerms("many"), tree(many)[0]);
        bytes memory blob = blobOf(many, 0, false, votes);
        bytes memory proof = setProof(many, all(64));
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        uint256 before = gasleft();
        escrow.attest(ref, blob, proof, until, signatures);
        uint256 attested = before - gasleft();
        Pinned memory p = pinnedOf(ref.terms, many, uint40(block.timestamp) + ref.terms.disputeWindow, votes);
        vm.warp(p.releaseAt);
        before = gasleft();
        escrow.release(id, 1, p);
        // EIP-7825: a transaction has at most 2^24 gas; calldata and the flat fee stay below the other half.
        require(attested < 1 << 23 && before - gasleft() < 1 << 23, "gas");
    }

    function test_dust_jobs_cost_only_their_opener() public {
        Terms memory t = defaultTerms("dust");
        (t.farmBudget, t.checkBudget, t.checkFee) = (1, 0, 0);
        leases[0].price = 1;
        leases[0].accepted = 999;
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        Pinned memory p = attest(ref, id, leases, _one(0), false, votes);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        // 999 of 1000 of the smallest unit are nothing: the unit returns to who locked it, nobody is owed a fraction.
        require(escrow.creditOf(address(token), CREATOR) == 1 && escrow.creditOf(address(token), payeeOf(0)) == 0, "dust");
        (t.runId, t.farmBudget) = ("nothing", 0);
        vm.prank(CREATOR);
        vm.expectRevert(abi.encodeWithSelector(EscrowFunding.BadTerms.selector, "farmBudget"));
        escrow.openJob(t, 0, EscrowFunding.Funding.allowance, "", "");
    }

    function test_dispute_spam_costs_a_bond_each_and_waits_for_one_farm_once() public {
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        Objection memory o = objectionOf(ref, p.farms[0], CREATOR, CREATOR, false);
        token.mint(CREATOR, 10 * uint256(o.bond));
        vm.startPrank(CREATOR);
        token.approve(address(escrow), type(uint256).max);
        court.dispute(ref, 1, p, 0, 0, CREATOR, "");
        require(token.balanceOf(CREATOR) == 9 * uint256(o.bond), "a bond");
        FarmShare[] memory rest = new FarmShare[](1);
        rest[0] = p.farms[1];
        p.farms = rest;
        // The same farm is no longer in the batch, so nobody can object to it again.
        vm.expectRevert();
        court.dispute(ref, 1, p, 1, 0, CREATOR, "");
        vm.stopPrank();
        vm.prank(ARBITER);
        court.resolve(ref, 1, o, 1000);
        require(escrow.creditOf(address(token), payeeOf(0)) == 47.5e6 + o.bond, "who objected without reason pays the farm");
    }

    function test_farm_bribes_checkers() public {
        // Below the quorum a bribe buys nothing.
        (bytes memory blob, bytes memory proof, uint40 until,) = _honest(0);
        bytes memory bribed = rows(batchDigest(id, blob, until), 2);
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.QuorumMissing.selector, 2, 3));
        escrow.attest(ref, blob, proof, until, bribed);
        // A bribed quorum meets the creator, who sees the frames before the window is over.
        Pinned memory p = attest(ref, id, leases, _one(0), false, votes);
        Objection memory o = objectionOf(ref, p.farms[0], CREATOR, CREATOR, false);
        token.mint(CREATOR, o.bond);
        vm.startPrank(CREATOR);
        token.approve(address(escrow), o.bond);
        court.dispute(ref, 1, p, 0, 0, CREATOR, "");
        vm.stopPrank();
        vm.prank(ARBITER);
        court.resolve(ref, 1, o, 0);
        require(escrow.creditOf(address(token), payeeOf(0)) == 0, "the farm earns nothing");
        require(escrow.creditOf(address(token), CREATOR) == 50e6 + uint256(o.bond), "price and bond return");
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
        vm.expectRevert(abi.encodeWithSelector(Amounts.KeepTooSmall.selector, attested));
        court.finalize(ref, attested - 1, signatures);
        signatures = rows(finalDigest(id, attested), 2);
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.QuorumMissing.selector, 2, 3));
        court.finalize(ref, attested, signatures);
        signatures = rows(finalDigest(id, 2000e6), 3);
        vm.expectRevert(abi.encodeWithSelector(Amounts.KeepTooLarge.selector, 1100e6));
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

    function test_the_owner_cannot_price_disputes_out() public {
        escrow.setAsset(address(token), true, type(uint96).max);
        require(court.bondFor(address(token), 50e6) == 50e6, "at most the price");
        escrow.setAsset(address(token), true, 1e6);
        require(court.bondFor(address(token), 50e6) == 2.5e6 && court.bondFor(address(token), 10e6) == 1e6, "a twentieth");
    }

    function test_the_court_called_directly_holds_nothing() public {
        EscrowCourt direct = EscrowCourt(escrow.court());
        vm.expectRevert(EscrowBase.UnknownJob.selector);
        direct.refund(ref);
    }
}

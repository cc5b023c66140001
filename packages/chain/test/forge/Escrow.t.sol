// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Amounts} from "../../contracts/lib/Amounts.sol";
import {EscrowBase} from "../../contracts/EscrowBase.sol";
import {EscrowBatches} from "../../contracts/EscrowBatches.sol";
import {EscrowBooks} from "../../contracts/EscrowBooks.sol";
import {EscrowCourt} from "../../contracts/EscrowCourt.sol";
import {EscrowDisputes} from "../../contracts/EscrowDisputes.sol";
import {EscrowFunding} from "../../contracts/EscrowFunding.sol";
import {CheckerShare, FarmShare, JobRef, Objection, Pinned, Terms} from "../../contracts/lib/JobTerms.sol";
import {SignedRows} from "../../contracts/lib/SignedRows.sol";
import {Kit, TestLease, vm} from "./Kit.sol";

/// The way of a job, and every silent party.
contract EscrowTest is Kit {
    TestLease[] internal leases;
    JobRef internal ref;
    bytes32 internal id;

    function setUp() public {
        _setUpKit(address(0));
        leases.push(lease(1, 0, 50e6, 1000));
        leases.push(lease(2, 1, 60e6, 500));
        leases.push(lease(3, 0, 70e6, 0));
        (id, ref) = openAs(CREATOR, defaultTerms("run"), tree(leases)[0]);
    }

    function credit(address account) internal view returns (uint256) {
        return escrow.creditOf(address(token), account);
    }

    function _attestAll() internal returns (Pinned memory) {
        return attest(ref, id, leases, all(3), false, [uint32(30), 30, 30]);
    }

    function test_a_job_is_paid_by_accepted_weight_after_its_window() public {
        Pinned memory p = _attestAll();
        vm.expectRevert(EscrowBatches.NothingToRelease.selector);
        escrow.release(id, 1, p);
        vm.warp(block.timestamp + 2 * HOUR);
        escrow.release(id, 1, p);
        require(credit(payeeOf(0)) == 50e6 - 2.5e6 && credit(payeeOf(1)) == 30e6 - 1.5e6, "farms");
        require(credit(PLATFORM) == 4e6 && credit(CREATOR) == 100e6, "platform and creator");
        uint256 fee = 30 * 10_001;
        require(credit(vm.addr(keys[0])) + credit(vm.addr(keys[1])) + credit(vm.addr(keys[2])) == fee, "checkers");
        require(credit(vm.addr(keys[0])) >= credit(vm.addr(keys[1])), "dust to the first");
        vm.expectRevert(EscrowBooks.NotPinned.selector);
        escrow.release(id, 1, p);
        vm.prank(payeeOf(0));
        escrow.withdraw(address(token), address(0xBEEF));
        require(token.balanceOf(address(0xBEEF)) == 47.5e6 && credit(payeeOf(0)) == 0, "withdrawn");
    }

    function test_silent_farm_the_lease_is_never_attested_and_the_creator_gets_its_price_back() public {
        attest(ref, id, leases, _at(0), false, [uint32(1), 1, 1]);
        vm.expectRevert(EscrowBase.TooEarly.selector);
        court.refund(ref);
        vm.warp(ref.terms.refundAfter);
        court.refund(ref);
        require(credit(CREATOR) == 1100e6 - 50e6 - 100_010, "all but what was attested");
        vm.expectRevert(EscrowCourt.AlreadyDone.selector);
        court.refund(ref);
    }

    function test_silent_checkers_the_farm_claims_and_the_arbiter_decides() public {
        bytes32 root = keccak256("outputs");
        bytes memory held = rows(heldDigest(id, 2, root), 3);
        token.mint(payeeOf(1), 10e6);
        vm.startPrank(payeeOf(1));
        token.approve(address(escrow), 10e6);
        vm.expectRevert(EscrowBase.TooEarly.selector);
        court.claim(ref, leaseData(leases[1]), 0, ref.setRoot, "", _proof(1), root, held);
        vm.warp(ref.terms.attestBy + 1);
        court.claim(ref, leaseData(leases[1]), 0, ref.setRoot, "", _proof(1), root, held);
        vm.stopPrank();
        require(token.balanceOf(payeeOf(1)) == 7e6, "a twentieth of the price is the bond");
        Objection memory o = objectionOf(ref, FarmShare(farmOf(1), payeeOf(1), 60e6, 0), payeeOf(1), payeeOf(1), true);
        vm.prank(ARBITER);
        court.resolve(ref, 1, o, 1000);
        require(credit(payeeOf(1)) == 60e6 - 3e6 + 3e6, "net and bond");
        require(credit(PLATFORM) == 3e6, "platform");
        vm.prank(ARBITER);
        vm.expectRevert(EscrowDisputes.NoSuchObjection.selector);
        court.resolve(ref, 1, o, 1000);
        vm.prank(payeeOf(1));
        vm.expectRevert(abi.encodeWithSelector(EscrowBooks.AlreadySettled.selector, 2));
        court.claim(ref, leaseData(leases[1]), 0, ref.setRoot, "", _proof(1), root, held);
    }

    function test_a_claimed_lease_is_not_attested_nor_claimed_again() public {
        TestLease[] memory two = new TestLease[](2);
        (two[0], two[1]) = (lease(7, 0, 50e6, 1000), lease(300, 1, 60e6, 1000));
        (id, ref) = openAs(CREATOR, defaultTerms("claimed"), tree(two)[0]);
        vm.warp(block.timestamp + 2 * HOUR);
        for (uint256 i; i < 2; ++i) {
            bytes32[] memory path = new bytes32[](1);
            path[0] = leaf(two[1 - i]);
            bytes memory held = rows(heldDigest(id, two[i].id, "root"), 3);
            token.mint(farmOf(i), 10e6);
            vm.startPrank(farmOf(i));
            token.approve(address(escrow), 10e6);
            court.claim(ref, leaseData(two[i]), 0, ref.setRoot, "", path, "root", held);
            vm.expectRevert(abi.encodeWithSelector(EscrowBooks.AlreadySettled.selector, two[i].id));
            court.claim(ref, leaseData(two[i]), 0, ref.setRoot, "", path, "root", held);
            vm.stopPrank();
            bytes memory blob = blobOf(pick(two, _at(i)), 0, false, [uint32(1), 1, 1]);
            // The optimizer takes the time of a transaction as constant, so it is not asked for after a warp.
            uint40 until = ref.terms.deadline;
            bytes memory signatures = rows(batchDigest(id, blob, until), 3);
            bytes memory proof = setProof(two, _at(i));
            vm.expectRevert(abi.encodeWithSelector(EscrowBooks.AlreadySettled.selector, two[i].id));
            escrow.attest(ref, blob, proof, until, signatures);
        }
    }

    function test_silent_checkers_and_arbiter_the_claim_pays_nothing_and_the_bond_returns() public {
        bytes32 root = keccak256("outputs");
        token.mint(payeeOf(1), 3e6);
        vm.warp(ref.terms.attestBy + 1);
        bytes memory held = rows(heldDigest(id, 2, root), 3);
        vm.startPrank(payeeOf(1));
        token.approve(address(escrow), 3e6);
        court.claim(ref, leaseData(leases[1]), 0, ref.setRoot, "", _proof(1), root, held);
        vm.stopPrank();
        Objection memory o = objectionOf(ref, FarmShare(farmOf(1), payeeOf(1), 60e6, 0), payeeOf(1), payeeOf(1), true);
        vm.expectRevert(EscrowBase.TooEarly.selector);
        court.lapse(ref, 1, o);
        vm.warp(o.until + 1);
        vm.prank(ARBITER);
        vm.expectRevert(EscrowBase.TooLate.selector);
        court.resolve(ref, 1, o, 1000);
        court.lapse(ref, 1, o);
        require(credit(payeeOf(1)) == 3e6 && credit(CREATOR) == 60e6, "bond back, price back");
    }

    function test_silent_creator_anyone_releases_after_the_window() public {
        Pinned memory p = _attestAll();
        vm.warp(p.releaseAt);
        vm.prank(address(0x1234));
        escrow.release(id, 1, p);
        require(credit(payeeOf(0)) > 0, "paid");
    }

    function test_silent_arbiter_the_quorums_verdict_stands_and_the_bond_returns() public {
        Pinned memory p = _attestAll();
        Objection memory o = _dispute(p, 0, CREATOR);
        vm.warp(o.until + 1);
        court.lapse(ref, 1, o);
        require(credit(payeeOf(0)) == 47.5e6 && credit(CREATOR) == o.bond + 70e6, "as the quorum said");
    }

    function test_a_dispute_holds_one_farm_only() public {
        Pinned memory p = _attestAll();
        Objection memory o = _dispute(p, 0, CREATOR);
        FarmShare[] memory rest = new FarmShare[](1);
        rest[0] = p.farms[1];
        p.farms = rest;
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        require(credit(payeeOf(1)) == 28.5e6 && credit(payeeOf(0)) == 0, "the other farm is paid");
        vm.prank(ARBITER);
        court.resolve(ref, 1, o, 250);
        require(credit(payeeOf(0)) == 30e6 - 1.5e6, "a quarter of 120");
        require(credit(CREATOR) == 30e6 + 90e6 + o.bond, "creator won: bond back");
    }

    function test_who_loses_a_dispute_pays_the_bond_to_the_other() public {
        Pinned memory p = _attestAll();
        Objection memory o = _dispute(p, 0, CREATOR);
        vm.prank(ARBITER);
        court.resolve(ref, 1, o, 417);
        uint256 gross = uint256(120e6) * 417 / 1000;
        require(credit(payeeOf(0)) == gross - gross / 20 + o.bond, "farm gets the creator's bond");
    }

    function test_final_frees_the_rest_and_later_batches_fit_into_what_is_kept() public {
        attest(ref, id, leases, _at(0), false, [uint32(1), 1, 1]);
        uint96 keep = 50e6 + 60e6 + 2 * 100_010;
        court.finalize(ref, keep, rows(finalDigest(id, keep), 3));
        require(credit(CREATOR) == 1100e6 - keep, "freed");
        attest(ref, id, leases, _at(1), false, [uint32(1), 1, 1]);
        (, uint96 farm, uint96 check,,,,) = escrow.jobs(id);
        require(farm == 0 && check == 0, "all of keep is reserved");
        bytes memory proof = setProof(leases, _at(2));
        bytes memory blob = blobOf(pick(leases, _at(2)), 0, false, [uint32(1), 1, 1]);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        vm.expectRevert(abi.encodeWithSelector(Amounts.OverFarmBudget.selector, 0));
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_a_canceled_job_is_still_attested_and_paid() public {
        vm.prank(CREATOR);
        court.cancel(ref, "");
        Pinned memory p = _attestAll();
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        require(credit(payeeOf(0)) == 47.5e6, "paid");
    }

    function test_early_approval_pays_fully_accepted_farms_and_checkers_only() public {
        TestLease[] memory two = new TestLease[](2);
        (two[0], two[1]) = (lease(1, 0, 50e6, 1000), lease(2, 1, 60e6, 500));
        (id, ref) = openAs(CREATOR, defaultTerms("early"), tree(two)[0]);
        Pinned memory p = attest(ref, id, two, all(2), false, [uint32(1), 1, 1]);
        vm.prank(CREATOR);
        escrow.approveEarly(ref, 1, p, "");
        p.approved = true;
        escrow.release(id, 1, p);
        require(credit(payeeOf(0)) == 47.5e6 && credit(payeeOf(1)) == 0, "only the accepted farm");
        uint256 checked = credit(vm.addr(keys[1]));
        require(checked > 0, "checkers");
        FarmShare[] memory rest = new FarmShare[](1);
        rest[0] = p.farms[1];
        (p.farms, p.checkers, p.feeRefund) = (rest, new CheckerShare[](0), 0);
        vm.expectRevert(EscrowBatches.NothingToRelease.selector);
        escrow.release(id, 1, p);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        require(credit(payeeOf(1)) == 28.5e6, "the rest after the window");
        require(credit(vm.addr(keys[1])) == checked, "checkers once");
    }

    function test_slow_batches_wait_72_hours() public {
        Pinned memory p = attest(ref, id, leases, _at(0), true, [uint32(1), 1, 1]);
        require(p.releaseAt == block.timestamp + 72 * HOUR, "kit");
        vm.warp(block.timestamp + 71 * HOUR);
        vm.expectRevert(EscrowBatches.NothingToRelease.selector);
        escrow.release(id, 1, p);
        vm.warp(block.timestamp + HOUR);
        escrow.release(id, 1, p);
    }

    function test_a_replaced_lease_key_signs_and_the_old_one_no_more() public {
        TestLease[] memory later = new TestLease[](1);
        later[0] = lease(300, 2, 10e6, 1000);
        bytes32 root = tree(later)[0];
        bytes memory blob = blobOf(later, 1, false, [uint32(1), 1, 1]);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        bytes32 d = digest(
            keccak256(abi.encode(keccak256("LeaseSet(bytes32 job,uint32 seq,bytes32 setRoot)"), id, uint32(1), root))
        );
        bytes memory old = abi.encodePacked(root, uint16(65), sign(LEASE_KEY, d), setProof(later, all(1)));
        bytes memory fresh = abi.encodePacked(root, uint16(65), sign(0xBEEF, d), setProof(later, all(1)));
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, ref.terms.leaseKey));
        escrow.attest(ref, blob, fresh, until, signatures);
        vm.prank(CREATOR);
        court.setLeaseKey(ref, vm.addr(0xBEEF), "");
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, vm.addr(0xBEEF)));
        escrow.attest(ref, blob, old, until, signatures);
        escrow.attest(ref, blob, fresh, until, signatures);
        require(escrow.isSettled(id, 300) && !escrow.isSettled(id, 299) && !escrow.isSettled(id, 1), "bit 300");
    }

    function test_lease_bits_at_the_borders_of_their_words() public {
        uint32[6] memory ids = [uint32(39), 40, 255, 256, 511, 512];
        TestLease[] memory edge = new TestLease[](6);
        for (uint256 i; i < 6; ++i) edge[i] = lease(ids[i], uint8(i), 10e6, 1000);
        (id, ref) = openAs(CREATOR, defaultTerms("edges"), tree(edge)[0]);
        attest(ref, id, edge, all(6), false, [uint32(1), 1, 1]);
        for (uint256 i; i < 6; ++i) {
            require(escrow.isSettled(id, ids[i]), "settled");
            bytes memory blob = blobOf(pick(edge, _at(i)), 0, false, [uint32(1), 1, 1]);
            uint40 until = uint40(block.timestamp) + HOUR;
            bytes memory signatures = rows(batchDigest(id, blob, until), 3);
            bytes memory proof = setProof(edge, _at(i));
            vm.expectRevert(abi.encodeWithSelector(EscrowBooks.AlreadySettled.selector, ids[i]));
            escrow.attest(ref, blob, proof, until, signatures);
        }
        require(!escrow.isSettled(id, 38) && !escrow.isSettled(id, 41) && !escrow.isSettled(id, 254), "neighbours");
    }

    function testFuzz_pay_adds_up_to_the_reserve(uint96 price, uint32 sum, uint32 accepted, uint16 bps, uint32[3] memory votes)
        public
    {
        price = price % 1e27;
        sum = sum == 0 ? 1 : sum;
        accepted = accepted % (uint32(uint256(sum) + 1 > type(uint32).max ? sum : sum + 1));
        for (uint256 i; i < 3; ++i) votes[i] /= 4;
        Terms memory t = defaultTerms(keccak256(abi.encode(price, sum, accepted, bps)));
        t.platformFeeBps = bps % 3001;
        t.farmBudget = 1e27;
        t.checkBudget = 1e24;
        t.frameCap = 1e27;
        t.checkFee = uint96(uint256(keccak256(abi.encode(price))) % 1e23);
        TestLease[] memory one = new TestLease[](1);
        one[0] = TestLease(1, 0, price, sum, accepted, 10, uint40(block.timestamp) + HOUR);
        (id, ref) = openAs(CREATOR, t, tree(one)[0]);
        Pinned memory p = attest(ref, id, one, all(1), false, votes);
        vm.warp(p.releaseAt);
        escrow.release(id, 1, p);
        uint256 gross = uint256(price) * accepted / sum;
        require(credit(payeeOf(0)) + credit(PLATFORM) == gross, "I7");
        require(credit(payeeOf(0)) == gross - gross * t.platformFeeBps / 10_000, "dust to the farm");
        uint256 checkers = credit(vm.addr(keys[0])) + credit(vm.addr(keys[1])) + credit(vm.addr(keys[2]));
        uint256 fee = uint256(t.checkFee) * 10;
        bool voted = uint256(votes[0]) + votes[1] + votes[2] > 0;
        require(checkers == (voted ? fee : 0), "check fee");
        require(credit(CREATOR) == price - gross + (voted ? 0 : fee), "refund");
    }

    function _dispute(Pinned memory p, uint256 index, address by) internal returns (Objection memory o) {
        o = objectionOf(ref, p.farms[index], by, by, false);
        token.mint(by, o.bond);
        vm.startPrank(by);
        token.approve(address(escrow), o.bond);
        court.dispute(ref, 1, p, index, keccak256("reason"), by, "");
        vm.stopPrank();
    }

    function _at(uint256 i) internal pure returns (uint256[] memory where) {
        where = new uint256[](1);
        where[0] = i;
    }

    /// Single path of lease `i` among the three.
    function _proof(uint256 i) internal view returns (bytes32[] memory proof) {
        bytes32[] memory nodes = tree(leases);
        uint256 node = nodes.length - 1 - i;
        uint256 depth;
        for (uint256 n = node; n > 0; n = (n - 1) / 2) ++depth;
        proof = new bytes32[](depth);
        for (uint256 d; node > 0; node = (node - 1) / 2) proof[d++] = nodes[node % 2 == 1 ? node + 1 : node - 1];
    }
}
// x

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckerRegistry} from "../../contracts/CheckerRegistry.sol";
import {EscrowBase} from "../../contracts/EscrowBase.sol";
import {EscrowBatches} from "../../contracts/EscrowBatches.sol";
import {EscrowFunding} from "../../contracts/EscrowFunding.sol";
import {FarmRegistry} from "../../contracts/FarmRegistry.sol";
import {FrameVerifier} from "../../contracts/FrameVerifier.sol";
import {BatchReader} from "../../contracts/lib/BatchReader.sol";
import {FrameProofs, FrameRecord} from "../../contracts/lib/FrameProofs.sol";
import {FarmShare, JobRef, Objection, Pinned, Terms} from "../../contracts/lib/JobTerms.sol";
import {SignedRows} from "../../contracts/lib/SignedRows.sol";
import {OwnerArbiter} from "../../contracts/OwnerArbiter.sol";
import {IArbitrable} from "../../contracts/interfaces/IArbiter.sol";
import {PictorToken} from "../../contracts/PictorToken.sol";
import {FeeToken} from "./Mocks.sol";
import {Kit, TestLease, vm} from "./Kit.sol";

/// Refusals at the edges of every input.
contract EdgesTest is Kit {
    TestLease[] internal leases;
    JobRef internal ref;
    bytes32 internal id;
    uint32[3] internal votes = [uint32(1), 1, 1];

    function setUp() public {
        _setUpKit(address(0));
        leases.push(lease(1, 0, 50e6, 1000));
        leases.push(lease(2, 1, 60e6, 500));
        (id, ref) = openAs(CREATOR, defaultTerms("edges"), tree(leases)[0]);
    }

    function _refuses(bytes memory blob, bytes4 selector) internal {
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        bytes memory proof = setProof(leases, all(2));
        bytes memory data = abi.encodeCall(escrow.attest, (ref, blob, proof, until, signatures));
        (bool ok, bytes memory reason) = address(escrow).call(data);
        require(!ok && bytes4(reason) == selector, "another reason");
    }

    /// The blob with one byte changed.
    function _changed(uint256 where, uint8 value) internal view returns (bytes memory blob) {
        blob = blobOf(leases, 0, false, votes);
        blob[where] = bytes1(value);
    }

    function test_a_batch_is_refused_for_every_malformed_field() public {
        // Layout: header 40, farms 1 + 80, checkers 1 + 15, sets 1, seq 4, count 2, leases 59 each.
        bytes4 malformed = BatchReader.MalformedBatch.selector;
        bytes4 bad = BatchReader.BadLease.selector;
        _refuses(_changed(0, 2), malformed);
        _refuses(_changed(1, 4), malformed);
        _refuses(_changed(40, 0), malformed);
        _refuses(_changed(60, 0x02), malformed);
        _refuses(_changed(122, 2), malformed);
        _refuses(_changed(126, 0), malformed);
        _refuses(_changed(137, 0), malformed);
        _refuses(_changed(143, 0), malformed);
        _refuses(_changed(144 + 4, 9), bad);
        _refuses(_changed(144 + 59 + 3, 1), bad);
        bytes memory weightless = blobOf(leases, 0, false, votes);
        for (uint256 i = 17; i < 25; ++i) weightless[144 + i] = 0;
        _refuses(weightless, bad);
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory blob = blobOf(leases, 0, false, votes);
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        bytes memory proof = abi.encodePacked(setProof(leases, all(2)), uint8(0));
        vm.expectRevert(FrameProofs.BadProof.selector);
        escrow.attest(ref, blob, proof, until, signatures);
    }

    function test_sets_out_of_order_and_cut_signatures_of_sets() public {
        bytes memory blob = blobOf(leases, 0, false, votes);
        bytes memory twice = new bytes(blob.length + blob.length - 138);
        for (uint256 i; i < twice.length; ++i) twice[i] = i < blob.length ? blob[i] : blob[i - blob.length + 138];
        twice[137] = 0x02;
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, twice, until), 3);
        bytes memory proof = setProof(leases, all(2));
        vm.expectRevert(abi.encodeWithSelector(BatchReader.MalformedBatch.selector, blob.length));
        escrow.attest(ref, twice, abi.encodePacked(proof, proof), until, signatures);
        bytes memory later = blobOf(leases, 1, false, votes);
        signatures = rows(batchDigest(id, later, until), 3);
        vm.expectRevert(FrameProofs.BadProof.selector);
        escrow.attest(ref, later, abi.encodePacked(ref.setRoot, uint16(65), uint8(0)), until, signatures);
    }

    function test_full_records_are_part_of_the_blob() public {
        TestLease[] memory one = new TestLease[](1);
        one[0] = lease(1, 0, 50e6, 1000);
        Terms memory t = defaultTerms("full");
        t.recordMode = 0;
        (id, ref) = openAs(CREATOR, t, tree(one)[0]);
        bytes memory blob = abi.encodePacked(blobOf(one, 0, false, votes), int32(-5), new bytes(400));
        blob[1] = 0x02;
        uint40 until = uint40(block.timestamp) + HOUR;
        bytes memory signatures = rows(batchDigest(id, blob, until), 3);
        escrow.attest(ref, blob, setProof(one, all(1)), until, signatures);
        require(escrow.isSettled(id, 1), "settled");
    }

    function test_reserves_beyond_96_bits_are_refused() public {
        Terms memory t = defaultTerms("wide");
        (t.frameCap, t.checkFee) = (type(uint96).max, type(uint96).max);
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        _refuses(blobOf(leases, 0, false, votes), BatchReader.MalformedBatch.selector);
        // Each price has 96 bits, their sum has not: it must not wrap around to a small reserve.
        (t.runId, t.checkFee) = ("wide prices", 1);
        (leases[0].price, leases[1].price, leases[1].farm) = (type(uint96).max, type(uint96).max, 0);
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        _refuses(blobOf(leases, 0, false, votes), BatchReader.MalformedBatch.selector);
    }

    function test_two_of_three_leases_and_one_of_many_are_proven() public {
        TestLease[] memory many = new TestLease[](7);
        for (uint32 i; i < 7; ++i) many[i] = lease(i + 1, uint8(i % 3), 10e6, 1000);
        (id, ref) = openAs(CREATOR, defaultTerms("many"), tree(many)[0]);
        uint256[] memory some = new uint256[](3);
        (some[0], some[1], some[2]) = (1, 4, 6);
        attest(ref, id, many, some, false, votes);
        uint256[] memory one = new uint256[](1);
        one[0] = 3;
        attest(ref, id, many, one, false, votes);
        require(escrow.isSettled(id, 4) && !escrow.isSettled(id, 1), "those only");
    }

    function _readyRows(uint256 count, bytes32 bundle) internal view returns (bytes memory out) {
        for (uint8 i; i < count; ++i) {
            bytes32 seedRoot = keccak256(abi.encode("seed", i));
            bytes32 structHash = keccak256(
                abi.encode(
                    keccak256("Ready(bytes32 job,uint32 seq,bytes32 setRoot,bytes32 bundleRoot,bytes32 seedRoot)"),
                    id,
                    uint32(0),
                    ref.setRoot,
                    bundle,
                    seedRoot
                )
            );
            out = abi.encodePacked(out, i, seedRoot, uint16(65), sign(keys[i], digest(structHash)));
        }
    }

    function test_ready_is_posted_once_by_a_quorum_that_holds_the_bundle() public {
        bytes memory good = _readyRows(3, ref.terms.bundleRoot);
        bytes memory few = _readyRows(2, ref.terms.bundleRoot);
        bytes memory other = _readyRows(3, "another bundle");
        vm.expectRevert(abi.encodeWithSelector(EscrowBase.QuorumMissing.selector, 2, 3));
        escrow.ready(ref, few);
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, vm.addr(keys[0])));
        escrow.ready(ref, other);
        escrow.ready(ref, good);
        vm.expectRevert(EscrowBatches.AlreadyReady.selector);
        escrow.ready(ref, good);
        vm.prank(CREATOR);
        court.cancel(ref, "");
        vm.expectRevert(EscrowBase.JobStopped.selector);
        escrow.ready(ref, good);
    }

    function test_a_closed_job_takes_nothing_more() public {
        uint40 closing = ref.terms.refundAfter;
        bytes memory blob = blobOf(leases, 0, false, votes);
        bytes memory signatures = rows(batchDigest(id, blob, closing), 3);
        bytes memory proof = setProof(leases, all(2));
        bytes memory held = rows(heldDigest(id, 1, 0), 3);
        vm.expectRevert(abi.encodeWithSelector(EscrowFunding.BadTerms.selector, "farmBudget"));
        escrow.topUp(ref, type(uint96).max, 0, "much");
        vm.warp(ref.terms.deadline + 1);
        vm.expectRevert(EscrowBase.TooLate.selector);
        escrow.topUp(ref, 1, 0, "late");
        vm.warp(closing);
        court.refund(ref);
        vm.expectRevert(EscrowBase.JobStopped.selector);
        escrow.attest(ref, blob, proof, closing, signatures);
        vm.expectRevert(EscrowBase.JobStopped.selector);
        escrow.topUp(ref, 1, 0, "closed");
        vm.prank(farmOf(0));
        vm.expectRevert(EscrowBase.JobStopped.selector);
        court.claim(ref, leaseData(leases[0]), 0, ref.setRoot, "", new bytes32[](0), 0, held);
    }

    function test_an_approval_relayed_with_the_creators_signature() public {
        uint256 key = 0xC4EA704;
        Terms memory t = defaultTerms("relay");
        t.creator = vm.addr(key);
        (id, ref) = openAs(t.creator, t, tree(leases)[0]);
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        vm.expectRevert(abi.encodeWithSelector(SignedRows.BadSignature.selector, t.creator));
        escrow.approveEarly(ref, 1, p, sign(0xBAD, 0));
        bytes32 structHash = keccak256(abi.encode(keccak256("Approve(bytes32 job,uint32 batch)"), id, uint32(1)));
        escrow.approveEarly(ref, 1, p, sign(key, digest(structHash)));
        p.approved = true;
        escrow.release(id, 1, p);
        require(escrow.creditOf(address(token), payeeOf(0)) == 47.5e6, "the farm that was accepted");
    }

    function test_an_arbiter_contract_rules_for_its_owner() public {
        OwnerArbiter court_ = OwnerArbiter(deploy("OwnerArbiter", abi.encode(address(this))));
        Terms memory t = defaultTerms("arbiter");
        t.arbiter = address(court_);
        (id, ref) = openAs(CREATOR, t, tree(leases)[0]);
        Pinned memory p = attest(ref, id, leases, all(2), false, votes);
        address checker = vm.addr(keys[4]);
        Objection memory o = objectionOf(ref, p.farms[0], checker, checker, false);
        token.mint(checker, o.bond);
        vm.startPrank(checker);
        token.approve(address(escrow), o.bond);
        court.dispute(ref, 1, p, 0, 0, checker, "");
        vm.expectRevert();
        court_.rule(IArbitrable(address(escrow)), id, ref, 1, o, 100);
        vm.stopPrank();
        require(court_.mayRule(address(this)) && !court_.mayRule(checker), "owner");
        court_.rule(IArbitrable(address(escrow)), id, ref, 1, o, 100);
        require(escrow.creditOf(address(token), checker) == o.bond, "the checker was right");
    }

    function test_claims_of_later_sets_and_over_the_cap() public {
        TestLease[] memory later = new TestLease[](2);
        (later[0], later[1]) = (lease(50, 0, 50e6, 0), lease(51, 0, 500e6, 0));
        bytes32 root = tree(later)[0];
        bytes32 structHash =
            keccak256(abi.encode(keccak256("LeaseSet(bytes32 job,uint32 seq,bytes32 setRoot)"), id, uint32(1), root));
        bytes memory setSignature = sign(LEASE_KEY, digest(structHash));
        bytes memory held = rows(heldDigest(id, 50, 0), 3);
        bytes32[] memory path = new bytes32[](1);
        path[0] = leaf(later[1]);
        token.mint(farmOf(0), 100e6);
        vm.warp(ref.terms.attestBy);
        vm.startPrank(farmOf(0));
        token.approve(address(escrow), 100e6);
        vm.expectRevert();
        court.claim(ref, leaseData(later[0]), 0, root, "", path, 0, held);
        vm.expectRevert(abi.encodeWithSelector(BatchReader.OverFrameCap.selector, 51));
        court.claim(ref, leaseData(later[1]), 1, root, setSignature, path, 0, held);
        court.claim(ref, leaseData(later[0]), 1, root, setSignature, path, 0, held);
        require(escrow.isSettled(id, 50), "claimed");
    }

    function test_terms_with_too_many_or_no_checkers() public {
        token.mint(CREATOR, 1e30);
        vm.startPrank(CREATOR);
        token.approve(address(escrow), type(uint256).max);
        string[7] memory fields = ["checkers", "quorum", "registryDraw", "deadline", "attestBy", "refundAfter", "creator"];
        for (uint256 i; i < 7; ++i) {
            Terms memory t = defaultTerms(keccak256(abi.encode("more", i)));
            if (i == 0) (t.checkers, t.quorum) = (new address[](33), 20);
            if (i == 1) (t.checkers, t.quorum) = (new address[](0), 0);
            if (i == 2) t.registryDraw = 3;
            if (i == 3) t.deadline = uint40(block.timestamp) + 800 days;
            if (i == 4) (t.attestBy, t.refundAfter) = (t.deadline + 400 days, t.deadline + 500 days);
            if (i == 5) t.refundAfter = t.attestBy + 400 days;
            if (i == 6) t.creator = address(0);
            vm.expectRevert(abi.encodeWithSelector(EscrowFunding.BadTerms.selector, fields[i]));
            escrow.openJob(t, 0, EscrowFunding.Funding.allowance, "", "");
        }
    }

    function test_registry_refusals() public {
        address checker = address(0xC1);
        vm.startPrank(checker);
        vm.expectRevert(CheckerRegistry.NotStaked.selector);
        registry.requestUnstake();
        token.mint(checker, 2000e6);
        token.approve(address(registry), 2000e6);
        registry.stake();
        vm.expectRevert(CheckerRegistry.AlreadyStaked.selector);
        registry.stake();
        registry.requestUnstake();
        vm.expectRevert(CheckerRegistry.AlreadyStaked.selector);
        registry.requestUnstake();
        vm.stopPrank();
        vm.expectRevert(CheckerRegistry.TooFewCheckers.selector);
        registry.draw("seed", 1, 1);
        vm.expectRevert(CheckerRegistry.TooFewCheckers.selector);
        registry.draw("seed", 0, 1);
        require(registry.seats() == 1, "a seat that was left is not given again");
        FeeToken fee = new FeeToken();
        CheckerRegistry second = deployRegistry(address(fee), 1000, 61 days);
        fee.mint(checker, 1000);
        vm.startPrank(checker);
        fee.approve(address(second), 1000);
        vm.expectRevert(CheckerRegistry.NotAllowed.selector);
        second.stake();
    }

    function test_farm_registry_refusals() public {
        FarmRegistry farms = deployFarms(address(token));
        address owner = address(0x0EA);
        vm.startPrank(owner);
        vm.expectRevert(FarmRegistry.UnknownFarm.selector);
        farms.addBond(1);
        vm.expectRevert(FarmRegistry.UnknownFarm.selector);
        farms.withdrawBond();
        vm.expectRevert(FarmRegistry.UnknownFarm.selector);
        farms.takeBond(owner);
        farms.setFarm(owner, owner, "a");
        farms.offerKey(address(0xBAD));
        vm.stopPrank();
        vm.prank(address(0xBAD));
        vm.expectRevert(FarmRegistry.KeyTaken.selector);
        farms.setFarm(owner, owner, "stolen");
        vm.prank(address(0x2E4));
        farms.offerKey(owner);
        vm.prank(owner);
        farms.setFarm(address(0x2E4), owner, "moved");
        require(farms.ownerOf(owner) == address(0) && farms.ownerOf(address(0x2E4)) == owner, "moved");
        FeeToken fee = new FeeToken();
        FarmRegistry second = deployFarms(address(fee));
        fee.mint(owner, 1000);
        vm.startPrank(owner);
        fee.approve(address(second), 1000);
        second.setFarm(owner, owner, "b");
        vm.expectRevert(FarmRegistry.TransferShort.selector);
        second.addBond(1000);
    }

    function test_frame_verifier_and_development_token() public {
        FrameVerifier verifier = FrameVerifier(deploy("FrameVerifier", ""));
        FrameRecord memory record = FrameRecord(1, -7, keccak256("bytes"), 5, 0, 128);
        bytes32 root = keccak256(
            abi.encodePacked(uint8(5), id, uint32(1), int32(-7), keccak256("bytes"), uint64(5), uint8(0), uint8(128))
        );
        require(verifier.verifyFrame(root, id, record, new bytes32[](0)), "frame");
        require(!verifier.verifyFrame(root, 0, record, new bytes32[](0)), "another job");
        require(PictorToken(deploy("PictorToken", abi.encode(CREATOR, 5))).balanceOf(CREATOR) == 5 && token.decimals() == 6, "tokens");
    }
}

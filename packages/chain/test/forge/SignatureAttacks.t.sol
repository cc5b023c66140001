// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EscrowBase} from "../../contracts/EscrowBase.sol";
import {EscrowCourt} from "../../contracts/EscrowCourt.sol";
import {EscrowBooks} from "../../contracts/EscrowBooks.sol";
import {Terms} from "../../contracts/lib/JobTerms.sol";
import {SignedRows} from "../../contracts/lib/SignedRows.sol";
import {vm} from "./Kit.sol";
import {Wallet1271} from "./Mocks.sol";
import {AttackKit} from "./AttackKit.sol";

/// Attacks on signatures: replay, malleability, counting twice. One test for each, named after it.
contract SignatureAttacksTest is AttackKit {
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
        escrow = deployEscrow(address(0));
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

    function test_replay_of_the_signature_that_brought_a_stolen_lease_key() public {
        uint256 key = 0xC4EA704;
        Terms memory t = defaultTerms("stolen");
        t.creator = vm.addr(key);
        (id, ref) = openAs(t.creator, t, tree(leases)[0]);
        (address stolen, address fresh) = (vm.addr(0xBEEF), vm.addr(0xF00D));
        bytes32 typeHash = keccak256("LeaseKey(bytes32 job,address leaseKey)");
        bytes memory first = sign(key, digest(keccak256(abi.encode(typeHash, id, stolen))));
        bytes memory second = sign(key, digest(keccak256(abi.encode(typeHash, id, fresh))));
        court.setLeaseKey(ref, stolen, first);
        vm.expectRevert(EscrowCourt.AlreadyDone.selector);
        court.setLeaseKey(ref, stolen, first);
        court.setLeaseKey(ref, fresh, second);
        // Lease sets carry the creator's word for their key, so the thief has it.
        vm.prank(stolen);
        vm.expectRevert(EscrowBase.NotAllowed.selector);
        court.setLeaseKey(ref, stolen, first);
        // Nor does anybody bring back the key of the terms, whoever signed for it.
        vm.prank(t.creator);
        vm.expectRevert(EscrowBase.NotAllowed.selector);
        court.setLeaseKey(ref, ref.terms.leaseKey, "");
        vm.prank(t.creator);
        court.setLeaseKey(ref, address(0), "");
        vm.expectRevert(EscrowBase.NotAllowed.selector);
        court.setLeaseKey(ref, fresh, second);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// One frame as a batch records it (docs/encodings.md, "Record leaf").
struct FrameRecord {
    uint32 lease;
    int32 frame;
    bytes32 outputHash;
    uint64 completedAtMs;
    uint8 verdict;
    uint8 flags;
}

library FrameProofs {
    error BadProof();

    /// Leaf of a frame in a batch's recordsRoot. Its 83 bytes can never be mistaken for an inner node's 64.
    function leaf(bytes32 job, FrameRecord memory record) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                uint8(5),
                job,
                record.lease,
                record.frame,
                record.outputHash,
                record.completedAtMs,
                record.verdict,
                record.flags
            )
        );
    }

    function verify(bytes32 root, bytes32 job, FrameRecord memory record, bytes32[] memory proof)
        internal
        pure
        returns (bool)
    {
        return MerkleProof.verify(proof, root, leaf(job, record));
    }

    /// OpenZeppelin's multiproof with packed flags. `nodes` holds `leaves` leaves; the proof starts at `pos` of `data`: number of nodes 2, nodes, number of
    /// flags 2, flag bits. Returns the root that follows and the position after the proof. Each step takes two nodes from the front of a queue, or one and
    /// the next proof node, and puts their hash at its end.
    function multiRoot(bytes32[] memory nodes, uint256 leaves, bytes calldata data, uint256 pos)
        internal
        pure
        returns (bytes32 root, uint256 end)
    {
        uint256 proofs;
        uint256 flags;
        assembly ("memory-safe") {
            proofs := shr(240, calldataload(add(data.offset, pos)))
            flags := shr(240, calldataload(add(add(data.offset, pos), add(2, shl(5, proofs)))))
            end := add(add(pos, 4), add(shl(5, proofs), shr(3, add(flags, 7))))
        }
        if (end > data.length || leaves + proofs != flags + 1) revert BadProof();
        bytes32[] memory queue = nodes;
        if (nodes.length < leaves + flags) {
            queue = new bytes32[](leaves + flags);
            for (uint256 i; i < leaves; ++i) queue[i] = nodes[i];
        }
        bool ok = true;
        assembly ("memory-safe") {
            let head := add(queue, 32)
            let tail := add(head, shl(5, leaves))
            let proof := add(add(data.offset, pos), 2)
            let bits := add(add(proof, shl(5, proofs)), 2)
            let proofEnd := sub(bits, 2)
            let word := 0
            for { let i := 0 } lt(i, flags) { i := add(i, 1) } {
                if iszero(and(i, 255)) { word := calldataload(add(bits, shr(3, i))) }
                let a := mload(head)
                let b
                switch shr(255, word)
                case 1 {
                    b := mload(add(head, 32))
                    head := add(head, 64)
                }
                default {
                    b := calldataload(proof)
                    proof := add(proof, 32)
                    head := add(head, 32)
                }
                word := shl(1, word)
                // A node may be used only after it was computed, a proof node only once: zero-filled memory and foreign calldata are no nodes.
                ok := and(ok, iszero(or(gt(head, tail), gt(proof, proofEnd))))
                switch lt(a, b)
                case 1 {
                    mstore(0, a)
                    mstore(32, b)
                }
                default {
                    mstore(0, b)
                    mstore(32, a)
                }
                mstore(tail, keccak256(0, 64))
                tail := add(tail, 32)
            }
            ok := and(ok, eq(proof, proofEnd))
            root := mload(sub(tail, 32))
        }
        if (!ok) revert BadProof();
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
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

    /// OpenZeppelin's multiproof with packed flags. `nodes` holds `leaves` leaves and has room for one hash a flag; the proof starts at `pos` of `data`:
    /// number of nodes 2, nodes, number of flags 2, flag bits. Returns the root that follows and the position after the proof.
    function multiRoot(bytes32[] memory nodes, uint256 leaves, bytes calldata data, uint256 pos)
        internal
        pure
        returns (bytes32 root, uint256)
    {
        uint256 proofEnd;
        uint256 flags;
        uint256 proofAt = pos + 2;
        uint256 end;
        assembly ("memory-safe") {
            let p := add(data.offset, pos)
            proofEnd := add(proofAt, shl(5, shr(240, calldataload(p))))
            flags := shr(240, calldataload(add(data.offset, proofEnd)))
            end := add(add(proofEnd, 2), shr(3, add(flags, 7)))
        }
        if (end > data.length || leaves + (proofEnd - proofAt) / 32 != flags + 1) revert BadProof();
        bytes32[] memory queue = nodes;
        if (nodes.length < leaves + flags) {
            queue = new bytes32[](leaves + flags);
            for (uint256 i; i < leaves; ++i) queue[i] = nodes[i];
        }
        uint256 head;
        for (uint256 i; i < flags; ++i) {
            bool known;
            assembly ("memory-safe") {
                let bits := byte(0, calldataload(add(add(add(data.offset, proofEnd), 2), shr(3, i))))
                known := and(shr(sub(7, and(i, 7)), bits), 1)
            }
            bytes32 a = queue[head++];
            bytes32 b;
            if (known) {
                b = queue[head++];
            } else {
                if (proofAt >= proofEnd) revert BadProof();
                assembly ("memory-safe") {
                    b := calldataload(add(data.offset, proofAt))
                }
                proofAt += 32;
            }
            // A node may be used only after it was computed; zero-filled memory is no node.
            if (head > leaves + i) revert BadProof();
            queue[leaves + i] = Hashes.commutativeKeccak256(a, b);
        }
        if (proofAt != proofEnd) revert BadProof();
        return (queue[leaves + flags - 1], end);
    }
}

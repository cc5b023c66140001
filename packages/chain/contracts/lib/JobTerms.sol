// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// Longest dispute window, and longest time for an arbiter. A stake outlives both together (CheckerRegistry).
uint40 constant MAX_WAIT = 30 days;

/// What a creator locks money for (PROTOCOL.md, "Open"). Only its hash is stored; every call passes it again.
struct Terms {
    address creator;
    bytes32 runId;
    address token;
    uint96 farmBudget;
    uint96 checkBudget;
    uint96 frameCap;
    uint96 checkFee;
    bytes32 specHash;
    bytes32 bundleRoot;
    bytes32 quoteHash;
    address[] checkers;
    uint8 registryDraw;
    uint8 quorum;
    address arbiter;
    address leaseKey;
    address platform;
    uint16 platformFeeBps;
    uint8 recordMode;
    uint40 deadline;
    uint40 attestBy;
    uint40 claimTime;
    uint40 refundAfter;
    uint40 disputeWindow;
    uint40 resolveBy;
}

/// Opens the commitment that a job stores: its terms, the root of lease set 0 and, for registry jobs, the committee that was drawn.
struct JobRef {
    Terms terms;
    bytes32 setRoot;
    address[] drawn;
}

/// One farm of a batch: `price` is reserved, `gross` is what the quorum accepted of it.
struct FarmShare {
    address farm;
    address payTo;
    uint96 price;
    uint96 gross;
}

struct CheckerShare {
    address checker;
    uint96 amount;
}

/// All that a release needs, fixed when the batch was attested; only its hash is stored.
struct Pinned {
    address token;
    address creator;
    address platform;
    uint16 feeBps;
    uint40 releaseAt;
    bool approved;
    uint96 feeRefund;
    FarmShare[] farms;
    CheckerShare[] checkers;
}

/// A farm's share that waits for the arbiter. `by` objected, `payer` put up the bond and gets it back.
struct Objection {
    FarmShare share;
    address by;
    address payer;
    uint96 bond;
    uint40 until;
    bool claim;
}

/// A lease in full, for a farm's claim; batches carry it packed.
struct LeaseData {
    uint32 id;
    address farm;
    address payTo;
    uint96 price;
    uint32 weightSum;
    uint32 frames;
    bytes32 chunkHash;
    bytes32 weightsHash;
    uint32 part;
    uint8 checkClass;
    uint40 commitBy;
    uint32 hedgeOf;
}

struct Payment {
    address account;
    uint8 role;
    uint96 amount;
}

library JobTerms {
    bytes32 internal constant TERMS_TYPEHASH = keccak256(
        "Terms(address creator,bytes32 runId,address token,uint96 farmBudget,uint96 checkBudget,uint96 frameCap,uint96 checkFee,bytes32 specHash,bytes32 bundleRoot,bytes32 quoteHash,address[] checkers,uint8 registryDraw,uint8 quorum,address arbiter,address leaseKey,address platform,uint16 platformFeeBps,uint8 recordMode,uint40 deadline,uint40 attestBy,uint40 claimTime,uint40 refundAfter,uint40 disputeWindow,uint40 resolveBy)"
    );

    /// EIP-712 struct hash. The head of the calldata struct is its 24 words in order, the list's offset at word 10: copied whole and that word replaced.
    function hash(Terms calldata terms) internal pure returns (bytes32 result) {
        address[] calldata checkers = terms.checkers;
        bytes32 typeHash = TERMS_TYPEHASH;
        assembly ("memory-safe") {
            let p := mload(0x40)
            let size := shl(5, checkers.length)
            calldatacopy(p, checkers.offset, size)
            let list := keccak256(p, size)
            mstore(p, typeHash)
            calldatacopy(add(p, 32), terms, 768)
            mstore(add(p, 352), list)
            result := keccak256(p, 800)
        }
    }

    /// abi.encode of the terms without its leading offset: the 24 words, then the list; for the event that makes a job readable from the log alone.
    function encode(Terms calldata terms) internal pure returns (bytes memory data) {
        address[] calldata checkers = terms.checkers;
        assembly ("memory-safe") {
            data := mload(0x40)
            let size := shl(5, checkers.length)
            mstore(data, add(800, size))
            calldatacopy(add(data, 32), terms, 768)
            mstore(add(data, 352), 768)
            mstore(add(data, 800), checkers.length)
            calldatacopy(add(data, 832), checkers.offset, size)
            mstore(0x40, add(add(data, 832), size))
        }
    }

    /// Leaf of a lease in its set: 97 bytes, so that it can never be an inner node (64 bytes).
    function leaf(LeaseData calldata lease) internal pure returns (bytes32) {
        bytes32 rest = keccak256(
            abi.encode(lease.chunkHash, lease.weightsHash, lease.part, lease.checkClass, lease.commitBy, lease.hedgeOf)
        );
        return keccak256(
            abi.encodePacked(
                uint8(0), lease.id, lease.farm, lease.payTo, lease.price, lease.weightSum, lease.frames, rest
            )
        );
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Amounts} from "./Amounts.sol";
import {CheckerShare, FarmShare} from "./JobTerms.sol";

/// What reading a batch adds up to.
struct Tally {
    bool slow;
    bool full;
    uint32 seq;
    uint256 sets;
    uint256 frameCap;
    uint256 frames;
    uint256 settled;
    uint256 farmReserve;
    uint256 checkReserve;
    uint256 farmTable;
    bytes32 batchHash;
    FarmShare[] farms;
    CheckerShare[] checkers;
    uint32[] ids;
}

/// Reads the packed batch of docs/encodings.md. Positions only grow and the last one must be the end of the blob, so no read leaves it.
library BatchReader {
    error MalformedBatch(uint256 pos);
    error BadLease(uint32 lease);
    error OverFrameCap(uint32 lease);

    uint256 private constant SLOW = 1;
    uint256 private constant FULL = 2;

    function readTables(bytes calldata blob, address[] calldata committee, bool full, Tally memory tally)
        internal
        pure
        returns (uint256 pos)
    {
        uint256 word = _word(blob, 0);
        uint256 flags = word >> 240 & 0xff;
        if (word >> 248 != 1 || flags > 3 || (flags & FULL != 0) != full) revert MalformedBatch(0);
        tally.slow = flags & SLOW != 0;
        tally.full = full;
        pos = 40;
        uint256 count = _word(blob, pos) >> 248;
        if (count == 0) revert MalformedBatch(pos);
        tally.farmTable = ++pos;
        tally.farms = new FarmShare[](count);
        for (uint256 i; i < count; ++i) {
            address farm = address(uint160(_word(blob, pos) >> 96));
            if (farm <= (i == 0 ? address(0) : tally.farms[i - 1].farm)) revert MalformedBatch(pos);
            tally.farms[i].farm = farm;
            tally.farms[i].payTo = address(uint160(_word(blob, pos + 20) >> 96));
            pos += 40;
        }
        count = _word(blob, pos++) >> 248;
        tally.checkers = new CheckerShare[](count);
        uint256 least;
        for (uint256 i; i < count; ++i) {
            uint256 row = _word(blob, pos);
            uint256 index = row >> 248;
            uint256 votes = row >> 216 & 0xffffffff;
            if (index < least || votes == 0) revert MalformedBatch(pos);
            least = index + 1;
            // The amount holds the number of votes until the fee is known.
            (tally.checkers[i].checker, tally.checkers[i].amount) = (committee[index], uint96(votes));
            pos += 5;
        }
        tally.sets = _word(blob, pos++) >> 248;
        if (tally.sets == 0) revert MalformedBatch(pos);
        tally.seq = type(uint32).max;
    }

    /// Reads one lease set: sums of its farms, its leaves (with room for a multiproof whose set has no other leases) and ids.
    function readSet(bytes calldata blob, uint256 pos, Tally memory tally)
        internal
        pure
        returns (bytes32[] memory leaves, uint256 count, uint256)
    {
        uint256 word = _word(blob, pos);
        uint32 seq = uint32(word >> 224);
        count = word >> 208 & 0xffff;
        if (count == 0 || (tally.seq != type(uint32).max && seq <= tally.seq)) revert MalformedBatch(pos);
        tally.seq = seq;
        pos += 6;
        leaves = new bytes32[](2 * count);
        uint32[] memory ids = new uint32[](count);
        tally.ids = ids;
        uint256 size = tally.full ? 63 : 59;
        uint256 last;
        // No sum can overflow: prices have 96 bits, weights 32, frames 16, and there are at most 2^24 leases in a blob.
        unchecked {
            for (uint256 i; i < count; ++i) {
                uint256 id;
                bytes32 leaf;
                (id, leaf) = _readLease(blob, pos, tally);
                if (id <= last) revert BadLease(uint32(id));
                last = id;
                assembly ("memory-safe") {
                    let slot := shl(5, add(i, 1))
                    mstore(add(leaves, slot), leaf)
                    mstore(add(ids, slot), id)
                }
                pos += size;
            }
        }
        return (leaves, count, pos);
    }

    /// The blob must end with its records; then the check fee is split by votes, the remainder to the first.
    function finish(bytes calldata blob, uint256 pos, uint256 checkFee, Tally memory tally) internal pure {
        if (tally.full) pos += 40 * tally.frames;
        if (pos != blob.length) revert MalformedBatch(pos);
        uint256 fee = checkFee * tally.frames;
        if (fee > type(uint96).max || tally.farmReserve > type(uint96).max) revert MalformedBatch(pos);
        tally.checkReserve = fee;
        CheckerShare[] memory checkers = tally.checkers;
        uint256 votes;
        for (uint256 i; i < checkers.length; ++i) votes += checkers[i].amount;
        uint256 rest = fee;
        for (uint256 i; i < checkers.length; ++i) {
            checkers[i].amount = uint96(Amounts.checkerShare(fee, checkers[i].amount, votes));
            rest -= checkers[i].amount;
        }
        if (checkers.length != 0) checkers[0].amount += uint96(rest);
    }

    function _readLease(bytes calldata blob, uint256 pos, Tally memory tally) private pure returns (uint256 id, bytes32 leaf) {
        unchecked {
            uint256 word = _word(blob, pos);
            id = word >> 224;
            uint256 farm = word >> 216 & 0xff;
            uint256 price = word >> 120 & type(uint96).max;
            uint256 weightSum = word >> 88 & 0xffffffff;
            uint256 accepted = word >> 56 & 0xffffffff;
            uint256 frames = word >> 40 & 0xffff;
            FarmShare[] memory farms = tally.farms;
            if (farm >= farms.length || accepted > weightSum || weightSum == 0) revert BadLease(uint32(id));
            // frameCap has 96 bits and frames 16: the product fits.
            if (price > tally.frameCap * frames) revert OverFrameCap(uint32(id));
            tally.frames += frames;
            tally.farmReserve += price;
            FarmShare memory share = farms[farm];
            // A sum beyond 96 bits wraps here and is refused in `finish`, where the whole reserve must fit.
            share.price += uint96(price);
            share.gross += uint96(Amounts.earned(price, accepted, weightSum));
            leaf = _leaf(blob, pos, tally.farmTable + 40 * farm, id, price << 160 | weightSum << 128 | frames << 96);
        }
    }

    /// The lease's 97 bytes (JobTerms.leaf): kind and id, farm and payee from the table at `payees`, `middle` = price 12, weightSum 4, frames 4; restHash.
    function _leaf(bytes calldata blob, uint256 pos, uint256 payees, uint256 id, uint256 middle)
        private
        pure
        returns (bytes32 leaf)
    {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, shl(216, id))
            calldatacopy(add(p, 5), add(blob.offset, payees), 40)
            mstore(add(p, 45), middle)
            calldatacopy(add(p, 65), add(add(blob.offset, pos), 27), 32)
            leaf := keccak256(p, 97)
        }
    }

    function _word(bytes calldata blob, uint256 pos) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(blob.offset, pos))
        }
    }
}

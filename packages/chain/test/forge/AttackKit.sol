// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobRef} from "../../contracts/lib/JobTerms.sol";
import {Kit, TestLease} from "./Kit.sol";

/// A job of two leases of two farms that each attack starts from.
abstract contract AttackKit is Kit {
    TestLease[] internal leases;
    JobRef internal ref;
    bytes32 internal id;
    uint32[3] internal votes = [uint32(1), 1, 1];

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
}

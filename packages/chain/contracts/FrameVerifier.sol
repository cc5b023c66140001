// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FrameProofs, FrameRecord} from "./lib/FrameProofs.sol";

/// Says whether a frame lies under the recordsRoot of a batch; free as a call. The root itself is proven by the job's head.
contract FrameVerifier {
    function verifyFrame(bytes32 recordsRoot, bytes32 job, FrameRecord calldata record, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return FrameProofs.verify(recordsRoot, job, record, proof);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// Quorum signatures packed as rows of (committee index 1, [extra 32], length 2, signature), indices strictly ascending.
library SignedRows {
    error BadSignature(address signer);
    error SignerOrder();
    error MalformedRows();

    /// Plain ECDSA is tried first, so that a key that delegated its account (EIP-7702) still signs; contracts answer by ERC-1271.
    function valid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return signer != address(0);
        return signer.code.length > 0 && SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature);
    }

    function mustBeValid(address signer, bytes32 digest, bytes calldata signature) internal view {
        if (!valid(signer, digest, signature)) revert BadSignature(signer);
    }

    /// Reads the row at `pos`; `next` is 1 + the least index that the following row may have.
    function read(bytes calldata rows, uint256 pos, uint256 least, bool withExtra)
        internal
        pure
        returns (uint256 index, bytes32 extra, bytes calldata signature, uint256 after_)
    {
        uint256 size;
        assembly ("memory-safe") {
            let p := add(rows.offset, pos)
            index := byte(0, calldataload(p))
            p := add(p, 1)
            if withExtra {
                extra := calldataload(p)
                p := add(p, 32)
            }
            size := shr(240, calldataload(p))
            signature.offset := add(p, 2)
            signature.length := size
        }
        after_ = pos + (withExtra ? 35 : 3) + size;
        if (after_ > rows.length) revert MalformedRows();
        if (index < least) revert SignerOrder();
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EscrowBatches} from "./EscrowBatches.sol";
import {EscrowBooks} from "./EscrowBooks.sol";
import {EscrowCourt} from "./EscrowCourt.sol";
import {EscrowFunding} from "./EscrowFunding.sol";
import {IPermit2} from "./interfaces/IFunding.sol";

/// Holds the money of render jobs and pays farms for validated frames only. No proxy and no pause of running jobs: the owner decides which tokens new jobs
/// may use, nothing else. See PROTOCOL.md for who signs what, docs/security.md for what each party can lose.
contract PictorEscrow is EscrowBatches, Ownable2Step {
    using SafeERC20 for IERC20;

    /// Code of the rare calls (EscrowCourt), run in this contract's storage. Both inherit EscrowBase first, so their slots are the same.
    address public immutable court;

    event AssetSet(address indexed token, bool allowed, uint96 minBond);

    constructor(address owner_, EscrowCourt court_, IPermit2 permit2_)
        EscrowBooks(court_.registry(), court_.minGap())
        EscrowFunding(permit2_)
        Ownable(owner_)
    {
        court = address(court_);
    }

    fallback() external {
        address code = court;
        assembly ("memory-safe") {
            let p := mload(0x40)
            calldatacopy(p, 0, calldatasize())
            let ok := delegatecall(gas(), code, p, calldatasize(), 0, 0)
            returndatacopy(p, 0, returndatasize())
            switch ok
            case 0 { revert(p, returndatasize()) }
            default { return(p, returndatasize()) }
        }
    }

    /// Allows or refuses a token for new jobs; running jobs are not touched. `minBond` is the least bond of a new objection.
    function setAsset(address token, bool allowed, uint96 minBond) external onlyOwner {
        assets[token].allowed = allowed;
        assets[token].minBond = minBond;
        emit AssetSet(token, allowed, minBond);
    }

    /// Sends away what nobody is owed: tokens that were sent here by mistake.
    function rescue(IERC20 token, address to) external onlyOwner nonReentrant {
        token.safeTransfer(to, token.balanceOf(address(this)) - assets[address(token)].owed);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable2Step, Ownable} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IArbiter, IArbitrable} from "./interfaces/IArbiter.sol";
import {JobRef, Objection} from "./lib/JobTerms.sol";

/// An arbiter for development: one owner, preferably a multisig, has the word. Courts such as Kleros or UMA fit behind the same interface.
contract OwnerArbiter is IArbiter, Ownable2Step {
    constructor(address owner_) Ownable(owner_) {}

    /// @inheritdoc IArbiter
    function mayRule(address account) external view returns (bool) {
        return account == owner();
    }

    /// The owner's word on an objection, handed to the escrow that asked.
    function rule(
        IArbitrable escrow,
        bytes32 job,
        JobRef calldata ref,
        uint32 batch,
        Objection calldata objection,
        uint16 acceptedPerMille
    ) external onlyOwner {
        emit Ruled(address(escrow), job, batch, objection.share.farm, acceptedPerMille);
        escrow.resolve(ref, batch, objection, acceptedPerMille);
    }
}

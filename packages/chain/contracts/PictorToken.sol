// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// $PICTOR for development chains, 18 decimals, fixed supply. On a public chain the real token is an address that the escrow's owner allows.
contract PictorToken is ERC20Permit {
    constructor(address holder, uint256 supply) ERC20("Pictor", "PICTOR") ERC20Permit("Pictor") {
        _mint(holder, supply);
    }
}

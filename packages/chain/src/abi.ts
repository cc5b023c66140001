import checkerRegistry from '../abi/CheckerRegistry.json' with { type: 'json' }
import devUsd from '../abi/DevUsd.json' with { type: 'json' }
import escrowCourt from '../abi/EscrowCourt.json' with { type: 'json' }
import farmRegistry from '../abi/FarmRegistry.json' with { type: 'json' }
import frameVerifier from '../abi/FrameVerifier.json' with { type: 'json' }
import layout from '../abi/layout.json' with { type: 'json' }
import ownerArbiter from '../abi/OwnerArbiter.json' with { type: 'json' }
import pictorEscrow from '../abi/PictorEscrow.json' with { type: 'json' }
import pictorToken from '../abi/PictorToken.json' with { type: 'json' }

/** What `forge build` made of one contract: its JSON ABI and its creation code (0x hex, without constructor arguments). */
export interface ContractArtifact {
  readonly abi: readonly Readonly<Record<string, unknown>>[]
  readonly bytecode: string
}

/** The contracts of this version, compiled; `scripts/build-abi.ts --check` fails when they are older than their sources. The escrow's ABI holds its court's calls too. */
export const contracts: Readonly<
  Record<
    | 'CheckerRegistry'
    | 'DevUsd'
    | 'EscrowCourt'
    | 'FarmRegistry'
    | 'FrameVerifier'
    | 'OwnerArbiter'
    | 'PictorEscrow'
    | 'PictorToken',
    ContractArtifact
  >
> = {
  CheckerRegistry: checkerRegistry,
  DevUsd: devUsd,
  EscrowCourt: escrowCourt,
  FarmRegistry: farmRegistry,
  FrameVerifier: frameVerifier,
  OwnerArbiter: ownerArbiter,
  PictorEscrow: pictorEscrow,
  PictorToken: pictorToken,
}

/** Storage slots of the escrow's variables, for `eth_getProof`. */
export const escrowLayout: Readonly<Record<string, number>> = layout

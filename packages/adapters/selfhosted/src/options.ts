import type { Address, DigestSigner, HostRating, LeaseTicket, Ledger, LedgerDomain } from '@pictor/core/contract'
import type { CommandRenderer } from './command/template.ts'

/** How a farm of one's own machine is set up. */
export interface SelfHostedOptions {
  /** Name of the farm, unique in an app. */
  readonly id: string
  /** For people; default: the id. */
  readonly name?: string
  /** Folder for books, staged scenes and outputs; belongs to this farm alone. */
  readonly workDir: string
  /** Tasks at once, each with a warm Blender of its own. Default 1. */
  readonly slots?: number
  /** CPU threads of each slot (`blender -t`). Default: the cores divided by the slots, at least 1. */
  readonly threadsPerSlot?: number
  /** Path of a Blender, or of several versions side by side; the file's version decides. Default: `blender` on PATH. */
  readonly blender?: string | readonly string[]
  /** Renderers besides Blender, each run once a frame from the command line. They use the CPU. */
  readonly renderers?: readonly CommandRenderer[]
  /** Whose scenes are rendered. `foreign` ones only in a sandbox. Default `own`. */
  readonly trust?: 'own' | 'foreign'
  /** Renders scenes of others without a sandbox. Everybody who asks what the farm is can see it. */
  readonly unsafeNoSandbox?: boolean
  /** Most address space of one Blender, MiB; more ends it as out of memory. Default: no limit. Foreign scenes: the slot's share of the memory and 8 GiB. */
  readonly memoryMiB?: number
  /** Price of one slot for an hour, in the smallest unit of `currency` (default USD, so micro-dollars). Default: free, in any currency. */
  readonly price?: { readonly perHostHour: bigint; readonly currency?: string; readonly source?: string; readonly asOf?: string }
  /** Host milliseconds a unit of work (1 = a second of the reference machine), when it was measured; see `msPerWork` of an offer. Default 1000. */
  readonly msPerWork?: number
  /**
   * Measures once how fast a slot of each Blender and device renders, some seconds each, and keeps it in `workDir`. Quotes then know the speed against the machine of an estimate before
   * anything was probed here. Default false.
   */
  readonly calibrate?: boolean
  /** What one slot is in the units of price lists, such as the OctaneBench points of its GPU. Default: GHz of a CPU slot by its threads and clock. */
  readonly rating?: Partial<HostRating>
  /** The farm's key: accepts leases and signs commitments. Without it the farm takes no leases. */
  readonly signer?: DigestSigner
  /** Account that is paid; default: the signer's address. Leases that pay another are refused. */
  readonly payTo?: Address
  /** The least that a lease pays for each of its frames, gross, in the smallest unit of the job's currency. Default: what the terms offer, for the estimate is the runner's. */
  readonly minFramePrice?: bigint
  /** The most that the platform takes of the pay, in basis points. Default: what the terms say; escrows allow 3,000. */
  readonly maxPlatformFeeBps?: number
  /**
   * The ledger that the farm is paid from. Leases are taken of this one only, once it holds the job's money by the terms shown, and under the leaseKey in force there. Without it
   * the farm takes the creator's word for both, as one's own farm may.
   */
  readonly ledger?: Pick<Ledger, 'domain' | 'poll'>
  /** Ledgers whose leases are taken where none is followed; default: any. */
  readonly ledgers?: readonly Pick<LedgerDomain, 'chainId' | 'verifyingContract'>[]
  /** The checkers that the registry drew for a job, where `ledger` is not to be asked. Without both, leases of such jobs are refused. */
  readonly drawnCheckers?: (ticket: LeaseTicket) => Promise<readonly Address[]>
  /** Commit after so many frames instead of once at the end of a task. */
  readonly commitEvery?: number
  /** A frame that takes longer is a hang. Default 1 hour. */
  readonly frameTimeoutMs?: number
  /** Opening a scene that takes longer is a hang. Default 10 minutes. */
  readonly loadTimeoutMs?: number
  /** When a warm Blender is replaced by a fresh one, between frames. Defaults: 2,000 frames, 50 scenes, 24 hours, no memory limit. */
  readonly recycle?: Partial<Recycle>
  /** Largest bundle that is staged. Default 64 GiB. */
  readonly maxBundleBytes?: number
  /** Environment of Blender besides PATH, HOME and TMPDIR, such as DISPLAY for Eevee. Nothing of this process's own environment is passed on. */
  readonly environment?: Readonly<Record<string, string>>
  /**
   * `cpu` (default), or `gpu`: every GPU that Cycles finds gets `slots` slots of its own, each pinned to it; without one the farm declines. `auto` takes GPUs
   * where there are any, else the CPU. Run on NVIDIA cards (CUDA); the other kinds are written against Cycles' documentation.
   */
  readonly devices?: 'cpu' | 'gpu' | 'auto'
  /** Development and tests only: a farm that cheats, to show that it is caught. Renders this share of the ordered samples of leased frames, 0..1, and may claim in its PNG files that it took all. */
  readonly simulateCheat?: { readonly samplesFactor: number; readonly forgeTags?: boolean }
  /** While it says true nothing new is taken (quotes are declined, submits refused) and what was taken is finished: before an update of the machine. */
  readonly draining?: () => boolean
  /**
   * Removes staged scenes that nobody used for so many milliseconds, and tasks that ended so long ago with their outputs (leased ones not before `refundAfter`). Looked at when the farm opens its books and
   * once an hour. Default: keeps everything.
   */
  readonly keepMs?: number
  /** Milliseconds since 1970; default Date.now. */
  readonly now?: () => number
}

/** What one Blender does at most. */
export interface Recycle {
  readonly frames: number
  readonly scenes: number
  /** Milliseconds since it was started. */
  readonly ageMs: number
  /** Resident memory after a frame. */
  readonly rssMiB: number
}

type Optional =
  | 'price'
  | 'rating'
  | 'signer'
  | 'payTo'
  | 'minFramePrice'
  | 'maxPlatformFeeBps'
  | 'simulateCheat'
  | 'commitEvery'
  | 'keepMs'
  | 'ledgers'
  | 'drawnCheckers'
  | 'ledger'

/** Options with every default filled in. */
export type Settings = Required<Omit<SelfHostedOptions, Optional | 'recycle' | 'blender'>> &
  Pick<SelfHostedOptions, Optional> & {
    readonly blender: readonly string[]
    /** Whether Blender runs in a sandbox. */
    readonly confined: boolean
    readonly recycle: Recycle
  }

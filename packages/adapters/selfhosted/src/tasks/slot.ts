import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GPU_DEVICE_FILES } from '../blender/devices.ts'
import type { ComputeDevice } from '../blender/devices.ts'
import type { InstalledBlender } from '../blender/installed.ts'
import type { ProcessIdentity } from '../blender/process.ts'
import { startWorker } from '../blender/worker.ts'
import type { Fault, Reply, SceneFile, Worker } from '../blender/worker.ts'
import { commandWorker } from '../command/run-command.ts'
import type { CommandRenderer } from '../command/template.ts'
import type { Settings } from '../options.ts'

/** What a slot must have open before it renders. */
export interface Opening {
  /** A Blender, kept warm, or a program that is run once a frame. */
  readonly program: InstalledBlender | CommandRenderer
  /** Folder of the staged bundle: what a sandbox may read. */
  readonly folder: string
  readonly scene: SceneFile
}

/** Records the processes of a farm, so that leftovers of a crash can be killed. */
export interface ProcessJournal {
  started(process: ProcessIdentity): void
  ended(process: ProcessIdentity): void
}

/** One place to render: at most one warm Blender, which keeps the last scene open. */
export class Slot {
  readonly index: number
  /** Where the renderer may write. */
  readonly folder: string
  /** The GPU it is pinned to; undefined is the CPU. */
  readonly device: ComputeDevice | undefined
  private readonly settings: Settings
  private readonly journal: ProcessJournal
  private worker: Worker | undefined
  private program: Opening['program'] | undefined
  private openFile: string | undefined
  private scenes = 0
  private closed = false

  constructor(index: number, device: ComputeDevice | undefined, settings: Settings, journal: ProcessJournal) {
    this.index = index
    this.device = device
    this.settings = settings
    this.journal = journal
    this.folder = join(settings.workDir, 'slots', String(index))
  }

  /** Whether the scene is open in a warm Blender. */
  has(file: string): boolean {
    return this.worker?.alive === true && this.openFile === file
  }

  get idle(): boolean {
    return this.worker?.alive !== true
  }

  get rssMiB(): number {
    return this.worker?.alive ? this.worker.rssMiB : 0
  }

  /** A worker with the scene open: the warm one when it fits, else a new one. */
  async open(opening: Opening): Promise<Reply<Worker>> {
    if (this.closed) return { ok: false, fault: { kind: 'stopped', message: 'the farm was closed' } }
    if (
      this.worker &&
      (!this.worker.alive || this.worn(opening) || this.program !== opening.program || this.mustNotShare(opening))
    )
      await this.retire('recycled')
    if (!this.worker) {
      const started = await this.start(opening)
      if (!started.ok) return started
      this.worker = started.value
    }
    if (this.openFile === opening.scene.file) return { ok: true, value: this.worker }
    this.openFile = undefined
    const loaded = await this.worker.load(opening.scene, this.settings.loadTimeoutMs)
    if (!loaded.ok) {
      await this.retire('the scene did not load')
      return loaded
    }
    this.scenes++
    this.openFile = opening.scene.file
    return { ok: true, value: this.worker }
  }

  /** Ends the warm Blender and waits until it is gone. */
  async retire(reason: string): Promise<void> {
    const worker = this.worker
    this.worker = undefined
    this.openFile = undefined
    this.scenes = 0
    if (!worker) return
    worker.kill(reason)
    await worker.gone
    // What a scene of one customer left in its home must not meet the next one's.
    if (this.settings.confined)
      for (const name of ['home', 'tmp']) await rm(join(this.folder, name), { recursive: true, force: true })
  }

  async close(): Promise<void> {
    this.closed = true
    await this.retire('the farm was closed')
  }

  private worn(opening: Opening): boolean {
    const { frames, scenes, ageMs, rssMiB } = this.settings.recycle
    const worker = this.worker!
    // A clock that was set back must not keep an old one alive.
    const old = Math.abs(Date.now() - worker.startedAtMs) >= ageMs
    const full = this.scenes >= scenes && this.openFile !== opening.scene.file
    return old || full || worker.frames >= frames || worker.rssMiB > rssMiB
  }

  /** A foreign scene gets a process of its own, so that one customer's scene never meets another's. */
  private mustNotShare(opening: Opening): boolean {
    return this.settings.trust === 'foreign' && this.openFile !== opening.scene.file
  }

  private async start(opening: Opening): Promise<Reply<Worker>> {
    const { threadsPerSlot: threads, memoryMiB, confined } = this.settings
    for (const name of ['home', 'tmp']) await mkdir(join(this.folder, name), { recursive: true })
    this.program = opening.program
    const environment = {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LANG: 'C.UTF-8',
      ...this.settings.environment,
      HOME: join(this.folder, 'home'),
      TMPDIR: join(this.folder, 'tmp'),
    }
    if ('command' in opening.program) {
      const { started, ended } = this.journal
      const read = confined ? { confined: { read: [opening.folder] } } : {}
      const value = commandWorker({
        renderer: opening.program,
        threads,
        cwd: this.folder,
        environment,
        memoryMiB,
        started,
        ended,
        ...read,
      })
      return { ok: true, value }
    }
    let identity: ProcessIdentity | undefined
    const started = await startWorker({
      blender: opening.program.path,
      threads,
      cwd: this.folder,
      environment,
      memoryMiB,
      gpu: this.device !== undefined,
      ...(confined ? { confined: { read: [opening.folder], devices: this.device ? GPU_DEVICE_FILES : [] } } : {}),
      onStart: (process) => {
        identity = process
        this.journal.started(process)
      },
    })
    if (!started.ok) {
      if (identity) this.journal.ended(identity)
      return started
    }
    void started.value.gone.then(() => this.journal.ended(identity!))
    if (this.device) {
      const used = await started.value.request('use-device', { kind: this.device.kind, device: this.device.id }, 120_000)
      if (!used.ok) {
        started.value.kill('its GPU cannot be used')
        return used.fault.kind === 'refused' ? { ok: false, fault: { kind: 'start', message: used.fault.message } } : used
      }
    }
    if (this.closed) {
      started.value.kill('the farm was closed')
      const fault: Fault = { kind: 'stopped', message: 'the farm was closed' }
      return { ok: false, fault }
    }
    return started
  }
}

import { invalid, PictorError, type Failure, type Farm, type Output, type TaskRef } from '@pictor/core/contract'
import { farmHttp, pathOf, snapshotLog, type FetchLike, type TaskSnapshot } from '@pictor/farm-protocol'
import { CAPABILITIES, stateOf, type FarmFile, type FarmJob } from './api.ts'

export interface FarmOptions {
  /** Base of the farm's API, `https:` unless it is this machine. */
  readonly url: string
  /** The customer's key. */
  readonly token: string
  /** Name of the farm in the customer's app; a second account needs another. */
  readonly id?: string
  /** Stands in for `fetch` in tests. */
  readonly fetch?: FetchLike
}

/** __TITLE__ as a farm of Pictor. Change the paths and fields to those of your API; the conformance kit says what is missing. */
export function __FUNCTION__(options: FarmOptions): Farm {
  const { id = '__ID__' } = options
  const http = farmHttp({ ...options, headers: { authorization: `Bearer ${options.token}` } })
  const log = snapshotLog()
  const refOf = (job: FarmJob): TaskRef => ({ farm: id, ref: job.id })

  const outputOf = (job: FarmJob, file: FarmFile): Output => ({
    task: refOf(job),
    frame: file.frame,
    part: 0,
    layer: 'ViewLayer',
    name: file.name,
    bytes: file.bytes,
    hash: `0x${file.sha256}`,
    completedAtMs: file.atMs,
  })
  const snapshot = (job: FarmJob): TaskSnapshot => ({
    ref: refOf(job),
    state: stateOf(job.state),
    raw: job.state,
    framesTotal: job.frames.length,
    outputs: job.files.map((file) => outputOf(job, file)),
    failedFrames: job.failed.map((frame): Failure => ({ class: 'scene', message: job.message, frame })),
    atMs: job.updatedAtMs,
    ...(job.state === 'failed' && { failure: { class: 'scene', message: job.message } }),
  })

  return {
    contract: 1,
    id,
    async describe(ctx) {
      await http.call({ path: 'v1/account' }, ctx)
      return {
        contract: 1,
        id,
        name: '__TITLE__',
        lane: 'api',
        verification: 'contract-simulated',
        capabilities: CAPABILITIES,
        idempotency: 'native',
        software: [{ name: 'blender', version: '4.2', engines: ['CYCLES'], devices: ['OPTIX'] }],
      }
    },
    async quote({ spec, estimate, atMs }, ctx) {
      const head = { contract: 1, farm: id } as const
      if (spec.render.software !== 'blender')
        return { ...head, kind: 'decline', reason: 'software', message: 'only Blender is rendered here' }
      const { json } = await http.call({ path: 'v1/prices' }, ctx)
      const { microUsdPerHostHour, hosts } = json as { microUsdPerHostHour: string; hosts: number }
      // What the customer pays, all fees inside, in micro-dollars; money is never a floating-point number.
      const price = { perHostHour: BigInt(microUsdPerHostHour), stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n }
      const times = { readyMs: 30_000, startMs: 10_000, billStart: true, perFrameMs: 0, deliverMs: 1_000 }
      // msPerWork: host time for a second of the reference machine, one figure for each memory class of the job. 1000 is a host as fast as the reference.
      const offer = { id: 'standard', tier: 'standard', hosts, ...times, msPerWork: estimate.classes.map(() => 1_000), price }
      const terms = {
        currency: 'USD',
        validUntilAtMs: atMs + 3_600_000,
        firmness: 'estimate',
        basis: ['price list of the farm'],
      } as const
      return { ...head, kind: 'quote', id: `${id}-${atMs}`, offers: [offer], ...terms }
    },
    async stage(manifest, files, ctx) {
      for (const { path } of manifest.files)
        if (/^\/|\\|(^|\/)\.\.(\/|$)/.test(path)) throw invalid('manifest.files.path', 'a path inside the bundle', path)
      // Files are named by their hash, so that a stage that failed can be repeated and sends only what is missing.
      for (const { hash } of manifest.files) {
        const path = `v1/files/${pathOf(hash.slice(2))}`
        const { status } = await http.call({ method: 'head', path, accept: [404] }, ctx)
        if (status === 404) await http.call({ method: 'put', path, body: await files.read(hash) }, ctx)
      }
      return { farm: id, ref: manifest.root }
    },
    async submit(task, ctx) {
      if (task.work.kind !== 'frames')
        throw new PictorError('farm-refused', `work of the kind ${task.work.kind} is not done here`)
      const files = task.bundle.files.map(({ path, hash }) => ({ path, sha256: hash.slice(2) }))
      const job = {
        scene: task.bundle.entry,
        files,
        frames: task.work.frames,
        spec: task.spec,
        task: `${task.run}/${task.id}/${task.attempt}`,
      }
      const { json } = await http.call(
        { method: 'post', path: 'v1/jobs', headers: { 'idempotency-key': ctx.key }, json: job },
        ctx,
      )
      return { farm: id, ref: (json as { id: string }).id }
    },
    async poll(query, ctx) {
      const { json } = await http.call({ path: 'v1/jobs' }, ctx)
      const jobs = (json as { jobs?: FarmJob[] } | null)?.jobs
      if (!Array.isArray(jobs)) throw new PictorError('farm-unreachable', 'the farm answered without a list of jobs')
      // The farm shows states; the log makes events with a cursor of them.
      log.observe(jobs.map(snapshot))
      return log.page(query, 2_000)
    },
    async set(ref, change, ctx) {
      const path = `v1/jobs/${pathOf(ref.ref)}`
      await http.call({ path }, ctx)
      if (change.priority !== undefined) return { refused: true, reason: 'priority', message: 'this farm has no priorities' }
      const action = { hold: 'pause', run: 'resume', cancel: 'cancel', erase: undefined }[change.desired ?? 'erase']
      if (action === undefined) return 'done'
      const { status } = await http.call({ method: 'post', path: `${path}/actions`, json: { action }, accept: [422] }, ctx)
      return status === 422 ? { refused: true, reason: 'state', message: `the job cannot ${action} now` } : 'accepted'
    },
    async open(output, { offset }, ctx) {
      const path = `v1/jobs/${pathOf(output.task.ref)}/files/${pathOf(output.name)}`
      const got = await http.download({ path, bytes: output.bytes, offset, accept: [402, 404, 410] }, ctx)
      if ('body' in got) return got.body
      return { unavailable: ({ 402: 'payment', 404: 'not-yet', 410: 'expired' } as const)[got.refused.status as 402 | 404 | 410] }
    },
  }
}

import { createReadStream, createWriteStream } from 'node:fs'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { canonicalJson, decodeJournal, encodeJournal, invalid, PictorError, usd, type Bytes32, type Plan } from '@pictor/core'
import { encodeReceipt } from '@pictor/core/proof'
import type { Tenant } from './tenants.ts'

const SCENE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.blend$/
const RUN = /^0x[0-9a-f]{64}$/
/** Largest scene that is taken. */
const SCENE_BYTES = 4 * 2 ** 30

export function runOf(text: string | undefined): Bytes32 {
  if (text === undefined || !RUN.test(text)) throw new PictorError('not-found', 'no such job')
  return text as Bytes32
}

/** Keeps a scene under its name; a broken upload leaves nothing. */
export async function putScene(tenant: Tenant, name: string, body: IncomingMessage): Promise<{ scene: string; bytes: number }> {
  const path = scenePath(tenant, name)
  const part = `${path}.${process.hrtime.bigint()}.part`
  let bytes = 0
  try {
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          if ((bytes += chunk.length) > SCENE_BYTES) throw invalid('scene', `at most ${SCENE_BYTES} bytes`, bytes)
          yield chunk
        }
      },
      createWriteStream(part),
    )
    await rename(part, path)
  } finally {
    await rm(part, { force: true })
  }
  return { scene: name, bytes }
}

/** Plans a job. The plan is kept: its id is the run that submitting it starts, so that a submit can be repeated. */
export async function makePlan(tenant: Tenant, order: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<object> {
  const { scene, frames, deadline = '24h', budget, goal = 'cheapest' } = order
  if (typeof scene !== 'string') throw invalid('scene', 'the name of an uploaded scene', scene)
  if (frames !== undefined && typeof frames !== 'string') throw invalid('frames', 'a frame range such as 1-48', frames)
  if (typeof budget !== 'string') throw invalid('budget', 'US dollars as text, such as "40"', budget)
  if (typeof deadline !== 'string') throw invalid('deadline', 'such as "2h"', deadline)
  if (goal !== 'cheapest' && goal !== 'fastest') throw invalid('goal', "'cheapest' or 'fastest'", goal)
  const request = { scene: scenePath(tenant, scene), deadline, budget: usd(budget), ...(frames === undefined ? {} : { frames }) }
  const plans = await tenant.pictor.plan(request, { signal })
  const plan = plans[goal]
  await writeFile(planPath(tenant, plan.run), encodeJournal(plan))
  const { run, cost, lowerBound, checkCost, finishMs, validUntilAtMs, hitProbability, frameCount, routes } = plan
  return { run, cost, lowerBound, checkCost, finishMs, validUntilAtMs, hitProbability, frameCount, routes }
}

/** Submits a plan; the same plan twice is the same job. @throws not-found */
export async function submit(tenant: Tenant, run: Bytes32): Promise<object> {
  const text = await readFile(planPath(tenant, run), 'utf8').catch(() => undefined)
  if (text === undefined)
    throw new PictorError('not-found', 'no such plan', { details: { path: 'plan', hint: 'make one at POST /plans' } })
  const known = await tenant.pictor.state(run).catch(() => undefined)
  if (known) await tenant.pictor.attach(run)
  else await tenant.pictor.submit(decodeJournal<Plan>(text), { outDir: outDir(tenant, run) })
  return tenant.pictor.state(run)
}

/** Names of the frames that were delivered so far: each was validated, and is whole. */
export async function framesOf(tenant: Tenant, run: Bytes32): Promise<string[]> {
  await tenant.pictor.state(run)
  const names = await readdir(outDir(tenant, run)).catch(() => [] as string[])
  return names.filter((name) => !name.endsWith('.part')).sort()
}

/** Bytes of a delivered frame. @throws not-found */
export async function frameOf(tenant: Tenant, run: Bytes32, name: string): Promise<{ body: Readable; bytes: number }> {
  if (!(await framesOf(tenant, run)).includes(name)) throw new PictorError('not-found', `${name} has not been delivered`)
  const path = join(outDir(tenant, run), name)
  return { body: createReadStream(path), bytes: (await stat(path)).size }
}

/** The receipt of a job that has ended, as JSON text. */
export async function receiptOf(tenant: Tenant, run: Bytes32): Promise<string> {
  return encodeReceipt(await tenant.pictor.receipt(run))
}

/** A job's events from `after` on, as server-sent events whose id is the cursor. */
export async function* eventLines(tenant: Tenant, run: Bytes32, after: number, signal: AbortSignal): AsyncGenerator<string> {
  const handle = await tenant.pictor.attach(run)
  for await (const event of handle.events(after, { signal }))
    yield `id: ${event.cursor}\nevent: ${event.type}\ndata: ${canonicalJson(event)}\n\n`
}

function scenePath(tenant: Tenant, name: string): string {
  if (!SCENE.test(name)) throw invalid('scene', 'a file name that ends in .blend', name)
  return join(tenant.folder, 'scenes', name)
}

const planPath = (tenant: Tenant, run: Bytes32): string => join(tenant.folder, 'scenes', `${run}.plan.json`)
const outDir = (tenant: Tenant, run: Bytes32): string => join(tenant.folder, 'frames', run)

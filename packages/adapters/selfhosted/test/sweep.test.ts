import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LeaseTicket, Task } from '@pictor/core/contract'
import { afterAll, describe, expect, test } from 'vitest'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import { commandInspector, selfHosted } from '../src/index.ts'
import type { CommandRenderer } from '../src/index.ts'
import { settingsOf } from '../src/settings.ts'
import { TaskStore } from '../src/tasks/store.ts'
import { sweep } from '../src/tasks/sweep.ts'
import { bytesOf, finish, stateOf, taskMaker, tempFolder } from './support.ts'

const DAY_MS = 86_400_000
const folder = tempFolder()
afterAll(folder.remove)

const program = fileURLToPath(new URL('tiny-renderer.mjs', import.meta.url))
const renderer: CommandRenderer = {
  software: 'tiny',
  version: '1.0',
  engines: ['TINY'],
  formats: ['PNG'],
  command: [process.execPath, program, '{scene}', '{output}', '{width}', '{height}', '{frame}', '{seed}'],
  read: [dirname(program)],
}

/** A farm in a folder of its own that keeps things for 30 days, and two scenes. `later` makes it anew so many days later. */
async function studio(name: string) {
  const dir = join(folder.path, name)
  mkdirSync(dir, { recursive: true })
  const files = folderArtifacts(join(dir, 'artifacts'))
  const output = { format: 'PNG', width: 32, height: 20, colorMode: 'RGB', bitDepth: 8 } as const
  const scene = async (color: readonly number[]) => {
    const path = join(dir, `scene-${color[0]}.json`)
    writeFileSync(path, JSON.stringify({ color }))
    const inspector = commandInspector({ renderer, frames: '1-3', output })
    const inspection = await inspector.inspect(path, {}, { key: 'look' })
    return { spec: inspection.spec, bundle: await inspector.bundle(inspection, files, { key: 'bundle' }) }
  }
  const workDir = join(dir, 'farm')
  const options = { id: 'tiny', workDir, renderers: [renderer], blender: '/nonexistent', keepMs: 30 * DAY_MS }
  const later = (days: number) => selfHosted({ ...options, now: () => Date.now() + days * DAY_MS })
  const has = (kind: 'scenes' | 'tasks', id: string) => readdirSync(join(workDir, kind)).includes(id)
  return { files, options, workDir, later, has, scenes: [await scene([10, 40, 90]), await scene([60, 20, 10])] as const }
}

describe('a farm that keeps things for thirty days', () => {
  test('removes old scenes and outputs, keeps what a held task needs, and takes a swept scene again', async () => {
    const { files, later, has, scenes } = await studio('months')
    const [done, held] = scenes
    const first = later(0)
    const render = (await taskMaker(first, files, done.bundle))({ spec: done.spec })
    const ref = await first.submit(render, { key: 'done' })
    const events = await finish(first, ref)
    const picture = await bytesOf(first, events, ref, 2)
    const waiting = (await taskMaker(first, files, held.bundle))({ spec: held.spec, work: { kind: 'frames', frames: [1] } })
    const heldRef = await first.submit(waiting, { key: 'held' })
    await first.set(heldRef, { desired: 'hold' }, { key: 'hold' })
    await first.close?.()

    const soon = later(29)
    await soon.poll({}, { key: 'open' })
    await soon.close?.()
    expect([has('scenes', done.bundle.root.slice(2)), has('tasks', ref.ref)]).toEqual([true, true])

    const month = later(31)
    await month.poll({}, { key: 'open' })
    await month.close?.() // waits for the sweep
    expect([has('scenes', done.bundle.root.slice(2)), has('tasks', ref.ref)]).toEqual([false, false])
    expect(has('scenes', held.bundle.root.slice(2))).toBe(true)

    const after = later(0)
    await after.poll({}, { key: 'open' })
    await expect(after.submit(render, { key: 'again' })).rejects.toMatchObject({ code: 'not-found' })
    await after.set(heldRef, { desired: 'run' }, { key: 'run' })
    const again = await after.submit((await taskMaker(after, files, done.bundle))({ spec: done.spec }), { key: 'again' })
    const more = await finish(after, again, heldRef)
    expect([stateOf(more, again), stateOf(more, heldRef)]).toEqual(['succeeded', 'succeeded'])
    expect(await bytesOf(after, more, again, 2)).toEqual(picture)
    await after.close?.()
  })

  test('keeps the outputs of a lease until its job’s money can go back', async () => {
    const { scenes, options, workDir } = await studio('leased')
    const settings = settingsOf(options)
    const store = new TaskStore('tiny', workDir)
    const now = Date.now()
    const ended = (key: string, refundAfterS?: number) => {
      const lease = { terms: { refundAfterS } } as unknown as LeaseTicket
      const task = { bundle: scenes[0].bundle, ...(refundAfterS === undefined ? {} : { lease }) } as unknown as Task
      const ref = { farm: 'tiny', ref: key }
      store.atomically(() => store.create(key, '', ref, task, now))
      store.atomically(() => store.setState(ref, 'succeeded', 'succeeded', now))
      mkdirSync(join(workDir, 'tasks', key), { recursive: true })
    }
    ended('free')
    ended('leased', now / 1000 + 90 * 86_400)
    const newest = store.lastSeq()
    const at = (days: number) => sweep({ ...settings, now: () => now + days * DAY_MS }, store, 30 * DAY_MS)
    const left = () => readdirSync(join(workDir, 'tasks'))
    await at(29)
    expect(left()).toEqual(['free', 'leased'])
    await at(119)
    expect(left()).toEqual(['leased'])
    await at(121)
    expect(left()).toEqual([])
    store.close()
    // A cursor that a runner has stays one after the events that it stands behind are gone.
    const reopened = new TaskStore('tiny', workDir)
    expect(reopened.lastSeq()).toBe(newest)
    reopened.close()
  })
})

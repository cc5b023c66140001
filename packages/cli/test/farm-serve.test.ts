import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blendInspector } from '@pictor/adapter-selfhosted'
import { folderArtifacts } from '@pictor/core'
import type { FarmEvent, FarmInfo, Task } from '@pictor/core/contract'
import { remoteFarm } from '@pictor/farm-protocol'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { blender, blenderReason, makeScene, pictor, startPictor, temporaryFolder, type Started } from './cli.ts'

if (!blender) console.log(`farm-serve.test.ts is skipped: ${blenderReason}`)

/** A day of a farm's operator. */
describe.skipIf(!blender)('pictor farm serve', () => {
  const folder = temporaryFolder()
  const ctx = { key: 'operator' }
  const running: Started[] = []
  const serve = async (...more: string[]) => {
    const args = ['farm', 'serve', '--json', '--devices', 'cpu', '--threads', '1', '--unsafe-no-sandbox', ...more]
    const started = startPictor(args, { cwd: folder.path })
    running.push(started)
    const { url } = JSON.parse(await started.seen(/"type":"serving"/)) as { url: string }
    return { ...started, url }
  }
  const refused = async (...more: string[]) => {
    const result = await pictor(['farm', 'serve', '--json', '--unsafe-no-sandbox', ...more], { cwd: folder.path })
    return result.objects.at(-1)
  }
  const tokenFile = join(folder.path, '.pictor', 'serve', 'this-machine', 'token')
  const farmAt = (url: string) => remoteFarm({ url, token: readFileSync(tokenFile, 'utf8').trim(), allowInsecure: true })
  const statesOf = (events: readonly FarmEvent[]) => events.flatMap((event) => (event.type === 'state' ? [event.state] : []))

  beforeAll(() => makeScene(join(folder.path, 'slow.blend'), 's.cycles.samples = 400'), 60_000)
  afterEach(async () => {
    for (const one of running.splice(0)) {
      one.kill('SIGKILL')
      await one.finished
    }
  })
  afterAll(() => folder.remove())

  it('refuses a folder and a port that another one has, and a machine without Blender', async () => {
    const { url } = await serve()
    expect(await refused()).toMatchObject({ type: 'error', code: 'conflict' })
    const { port } = new URL(url)
    expect(await refused('--id', 'other', '--port', port)).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`port ${port}: another program has it`) as string,
    })
    expect(await refused('--id', 'third', '--blender', '/nowhere/blender')).toMatchObject({
      code: 'software-missing',
      message: expect.stringContaining('/nowhere/blender') as string,
    })
  })

  it('keeps its token, goes on after kill -9 by itself, and is emptied before an update by SIGUSR2', async () => {
    const first = await serve()
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600)
    expect(statSync(join(dirname(tokenFile), 'keys.json')).mode & 0o777).toBe(0o600)
    const token = readFileSync(tokenFile, 'utf8')
    const inspector = blendInspector()
    const artifacts = folderArtifacts(join(folder.path, 'artifacts'))
    const found = await inspector.inspect(join(folder.path, 'slow.blend'), {}, ctx)
    const bundle = await inspector.bundle(found, artifacts, ctx)
    const before = farmAt(first.url)
    const stage = await before.stage(bundle, artifacts, ctx)
    const task = (id: number): Task => ({
      contract: 1,
      run: `0x${'1'.repeat(64)}`,
      id,
      attempt: 1,
      purpose: 'render',
      bundle,
      stage,
      spec: found.spec,
      work: { kind: 'frames', frames: [1, 2, 3, 4] },
    })
    const ref = await before.submit(task(1), { key: 'task-1' })
    first.kill('SIGKILL')
    await first.finished

    // Nobody asks it anything: it takes the task up at its start.
    const second = await serve()
    expect(readFileSync(tokenFile, 'utf8')).toBe(token)
    const after = farmAt(second.url)
    const busy = (info: FarmInfo) => info.ext?.['tasks']
    expect(busy(await after.describe(ctx))).toEqual({ running: 1, queued: 0 })
    const watch = readFileSync(join(dirname(tokenFile), 'metrics-token'), 'utf8').trim()
    const metrics = await fetch(`${second.url}/v1/metrics`, { headers: { authorization: `Bearer ${watch}` } })
    expect(await metrics.text()).toContain('pictor_farm_tasks{state="running"} 1')
    second.kill('SIGUSR2')
    await second.seen(/"type":"draining"/)
    await expect(after.submit(task(2), { key: 'task-2' })).rejects.toMatchObject({
      code: 'farm-refused',
      message: expect.stringContaining('maintenance') as string,
    })
    expect((await after.submit(task(1), { key: 'task-1' })).ref, 'what it has is still found').toBe(ref.ref)
    expect((await second.finished).code).toBe(0)

    const third = await serve()
    const { events } = await farmAt(third.url).poll({}, ctx)
    expect(statesOf(events)).toEqual(['succeeded'])
    expect(events.filter((event) => event.type === 'output').map((event) => event.output.frame)).toEqual([1, 2, 3, 4])
    third.kill('SIGTERM')
    const ended = await third.finished
    expect(ended.code).toBe(0)
  })
})

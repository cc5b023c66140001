import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Farm, FarmEvent, Output } from '@pictor/core/contract'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { selfHosted } from '../src/index.ts'
import { workingSandbox } from '../src/sandbox/bubblewrap.ts'
import { bundleOf, finish, stateOf, taskMaker, tempFolder, TINY } from './support.ts'

const sandbox = await workingSandbox()
if (!sandbox) console.log('skipped: bubblewrap does not work here, a hostile renderer is tested without it only')

const temp = tempFolder()
const farms: Farm[] = []
afterEach(async () => {
  for (const farm of farms.splice(0)) await farm.close?.()
})
afterAll(temp.remove)

// As long as the pictures of the hostile renderer, and named like one.
const KEY = 'PRIVATE KEY '.padEnd(4000, 'k')
const secret = join(temp.path, 'home', 'frame_0001.png')
mkdirSync(join(temp.path, 'home'))
writeFileSync(secret, KEY)
writeFileSync(join(temp.path, 'plain.blend'), 'BLENDER-v304RENDH')

/** Renders with a renderer that does one thing over and over, and reads everything that the farm hands out afterwards. */
async function rendered(deed: string, trust: 'own' | 'foreign', frames: readonly number[]) {
  const farm = selfHosted({
    id: 'box',
    workDir: join(temp.path, `${deed}-${trust}`),
    blender: new URL('hostile-renderer.py', import.meta.url).pathname,
    environment: { HOSTILE_DEED: deed, HOSTILE_SECRET: secret },
    threadsPerSlot: 1,
    trust,
  })
  farms.push(farm)
  const { files, bundle } = await bundleOf(temp.path, 'plain.blend')
  const task = await taskMaker(farm, files, bundle)
  const ref = await farm.submit(task({ spec: TINY, work: { kind: 'frames', frames } }), { key: deed })
  const events = await finish(farm, ref)
  const outputs = events.flatMap((event: FarmEvent): Output[] => (event.type === 'output' ? [event.output] : []))
  const handed: string[] = []
  for (const output of outputs) {
    const body = await farm.open(output, { offset: 0 }, { key: 'open' })
    if (!('stream' in body)) continue
    const chunks: Uint8Array[] = []
    for await (const chunk of body.stream) chunks.push(chunk)
    handed.push(Buffer.concat(chunks).toString('latin1'))
  }
  return { state: stateOf(events, ref), events, handed }
}

describe.each(sandbox ? (['own', 'foreign'] as const) : (['own'] as const))(
  'a renderer that a scene has taken over (trust: %s)',
  (trust) => {
    it.each(['link', 'pipe', 'folder'])('cannot deliver a %s instead of a picture', async (deed) => {
      const { state, events, handed } = await rendered(deed, trust, [1])
      expect(state).toBe('failed')
      expect(events.find((event) => event.type === 'frame-failed')).toMatchObject({ failure: { class: 'bad-output' } })
      expect(handed).toEqual([])
    })

    it('cannot swap a checked picture for a link to a key', async () => {
      const frames = Array.from({ length: 25 }, (_, i) => i + 1)
      const { handed } = await rendered('swap', trust, frames)
      expect(handed.length).toBeGreaterThan(0)
      expect(handed.filter((bytes) => bytes.includes('PRIVATE KEY'))).toEqual([])
    })

    it('cannot lead the farm to a file of the same name in another folder', async () => {
      const { handed } = await rendered('swap-folder', trust, [1])
      expect(handed.filter((bytes) => bytes.includes('PRIVATE KEY'))).toEqual([])
    })

    it('cannot fill the memory of the farm with a line that never ends', async () => {
      const before = process.memoryUsage().rss
      const { state } = await rendered('flood', trust, [1])
      expect(state).toBe('succeeded')
      expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(300)
    })
  },
)

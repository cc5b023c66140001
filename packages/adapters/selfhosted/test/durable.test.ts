import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test, vi } from 'vitest'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import { commandInspector, selfHosted } from '../src/index.ts'
import type { CommandRenderer } from '../src/index.ts'
import { TaskStore } from '../src/tasks/store.ts'
import { finish, stateOf, taskMaker, tempFolder } from './support.ts'

/** What the disk was asked for, in the order in which it had done it. */
const done = vi.hoisted((): string[] => [])

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const open: typeof real.open = async (path, ...rest) => {
    const handle = await real.open(path, ...rest)
    const told = (what: 'sync' | 'datasync') => {
      const call = handle[what].bind(handle)
      handle[what] = async () => {
        await call()
        done.push(`${what} ${basename(String(path))}`)
      }
    }
    told('sync')
    told('datasync')
    return handle
  }
  const rename: typeof real.rename = async (from, to) => {
    await real.rename(from, to)
    done.push(`rename ${basename(String(to))}`)
  }
  return { ...real, open, rename }
})

const folder = tempFolder()
afterAll(() => {
  vi.restoreAllMocks()
  folder.remove()
})

test('a frame and its name are on the disk before the farm has it in its books', async () => {
  const program = fileURLToPath(new URL('tiny-renderer.mjs', import.meta.url))
  const renderer: CommandRenderer = {
    software: 'tiny',
    version: '1.0',
    engines: ['TINY'],
    formats: ['PNG'],
    command: [process.execPath, program, '{scene}', '{output}', '{width}', '{height}', '{frame}', '{seed}'],
    read: [dirname(program)],
  }
  const addOutput = TaskStore.prototype.addOutput
  vi.spyOn(TaskStore.prototype, 'addOutput').mockImplementation(function (this: TaskStore, output, atMs) {
    done.push(`record ${output.name}`)
    addOutput.call(this, output, atMs)
  })
  mkdirSync(folder.path, { recursive: true })
  writeFileSync(join(folder.path, 'shot.json'), JSON.stringify({ color: [10, 40, 90] }))
  const files = folderArtifacts(join(folder.path, 'artifacts'))
  const output = { format: 'PNG', width: 32, height: 20, colorMode: 'RGB', bitDepth: 8 } as const
  const inspector = commandInspector({ renderer, frames: '1-3', output })
  const inspection = await inspector.inspect(join(folder.path, 'shot.json'), {}, { key: 'look' })
  const bundle = await inspector.bundle(inspection, files, { key: 'bundle' })
  const farm = selfHosted({ id: 'tiny', workDir: join(folder.path, 'farm'), renderers: [renderer], blender: '/nonexistent' })
  const make = await taskMaker(farm, files, bundle)
  const ref = await farm.submit(make({ spec: inspection.spec }), { key: 'job' })
  expect(stateOf(await finish(farm, ref), ref)).toBe('succeeded')
  await farm.close?.()

  const from = done.indexOf('rename .frame_0001.png') // out of the renderer's folder
  expect(done.slice(0, from)).toEqual(expect.arrayContaining(['sync tasks', 'sync farm']))
  expect(done.slice(from)).toEqual(
    ['frame_0001.png', 'frame_0002.png', 'frame_0003.png'].flatMap((name) => [
      `rename .${name}`,
      `datasync .${name}`,
      `rename ${name}`,
      `sync ${ref.ref}`,
      `record ${name}`,
    ]),
  )
})

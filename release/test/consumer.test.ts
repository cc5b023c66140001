import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installPacked, link, plainEnvironment } from '../install.ts'
import { manifestOf, packageFolders, REPOSITORY } from '../pack.ts'
import { errorsOf } from './check-types.ts'

const run = promisify(execFile)
const manifests = packageFolders().map((folder) => manifestOf(folder))
/** Every module that may be imported, such as `@pictor/core/proof`. */
const modules = manifests.flatMap(({ name, exports = {} }) =>
  Object.keys(exports)
    .filter((path) => !path.endsWith('.json'))
    .map((path) => name + path.slice(1)),
)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pictor-consumer-'))
  await installPacked(
    folder,
    manifests.map(({ name }) => name),
  )
  await writeFile(join(folder, 'package.json'), '{ "type": "module", "private": true }')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Plain `node` in the consumer's folder. */
const node = (...args: readonly string[]) => run(process.execPath, [...args], { cwd: folder, env: plainEnvironment() })

describe('packages as they are published, in a folder of their own', () => {
  it('load with plain node, and loading them does nothing', async () => {
    expect(modules.length).toBeGreaterThan(15)
    const script = `
      const environment = JSON.stringify(process.env)
      const names = {}
      for (const name of ${JSON.stringify(modules)}) names[name] = Object.keys(await import(name)).length
      // Streams to the parent may open at any time; timers, threads, sockets and children are what a library must not start.
      const busy = process.getActiveResourcesInfo().filter((one) => !/^(PipeWrap|TTYWrap)$/.test(one))
      console.log(JSON.stringify({ names, busy, untouched: environment === JSON.stringify(process.env) }))`
    const { stdout, stderr } = await node('--input-type=module', '-e', script)
    const { names, busy, untouched } = JSON.parse(stdout) as { names: Record<string, number>; busy: string[]; untouched: boolean }
    expect(Object.entries(names).filter(([, count]) => count === 0)).toEqual([])
    expect([busy, untouched, stderr]).toEqual([[], true, ''])
  })
  it('can be required', async () => {
    const { stdout } = await node('--input-type=commonjs', '-e', "console.log(typeof require('@pictor/core').createPictor)")
    expect(stdout.trim()).toBe('function')
  })
  it('still load when a project sets the condition that we use for sources', async () => {
    const { stdout } = await node(
      '--conditions=source',
      '--input-type=module',
      '-e',
      "console.log(typeof (await import('@pictor/core')).usd)",
    )
    expect(stdout.trim()).toBe('function')
  })
  it('give the command `pictor`', async () => {
    const { stdout } = await node('node_modules/.bin/pictor', '--help')
    for (const verb of ['render', 'plan', 'farms', 'verify', 'adapter']) expect(stdout).toContain(verb)
    expect((await node('node_modules/.bin/pictor', '--version')).stdout.trim()).toBe(
      manifests.find(({ name }) => name === '@pictor/cli')!.version,
    )
  })
  it('give the command `create-pictor-adapter`', async () => {
    expect((await node('node_modules/.bin/create-pictor-adapter', '--help')).stdout).toContain('npm create pictor-adapter')
  })
})

const CONSUMER = `
import { createPictor, isPictorError, usd, type Farm, type Money } from '@pictor/core'
import { farmConformance } from '@pictor/core/conformance'
import { simulatedFarm } from '@pictor/core/simulate'
import { verifyReceipt } from '@pictor/core/proof'
import { solveRoute } from '@pictor/core/route'
import { remoteFarm } from '@pictor/farm-protocol'
import { operatorFarm } from '@pictor/farm-protocol/operator'
${manifests.map(({ name }, i) => `import * as all${i} from '${name}'`).join('\n')}
export const everything = [${manifests.map((_, i) => `all${i}`).join(', ')}, farmConformance, simulatedFarm, verifyReceipt, solveRoute, operatorFarm]
const farm: Farm = remoteFarm({ url: 'https://farm.example', token: 'x' })
export const money: Money = usd('40')
export const id: string = farm.id
export const found: boolean = isPictorError(new Error('x'), 'not-found')
export const made: (options: Parameters<typeof createPictor>[0]) => unknown = createPictor
// @ts-expect-error money has no floats
usd(40.5)
`

describe('the types of published packages', () => {
  it.each([
    ['nodenext', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
    ['bundler', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
  ])('check in a consumer with moduleResolution %s, declarations of ours included', async (name, module, moduleResolution) => {
    const file = join(folder, `consumer-${name}.ts`)
    await writeFile(file, CONSUMER)
    await link(join(REPOSITORY, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
    expect(errorsOf(folder, [file], { module, moduleResolution })).toEqual([])
  })
})

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { beforeAll, describe, expect, it } from 'vitest'
import { manifestOf, packAll, packageFolders, REPOSITORY, type PackedPackage } from '../pack.ts'

/** Largest minified size of an adapter, bytes, without its dependencies (Flamenco's, a whole API adapter, has 5 kB). */
const ADAPTER_BYTES = 15_000
/** Ways to resolve that ESM-only packages leave to `require()` of ESM (Node 22) or do not support. */
const NOT_ESM = ['node10', 'node16-cjs']

let packed: readonly PackedPackage[]
beforeAll(async () => {
  packed = await packAll()
})

const names = packageFolders().map((folder) => manifestOf(folder).name)
const tarballOf = (name: string) => packed.find((one) => one.name === name)!.tarball

describe.each(names)('the tarball of %s', (name) => {
  it('has a README, the licence, sources for its maps, and nothing that was not meant to leave', () => {
    const files = execFileSync('tar', ['-tzf', tarballOf(name)], { encoding: 'utf8' })
      .trim()
      .split('\n')
    expect(files).toEqual(expect.arrayContaining(['package/README.md', 'package/LICENSE', 'package/src/index.ts']))
    expect(files.filter((file) => /^package\/(test|node_modules|cache|forge-out)\//.test(file))).toEqual([])
    const all = execFileSync('tar', ['-xzOf', tarballOf(name)], { maxBuffer: 2 ** 26 }).toString('latin1')
    expect(all).not.toMatch(/workspace:|catalog:|"source": "\.\/src/)
    expect(all).not.toContain(process.cwd())
  })
  it('passes publint --strict', async () => {
    const bytes = readFileSync(tarballOf(name))
    const { messages, pkg } = await publint({
      pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
      strict: true,
    })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })
  it('has types that resolve everywhere (attw, profile esm-only)', async () => {
    const result = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarballOf(name)))))
    expect(result.types).toMatchObject({ kind: 'included' })
    const problems = 'problems' in result ? result.problems : []
    expect(problems.filter((one) => !('resolutionKind' in one && NOT_ESM.includes(one.resolutionKind)))).toEqual([])
  })
})

/** Adapters of farms that are not one's own, with the file that they begin in. */
const ADAPTERS: readonly (readonly [string, string])[] = [
  ['packages/adapters/garagefarm', 'src/index.ts'],
  ['packages/adapters/rebusfarm', 'src/index.ts'],
  ['examples/farm-adapter', 'src/flamenco-farm.ts'],
]

describe.each(ADAPTERS)('the adapter %s', (folder, entry) => {
  it('is small and needs nothing beyond core, farm-protocol and image', async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [join(REPOSITORY, folder, entry)],
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      external: ['@pictor/*'],
    })
    const bytes = outputFiles[0]!.contents.byteLength
    console.log(`${folder}: ${bytes} bytes minified`)
    expect(bytes).toBeLessThan(ADAPTER_BYTES)
    expect(Object.keys(metafile.inputs).filter((path) => path.includes('node_modules'))).toEqual([])
    const dependencies = Object.keys(manifestOf(join(REPOSITORY, folder)).dependencies ?? {})
    expect(dependencies.filter((name) => !/^@pictor\/(core|farm-protocol|image)$/.test(name))).toEqual([])
  })
})

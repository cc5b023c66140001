import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { globSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installPacked, link } from '../install.ts'
import { manifestOf, packageFolders, REPOSITORY } from '../pack.ts'
import { errorsOf } from './check-types.ts'

/** Names that stand in examples for what a reader has: keys, tokens, a farm. Everything else an example uses it must import or make. */
const GIVEN = `
import type { Artifacts, CallContext, DigestSigner, Farm, Output } from '@pictor/core'
import type { FarmConformanceOptions } from '@pictor/core/conformance'
declare global {
  const keys: readonly [\`0x\${string}\`, \`0x\${string}\`, \`0x\${string}\`]
  const signer: DigestSigner, farmKey: DigestSigner, checkerKey: DigestSigner, creatorKey: DigestSigner
  const farm: Farm, studio: Farm, files: Artifacts, ctx: CallContext
  const url: string, token: string, text: string, job: object, offset: number, bytes: Uint8Array, output: Output
  const trustedBlockHash: \`0x\${string}\`, trustedEscrow: \`0x\${string}\`
  const supports: FarmConformanceOptions['supports'], make: FarmConformanceOptions['make']
}
`

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'UPGRADING.md',
  'release/README.md',
  ...packageFolders().map((folder) => `${folder.slice(REPOSITORY.length)}/README.md`),
  ...globSync(['docs/*.md', 'docs/guides/*.md', 'examples/*/README.md'], { cwd: REPOSITORY }),
].sort()

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pictor-documents-'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'given.ts'), GIVEN)
  await installPacked(
    folder,
    packageFolders().map((one) => manifestOf(one).name),
  )
  await link(join(REPOSITORY, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
  await link(join(REPOSITORY, 'packages/chain/node_modules/ethers'), join(folder, 'node_modules/ethers'))
  // An example is no published package: its README imports it from where it stands.
  await link(join(REPOSITORY, 'examples/cloud'), join(folder, 'node_modules/@pictor/example-cloud'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Programs of a document: TypeScript blocks that import what they use. One that imports nothing, or is fenced `ts sketch`, is no whole program. */
async function examplesOf(document: string): Promise<string[]> {
  const text = await readFile(join(REPOSITORY, document), 'utf8')
  return [...text.matchAll(/^```(?:ts|js)\n([\s\S]*?)^```/gm)].map((block) => block[1]!).filter((code) => /^import /m.test(code))
}

describe('examples in documents', () => {
  it('type-check against the packages as they are published', async () => {
    const sources: string[] = [join(folder, 'given.ts')]
    for (const document of documents)
      for (const [i, example] of (await examplesOf(document)).entries()) {
        const file = join(folder, `${document.replaceAll('/', '-')}-${i + 1}.ts`)
        await writeFile(file, `${example}\nexport {}\n`)
        sources.push(file)
      }
    expect(sources.length).toBeGreaterThan(12)
    expect(errorsOf(folder, sources, { skipLibCheck: true, allowImportingTsExtensions: true })).toEqual([])
  })
  it.each(documents)('links of %s lead somewhere', async (document) => {
    const text = await readFile(join(REPOSITORY, document), 'utf8')
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => match[1]!)
    const base = join(REPOSITORY, document, '..')
    const dead = []
    for (const target of links) if (globSync(join(base, target)).length === 0) dead.push(target)
    expect(dead).toEqual([])
  })
})

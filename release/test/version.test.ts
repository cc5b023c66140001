import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { manifestOf, packageFolders, REPOSITORY, type Manifest } from '../pack.ts'

it('the template of create-pictor-adapter asks for the versions that are published with it (pnpm run version)', () => {
  const template = JSON.parse(
    readFileSync(join(REPOSITORY, 'packages/create-adapter/template/_package.json'), 'utf8'),
  ) as Manifest
  const versions = new Map(packageFolders().map((folder) => [manifestOf(folder).name, manifestOf(folder).version]))
  const own = Object.entries(template.dependencies ?? {}).filter(([name]) => versions.has(name))
  expect(own.length).toBeGreaterThan(1)
  for (const [name, range] of own) expect(range, name).toBe(`^${versions.get(name)}`)
})

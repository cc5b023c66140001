// The reference: every entry point that a package exports. `pnpm run docs` writes it to docs/api.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const entryPoints = globSync(['packages/*/package.json', 'packages/adapters/*/package.json']).flatMap((manifest) =>
  Object.values(JSON.parse(readFileSync(manifest, 'utf8')).exports)
    .filter((target) => typeof target === 'object')
    .map(({ source }) => join(dirname(manifest), source)),
)

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'Pictor',
  entryPoints: entryPoints.sort(),
  tsconfig: 'tsconfig.json',
  out: 'docs/api',
  readme: 'README.md',
  treatWarningsAsErrors: true,
  excludeExternals: true,
  sourceLinkTemplate: '../../{path}',
  skipErrorChecking: true,
}

import { readFileSync } from 'node:fs'
import type { Options } from 'tsup'
import { writeDeclarations } from './release/declarations.ts'

// removeNodeProtocol would turn node:sqlite into sqlite, which does not exist. Sources travel in the package, so that maps need not repeat them.
export const base: Options = {
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'node22',
  platform: 'node',
  sourcemap: true,
  clean: true,
  removeNodeProtocol: false,
  silent: true,
  esbuildOptions(options) {
    options.sourcesContent = false
  },
  esbuildPlugins: [
    {
      // An adapter says its own name and version; the rest of its manifest is nobody's business at run time.
      name: 'manifest',
      setup: (build) =>
        build.onLoad({ filter: /\/package\.json$/ }, ({ path }) => {
          const { name, version } = JSON.parse(readFileSync(path, 'utf8')) as { name: string; version: string }
          return { loader: 'json', contents: JSON.stringify({ name, version }) }
        }),
    },
  ],
  onSuccess: () => writeDeclarations(process.cwd()),
}

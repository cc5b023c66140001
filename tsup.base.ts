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
  onSuccess: () => writeDeclarations(process.cwd()),
}

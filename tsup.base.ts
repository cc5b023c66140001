import type { Options } from 'tsup'

// removeNodeProtocol would turn node:sqlite into sqlite, which does not exist.
export const base: Options = {
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'node22',
  platform: 'node',
  dts: true,
  sourcemap: true,
  clean: true,
  treeshake: true,
  removeNodeProtocol: false,
}

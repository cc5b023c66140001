import { defineConfig } from 'tsup'
import { base } from '../../tsup.base.ts'

export default defineConfig({
  ...base,
  entry: [
    'src/index.ts',
    'src/contract/index.ts',
    'src/proof/index.ts',
    'src/sealing/index.ts',
    'src/route/index.ts',
    'src/conformance/index.ts',
    'src/simulate/index.ts',
  ],
})

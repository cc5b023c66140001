// Writes openapi.json from the table that the server serves: node --conditions=source packages/protocol/scripts/write-openapi.ts
import { writeFileSync } from 'node:fs'
import { farmProtocolDocument } from '../src/document.ts'

writeFileSync(new URL('../openapi.json', import.meta.url), `${JSON.stringify(farmProtocolDocument(), undefined, 2)}\n`)

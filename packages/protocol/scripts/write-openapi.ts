// Writes openapi.json and openapi-checker.json from the tables that the servers serve: node --conditions=source packages/protocol/scripts/write-openapi.ts
import { writeFileSync } from 'node:fs'
import { checkerProtocolDocument } from '../src/checker/document.ts'
import { farmProtocolDocument } from '../src/document.ts'

const documents = { 'openapi.json': farmProtocolDocument(), 'openapi-checker.json': checkerProtocolDocument() }
for (const [name, document] of Object.entries(documents))
  writeFileSync(new URL(`../${name}`, import.meta.url), `${JSON.stringify(document, undefined, 2)}\n`)

// Writes the declarations of the contract as they are now to frozen/: node packages/core/test/contract/freeze.ts (docs/decisions/0003-contract-freeze.md)
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import ts from 'typescript'

const source = new URL('../../src/contract/', import.meta.url)
const target = new URL('frozen/', import.meta.url)
for (const name of readdirSync(source)) {
  const compilerOptions: ts.CompilerOptions = { isolatedDeclarations: true, declaration: true, removeComments: true }
  const text = readFileSync(new URL(name, source), 'utf8')
  const declarations = ts.transpileDeclaration(text, { fileName: name, compilerOptions }).outputText
  const relinked = declarations.replaceAll(/(from\s+['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2').replace(/^export \{\};?\n/m, '')
  writeFileSync(new URL(name.replace(/\.ts$/, '.d.ts'), target), relinked)
}

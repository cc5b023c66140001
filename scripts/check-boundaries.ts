// Checks the dependency rules of docs/decisions/0001-layout.md: which folders may import node: modules, which packages may import each other, and no
// default exports, enums or process.env where they are forbidden. Prints each violation as file:line and exits 1.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const problems: string[] = []

function* sources(dir: string): Generator<string> {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    if (name === 'node_modules' || name === 'dist' || name === 'template') continue
    if (statSync(path).isDirectory()) yield* sources(path)
    else if (path.endsWith('.ts')) yield path
  }
}

const IMPORT =
  /^\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/
const NODE_FREE = /^packages\/core\/src\/(contract|proof|route|job)\//
const IMAGE_MAY = ['node:zlib', 'node:crypto', 'node:worker_threads']
const COMPOSERS = /^(packages\/cli|packages\/create-adapter|examples|scripts|bench|campaign)\//
const LIBRARIES = ['@pictor/core', '@pictor/farm-protocol', '@pictor/image']

function packageOf(path: string): string {
  return path.replace(/^(packages\/adapters\/[^/]+|packages\/[^/]+|examples\/[^/]+).*/, '$1')
}

function checkImport(file: string, line: number, target: string): void {
  const say = (rule: string) => problems.push(`${file}:${line} imports ${target}: ${rule}`)
  if (NODE_FREE.test(file) && target.startsWith('node:')) say('contract, proof, route and job run in a browser')
  if (file.startsWith('packages/core/src/contract/') && !target.startsWith('./')) say('contract has no dependency')
  // The worker thread of scanFiles opens the files that it is given by path; nothing else in the package touches the disk.
  const opensFiles = file === 'packages/image/src/scan-worker.ts' && target === 'node:fs/promises'
  if (file.startsWith('packages/image/src/') && !target.startsWith('.') && !IMAGE_MAY.includes(target) && !opensFiles)
    say(`image may import only ${IMAGE_MAY.join(', ')}`)
  if (file.startsWith('packages/core/src/job/') && /\.\.\/(route|run|store|ledger)\b/.test(target))
    say('the machine knows no router, runner, store or ledger')
  if (file.startsWith('packages/core/src/route/') && /\.\.\/job\b/.test(target)) say('the router knows no machine')
  if (file.startsWith('packages/core/src/') && target.startsWith('@pictor/')) say('core imports no Pictor package')
  if (target.startsWith('@pictor/') && !COMPOSERS.test(file) && !LIBRARIES.includes(target.split('/').slice(0, 2).join('/')))
    say('packages import core, farm-protocol and image only; apps compose the rest')
  if (
    target.startsWith('.') &&
    packageOf(relative(root, join(root, file, '..', target))) !== packageOf(file) &&
    file.startsWith('packages/')
  )
    say('import another package by its name')
}

function checkLine(file: string, line: number, text: string): void {
  const match = IMPORT.exec(text)
  const target = match?.[1] ?? match?.[2] ?? match?.[3]
  if (target) checkImport(file, line, target)
  if (/\bprocess\.env\b/.test(text) && !COMPOSERS.test(file)) problems.push(`${file}:${line} reads process.env: only apps do`)
}

for (const folder of ['packages', 'examples'].map((name) => join(root, name)))
  for (const path of sources(folder)) {
    const file = relative(root, path)
    if (!/\/src\//.test(file)) continue
    // Imports of several lines are joined, so that each is seen with its target.
    const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    const joined = text.replace(/(import|export)\s+(?:type\s+)?\{[^}]*\}\s*from/g, (head) => head.replace(/\n/g, ' '))
    joined.split('\n').forEach((content, i) => checkLine(file, i + 1, content.replace(/\/\/.*$/, '')))
  }
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
console.log('boundaries hold')

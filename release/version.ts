// `pnpm run version`: takes the changesets into versions and CHANGELOG.md of every package, then writes the new ranges where no package manager looks.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { manifestOf, REPOSITORY } from './pack.ts'

execFileSync('pnpm', ['exec', 'changeset', 'version'], { cwd: REPOSITORY, stdio: 'inherit' })
const template = join(REPOSITORY, 'packages/create-adapter/template/_package.json')
let text = readFileSync(template, 'utf8')
for (const folder of ['core', 'protocol']) {
  const { name, version } = manifestOf(join(REPOSITORY, 'packages', folder))
  text = text.replace(new RegExp(`("${name}": )"[^"]*"`), `$1"^${version}"`)
}
writeFileSync(template, text)

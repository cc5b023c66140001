import { execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify, stripVTControlCharacters } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAdapter, CreateAdapterError, wordsOf } from '../src/index.ts'
import { installPacked, link, plainEnvironment } from '../../../release/install.ts'
import { REPOSITORY } from '../../../release/pack.ts'

const run = promisify(execFile)
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const GUIDE = fileURLToPath(new URL('../../../docs/guides/publish-your-farm.md', import.meta.url))

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pictor-create-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('wordsOf', () => {
  it.each([
    ['pictor-adapter-acme', 'acme', 'acmeFarm', 'Acme'],
    ['@acme/pictor-adapter', 'acme', 'acmeFarm', 'Acme'],
    ['pictor-adapter-big-render-farm', 'big-render-farm', 'bigRenderFarm', 'Big Render Farm'],
    ['3d-hub', '3d-hub', 'farm3dHubFarm', '3d Hub'],
    ['pictor-adapter', 'my', 'myFarm', 'My'],
  ])('%s', (name, id, fn, title) => {
    expect(wordsOf({ name })).toEqual({ __PACKAGE__: name, __ID__: id, __FUNCTION__: fn, __TITLE__: title })
  })
  it.each(['', 'Acme', '../x', 'a b', '@acme', 'x'.repeat(215)])('refuses the package name %j', (name) => {
    expect(() => wordsOf({ name })).toThrow(CreateAdapterError)
  })
  it.each(['', "it's", 'a`b', '${x}', 'x'.repeat(81)])('refuses the title %j', (title) => {
    expect(() => wordsOf({ name: 'acme', title })).toThrow(CreateAdapterError)
  })
})

describe('createAdapter', () => {
  it('never writes into a folder that holds something', async () => {
    const folder = await mkdtemp(join(root, 'full-'))
    await writeFile(join(folder, 'mine.txt'), 'x')
    await expect(createAdapter({ name: 'acme', folder })).rejects.toThrow(/folder: expected an empty folder/)
  })
  it('leaves no placeholder behind, and an adapter of less than 150 lines', async () => {
    const { folder, files } = await createAdapter({
      name: 'pictor-adapter-acme',
      title: 'Acme Render',
      folder: join(root, 'plain'),
    })
    expect(files).toContain('package.json')
    expect(files).toContain('.gitignore')
    for (const file of files) expect(await readFile(join(folder, file), 'utf8'), file).not.toMatch(/__[A-Z]+__/)
    expect((await readFile(join(folder, 'src', 'farm.ts'), 'utf8')).split('\n').length).toBeLessThan(150)
  })
  it('says what is wrong on one line at the command line', async () => {
    const failed = await run(process.execPath, [MAIN, 'Not A Name']).catch((error: { code: number; stderr: string }) => error)
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^name: expected an npm package name/) as string })
    const unknown = await run(process.execPath, [MAIN, 'acme', '--colour', 'red']).catch(
      (error: { code: number; stderr: string }) => error,
    )
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Unknown option/) as string })
  })
})

const terminal = spawnSync('script', ['--version']).status === 0
if (!terminal) console.log('the questions are not asked: `script` (util-linux) is not installed')

describe.skipIf(!terminal)('at a terminal, without arguments', () => {
  it('asks until the answers can be used, and Enter takes what it shows', async () => {
    const cwd = await mkdtemp(join(root, 'asked-'))
    const child = spawn('script', ['-qec', `${process.execPath} ${MAIN}`, '/dev/null'], { cwd, env: plainEnvironment() })
    let seen = ''
    const answers: [RegExp, string][] = [
      [/Package name[^\n]*: $/, 'Not A Name\n'],
      [/expected an npm package name[^]*Package name[^\n]*: $/, 'pictor-adapter-big-render\n'],
      [/for people \(Big Render\): $/, '\n'],
    ]
    child.stdout.on('data', (chunk: Buffer) => {
      seen += stripVTControlCharacters(chunk.toString()).replaceAll('\r', '')
      if (answers[0]?.[0].test(seen)) child.stdin.write(answers.shift()![1])
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect([code, answers], seen).toEqual([0, []])
    expect(await readFile(join(cwd, 'pictor-adapter-big-render/src/farm.ts'), 'utf8')).toContain("name: 'Big Render'")
  })
})

/** Commands of the guide: the lines of its `sh` blocks. */
async function guideCommands(): Promise<string[]> {
  const guide = await readFile(GUIDE, 'utf8')
  return [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) => block[1]!.trim().split('\n'))
}

describe('the guide "Publish your farm"', () => {
  it('takes one from nothing to a package: every command in it works with the packages as they are published', async () => {
    const home = join(root, 'guide')
    const folder = join(home, 'pictor-adapter-acme')
    await installPacked(home, ['create-pictor-adapter'])
    const startMs = Date.now()
    const seen: string[] = []
    let cwd = home
    for (const command of await guideCommands()) {
      seen.push(command)
      if (command.startsWith('cd ')) cwd = join(cwd, command.slice(3))
      else if (command === 'npm install') await installDependencies(folder)
      else {
        // npm create fetches the package and runs its command; here it is installed already.
        const local = command.replace(/^npm create pictor-adapter (\S+) --/, 'node node_modules/.bin/create-pictor-adapter $1')
        const { stdout } = await run('sh', ['-c', local], { cwd, env: cleanEnvironment(), maxBuffer: 2 ** 24 })
        if (command === 'npm test') {
          expect(stdout).toMatch(/fail 0/)
          expect(Number(/pass (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(50)
          console.log(`scaffold to green conformance: ${Date.now() - startMs} ms`)
        }
        if (command === 'npm pack --dry-run') await expectPublishable(folder)
      }
    }
    expect(seen).toEqual(expect.arrayContaining(['npm test', 'npm run lint', 'npm run build', 'npm publish --dry-run']))
  }, 300_000)
})

/** `npm install` without a network: our packages from their tarballs, tools from this repository. */
async function installDependencies(folder: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<string, Record<string, string>>
  await installPacked(folder, Object.keys(manifest.dependencies!))
  for (const name of Object.keys(manifest.devDependencies!))
    await link(join(REPOSITORY, 'node_modules', name), join(folder, 'node_modules', name))
  for (const name of ['tsc', 'oxlint'])
    await link(join(REPOSITORY, 'node_modules/.bin', name), join(folder, 'node_modules/.bin', name))
}

/** A stranger's package must keep the rules that ours keep. */
async function expectPublishable(folder: string): Promise<void> {
  await run('pnpm', ['pack', '--pack-destination', folder], { cwd: folder, env: cleanEnvironment() })
  const tarball = new Uint8Array(await readFile(join(folder, 'pictor-adapter-acme-0.1.0.tgz')))
  const types = await checkPackage(createPackageFromTarballData(tarball))
  const wrong =
    'problems' in types
      ? types.problems.filter(
          (one) => !('resolutionKind' in one && one.resolutionKind !== 'node16-esm' && one.resolutionKind !== 'bundler'),
        )
      : ['no types']
  expect(wrong).toEqual([])
  const { messages } = await publint({ pack: { tarball: tarball.buffer }, strict: true })
  expect(messages).toEqual([])
}

/** The environment of a person's shell. A dry run sends nothing; this registry answers nothing, so that the test needs no network. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return plainEnvironment({
    CI: '1',
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_fetch_retries: '0',
    npm_config_update_notifier: 'false',
  })
}

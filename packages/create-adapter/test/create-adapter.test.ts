import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAdapter, CreateAdapterError, wordsOf } from '../src/index.ts'
import { publishInto } from './published.ts'

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

/** Commands of the guide: the lines of its `sh` blocks. */
async function guideCommands(): Promise<string[]> {
  const guide = await readFile(GUIDE, 'utf8')
  return [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) => block[1]!.trim().split('\n'))
}

describe('the guide "Publish your farm"', () => {
  it('takes one from nothing to a package: every command in it works', async () => {
    const startMs = Date.now()
    const home = join(root, 'guide')
    const folder = join(home, 'pictor-adapter-acme')
    const seen: string[] = []
    let greenMs = Infinity
    for (const command of await guideCommands()) {
      seen.push(command)
      // The two commands that fetch from a registry are done with what lies here; everything else runs as it is written.
      if (command.startsWith('npm create pictor-adapter')) {
        const [name, ...rest] = command
          .replace('npm create pictor-adapter', '')
          .trim()
          .split(/\s+(?:--\s+)?/)
        const args = [name!, ...unquoted(rest.join(' ')), '--folder', folder]
        await run(process.execPath, [MAIN, ...args])
      } else if (command === 'npm install') await publishInto(join(folder, 'node_modules'))
      else if (!command.startsWith('cd ')) {
        const { stdout } = await run('sh', ['-c', command], {
          cwd: folder,
          env: { ...cleanEnvironment(), CI: '1' },
          maxBuffer: 2 ** 24,
        })
        if (command === 'npm test') {
          expect(stdout).toMatch(/fail 0/)
          expect(Number(/pass (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(50)
          greenMs = Date.now() - startMs
          console.log(`scaffold to green conformance: ${greenMs} ms`)
        }
      }
    }
    expect(seen).toEqual(expect.arrayContaining(['npm test', 'npm run lint', 'npm run build', 'npm publish --dry-run']))
    expect(greenMs).toBeLessThan(60_000)
  }, 240_000)
})

function unquoted(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!)
}

/** Without the settings that the test runner hands to its children. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, VITEST: _vitest, NODE_ENV: _env, ...rest } = process.env
  // A dry run sends nothing; this registry answers nothing, so that the test needs no network.
  return {
    ...rest,
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_fetch_retries: '0',
    npm_config_update_notifier: 'false',
  }
}

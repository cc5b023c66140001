import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { promisify } from 'node:util'
import type { Farm } from '@pictor/core/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { blendInspector, blenderAt, selfHosted } from '../src/index.ts'
import type { SelfHostedOptions } from '../src/index.ts'
import { FILTER_FD, confine, workingSandbox } from '../src/sandbox/bubblewrap.ts'
import { seccompFilter } from '../src/sandbox/seccomp.ts'
import { buildScenes, bundleOf, bytesOf, finish, hasBlender, stateOf, taskMaker, tempFolder, watch } from './support.ts'

const sandbox = await workingSandbox()
if (!sandbox) console.log('skipped: bubblewrap does not work here, sandbox tests do not run')

const temp = tempFolder()
const open: Farm[] = []
let made = 0
const farmWith = (options: Partial<SelfHostedOptions>): Farm => {
  const farm = selfHosted({ id: 'box', workDir: join(temp.path, `farm-${++made}`), threadsPerSlot: 1, ...options })
  open.push(farm)
  return farm
}
afterEach(async () => {
  for (const farm of open.splice(0)) await farm.close?.()
})
afterAll(temp.remove)

/** What code that has taken over Blender would try. Leaves a word on each attempt. */
const ATTACK = `
import ctypes, json, os, socket, sys, threading
arguments = sys.argv[sys.argv.index('--') + 1:]
out, secret, outside, port, parent = arguments[0], arguments[1], arguments[2], int(arguments[3]), int(arguments[4])
found = {}
def attempt(name, action):
    try:
        found[name] = 'got ' + str(action())[:60]
    except BaseException as error:
        found[name] = type(error).__name__
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *values):
    if libc.syscall(number, *values) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return 'through'
attempt('read a key', lambda: open(secret).read())
attempt('read passwords', lambda: open('/etc/shadow').read())
attempt('write outside', lambda: open(outside, 'w').write('x'))
attempt('write to the system', lambda: open('/usr/evil', 'w').write('x'))
attempt('write to the program', lambda: open(arguments[5], 'a').write('x'))
attempt('connect', lambda: socket.create_connection(('127.0.0.1', port), 2))
attempt('resolve', lambda: socket.gethostbyname('example.org'))
attempt('see the parent', lambda: open('/proc/%d/environ' % parent).read())
attempt('signal the parent', lambda: os.kill(parent, 0))
attempt('ptrace', lambda: call(101, 0, 0, 0, 0))
attempt('unshare', lambda: call(272, 0x10000000))
attempt('mount', lambda: call(165, b'none', b'/tmp', b'tmpfs', 0, 0))
attempt('keyctl', lambda: call(250, 0, 0, 0, 0, 0))
attempt('fork', os.fork)
attempt('vfork and exec', lambda: os.posix_spawn('/bin/true', ['true'], {}))
attempt('clone3', lambda: call(435, 0, 0))
started = threading.Thread(target=lambda: found.update(thread='runs'))
started.start()
started.join()
found['environment'] = sorted(os.environ)
found['processes'] = sorted(name for name in os.listdir('/proc') if name.isdigit())
found['roots'] = sorted(os.listdir('/'))
json.dump(found, open(out + '/found.json', 'w'))
`

describe.skipIf(!sandbox || !hasBlender)('the sandbox around scenes of others', () => {
  beforeAll(() => buildScenes(temp.path))

  it('leaves code that took over Blender nothing to take', async () => {
    const write = join(temp.path, 'box')
    const secrets = join(temp.path, 'home', '.ssh')
    mkdirSync(write)
    mkdirSync(secrets, { recursive: true })
    const secret = join(secrets, 'id_ed25519')
    const outside = join(temp.path, 'outside.txt')
    writeFileSync(secret, 'PRIVATE KEY')
    const program = join(temp.path, 'attack.py')
    writeFileSync(program, ATTACK)
    let connections = 0
    const server = createServer(() => connections++).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const blender = (await blenderAt('blender'))!.path
    const words = [write, secret, outside, String(port), String(process.pid), program]
    const { argv, filter } = confine([blender, '-b', '--factory-startup', '-P', program, '--', ...words], {
      program: blender,
      read: [program],
      write,
      environment: { PATH: '/usr/bin:/bin', HOME: write, TMPDIR: write },
      alone: true,
    })
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'ignore', 'ignore', 'pipe'] })
    ;(child.stdio as (Duplex | null)[])[FILTER_FD]!.end(filter)
    await new Promise((resolve) => child.on('close', resolve))
    server.close()
    const found = JSON.parse(readFileSync(join(write, 'found.json'), 'utf8')) as Record<string, string | string[]>
    const { environment, processes, roots, thread, ...attempts } = found
    expect(thread).toBe('runs')
    // Its own empty /tmp takes the file and goes with it.
    delete attempts['write outside']
    for (const [name, outcome] of Object.entries(attempts)) expect(outcome, name).not.toContain('got')
    expect(connections).toBe(0)
    expect(existsSync(outside)).toBe(false)
    expect((environment as string[]).filter((name) => !['HOME', 'PATH', 'PWD', 'TMPDIR', 'SHLVL', '_'].includes(name))).toEqual(
      [],
    )
    // bubblewrap itself and Blender.
    expect((processes as string[]).length).toBeLessThanOrEqual(2)
    expect(roots).not.toContain('root')
    expect(roots).not.toContain('var')
  })

  it.each(['own', 'foreign'] as const)(
    'runs no code of a scene and writes no file beside the ordered one (trust: %s)',
    async (trust) => {
      const farm = farmWith({ trust })
      const { files, bundle } = await bundleOf(temp.path, 'hostile.blend')
      const task = await taskMaker(farm, files, bundle)
      const ref = await farm.submit(task({ work: { kind: 'frames', frames: [1, 2] } }), { key: 'hostile' })
      const events = await finish(farm, ref)
      expect(stateOf(events, ref)).toBe('succeeded')
      expect((await bytesOf(farm, events, ref, 2)).length).toBeGreaterThan(100)
      expect(readdirSync(temp.path).filter((name) => name.startsWith('canary'))).toEqual([])
    },
  )

  it('is not held up by scripts that never end', async () => {
    const found = await blendInspector({ trust: 'foreign' }).inspect(join(temp.path, 'endless.blend'), {}, { key: 'look' })
    expect(found.warnings.map((one) => one.code)).toEqual(expect.arrayContaining(['python-drivers', 'autorun-texts']))
    const farm = farmWith({ trust: 'foreign' })
    const { files, bundle } = await bundleOf(temp.path, 'endless.blend')
    const task = await taskMaker(farm, files, bundle)
    const ref = await farm.submit(task({ work: { kind: 'frames', frames: [1, 2] } }), { key: 'endless' })
    expect(stateOf(await finish(farm, ref), ref)).toBe('succeeded')
  })

  it('inspects a foreign scene without running it, and says what it would have run', async () => {
    const found = await blendInspector({ trust: 'foreign' }).inspect(join(temp.path, 'hostile.blend'), {}, { key: 'look' })
    expect(found.warnings.map((one) => one.code)).toEqual(
      expect.arrayContaining(['python-drivers', 'autorun-texts', 'file-outputs', 'freestyle-scripts']),
    )
    expect(readdirSync(temp.path).filter((name) => name.startsWith('canary'))).toEqual([])
  })

  it('ends a scene that wants more memory than a slot has, and keeps the machine', async () => {
    const farm = farmWith({ trust: 'foreign', memoryMiB: 4096 })
    const { files, bundle } = await bundleOf(temp.path, 'giant.blend')
    const task = await taskMaker(farm, files, bundle)
    const ref = await farm.submit(task({ work: { kind: 'frames', frames: [1] } }), { key: 'giant' })
    const events = await finish(farm, ref)
    // Blender itself would deliver the frame without the texture and call it a success.
    expect(events.find((event) => event.type === 'frame-failed')).toMatchObject({ failure: { class: 'out-of-memory' } })
    expect(stateOf(events, ref)).toBe('failed')
  })

  it('kills a renderer that hangs', async () => {
    const workDir = join(temp.path, 'hang')
    const farm = farmWith({ workDir, frameTimeoutMs: 1500 })
    const { files, bundle } = await bundleOf(temp.path, 'plain.blend')
    const task = await taskMaker(farm, files, bundle)
    await farm.submit(task({ work: { kind: 'frames', frames: Array.from({ length: 60 }, (_, i) => i + 1) } }), {
      key: 'hang',
    })
    await watch(farm, (events) => events.some((event) => event.type === 'output'))
    const [pid] = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => {
        try {
          return readFileSync(`/proc/${name}/environ`, 'latin1').includes(workDir)
        } catch {
          return false
        }
      })
    process.kill(Number(pid), 'SIGSTOP')
    const events = await watch(farm, (seen) => seen.some((event) => event.type === 'frame-failed'))
    expect(events.find((event) => event.type === 'frame-failed')).toMatchObject({ failure: { class: 'timeout' } })
    expect(existsSync(`/proc/${pid}`)).toBe(false)
  })

  it('refuses scenes of others where no sandbox works, unless told otherwise', async () => {
    const script = `
      import { blendInspector } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).pathname)}
      for (const unsafeNoSandbox of [false, true])
        await blendInspector({ trust: 'foreign', unsafeNoSandbox, blender: process.argv[1] })
          .inspect(process.argv[2], {}, { key: 'k' }).then(() => console.log('opened'), (error) => console.log(error.code))`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--conditions=source',
        '--input-type=module',
        '-e',
        script,
        (await blenderAt('blender'))!.path,
        join(temp.path, 'plain.blend'),
      ],
      { env: { PATH: '/nonexistent' } },
    )
    expect(stdout.trim().split('\n')).toEqual(['sandbox-missing', 'opened'])
  })
})

describe('the system call filter', () => {
  it('is a whole number of instructions that ends by allowing', () => {
    for (const [processor, alone] of [
      ['x64', false],
      ['x64', true],
      ['arm64', true],
    ] as const) {
      const filter = seccompFilter(alone, processor)!
      expect(filter.length % 8).toBe(0)
      expect(filter.length / 8).toBeLessThan(4096)
      expect(filter.readUInt32LE(filter.length - 4)).toBe(0x7fff0000)
    }
    expect(seccompFilter(true, 'riscv64')).toBeUndefined()
  })
})

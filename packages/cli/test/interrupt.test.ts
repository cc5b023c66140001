import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leaseSetDigest, parseReceipt, recoverAddress } from '@pictor/core/proof'
import { keyFile } from '../src/keys.ts'
import { blender, blenderReason, makeScene, pictor, startPictor, temporaryFolder } from './cli.ts'

if (!blender) console.log(`interrupt.test.ts is skipped: ${blenderReason}`)

describe.skipIf(!blender)('a run under way', () => {
  const folder = temporaryFolder()
  const options = { cwd: folder.path }
  const job = ['render', 'slow.blend', '--frames', '1-6', '--deadline', '1h', '--budget', '5', '--out', 'out', '--json']
  beforeAll(() => makeScene(join(folder.path, 'slow.blend'), 's.cycles.samples = 192'))
  afterAll(() => folder.remove())

  it('detaches at the first Ctrl-C and is taken up again, also after its lease key was rotated', async () => {
    const running = startPictor(job, options)
    const { run } = JSON.parse(await running.seen(/"type":"run"/)) as { run: string }
    await running.seen(/"type":"money-locked"/)
    running.kill('SIGINT')
    const detached = await running.finished
    expect(detached.code).toBe(8)
    expect(detached.objects.some((object) => object.type === 'job-end')).toBe(false)
    const rotated = await pictor(['rotate-lease-key', '--json'], options)
    expect(rotated.code, rotated.stdout + rotated.stderr).toBe(0)
    expect(rotated.objects).toMatchObject([{ type: 'lease-key-replaced', run }])
    const { leaseKey } = rotated.objects[0] as unknown as { leaseKey: string }
    const keys = keyFile(join(folder.path, '.pictor', 'keys.json'), '')
    expect(keys.signer('lease').address).toBe(leaseKey)
    const resumed = await pictor(['render', '--attach', run, '--out', 'out', '--json'], options)
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(existsSync(join(folder.path, 'out', 'slow_0006.png'))).toBe(true)
    const book = await pictor(['ledger', run, '--json'], options)
    expect(book.objects.filter(({ type }) => type === 'lease-key-replaced')).toMatchObject([{ leaseKey }])
    expect((await pictor(['rotate-lease-key', '--json'], options)).objects, 'no job is open').toEqual([])
  })

  it('signs with the new lease key as soon as another process has rotated it, and with the old one no more', async () => {
    const key = (name: string) => ({ signer: { $key: name } })
    const farm = (id: string, usd: string, more: object) => ({
      use: '@pictor/adapter-selfhosted',
      factory: 'selfHosted',
      options: { id, workDir: join(folder.path, id), price: { perHostHour: { $usd: usd } }, ...key(`farm:${id}`), ...more },
    })
    // The cheap farm, cheap enough for any noise of the probes, is found out: there are leases after the rotation, at a farm ten times as dear.
    const farms = [farm('cheat', '0.05', { simulateCheat: { samplesFactor: 0.1 } }), farm('honest', '0.50', {})]
    writeFileSync(join(folder.path, 'rotated.config.json'), JSON.stringify({ farms }))
    const mine = ['--config', 'rotated.config.json', '--state-dir', 'rotated', '--json']
    const order = ['--frames', '1-2', '--deadline', '1h', '--budget', '5', '--out', 'rotated-out']
    const running = startPictor(['render', 'slow.blend', ...order, ...mine], options)
    const { run } = JSON.parse(await running.seen(/"type":"run"/)) as { run: string }
    await running.seen(/"type":"task-start"/)
    const before = keyFile(join(folder.path, 'rotated', 'keys.json'), '').signer('lease').address
    running.kill('SIGSTOP')
    const rotated = await pictor(['rotate-lease-key', ...mine], options)
    running.kill('SIGCONT')
    expect(rotated.objects, rotated.stdout + rotated.stderr).toMatchObject([{ type: 'lease-key-replaced', run }])
    const { leaseKey } = rotated.objects[0] as unknown as { leaseKey: string }
    const ended = await running.finished
    expect(ended.code, ended.stdout.slice(-2000) + ended.stderr).toBe(0)
    const receipt = parseReceipt(readFileSync(join(folder.path, 'rotated-out', 'receipt.json'), 'utf8'))
    const later = receipt.sets.filter(({ set }) => set.seq > 0)
    expect(later.length).toBeGreaterThan(0)
    for (const { set } of later) {
      const signer = recoverAddress(leaseSetDigest(receipt.domain, set), set.signature!, 'set')
      expect([signer, signer === before]).toEqual([leaseKey, false])
    }
    expect((await pictor(['verify', join('rotated-out', 'receipt.json'), '--json'], options)).objects.at(-1)).toMatchObject({
      answer: expect.stringMatching(/consistent|anchored/) as string,
    })
  })

  it('that is only being planned ends at Ctrl-C, and its probes with it', async () => {
    const planning = startPictor(
      ['plan', 'slow.blend', '--frames', '1-6', '--deadline', '1h', '--budget', '5', '--probe-again', '--json'],
      options,
    )
    await planning.seen(/"type":"plan-progress"/)
    planning.kill('SIGINT')
    const ended = await planning.finished
    expect(ended.code).not.toBe(0)
    expect(ended.objects.some((object) => object.type === 'plans')).toBe(false)
    expect(JSON.stringify(ended.objects) + ended.stderr).toMatch(/canceled|Ctrl-C/)
  })

  it('is canceled from another process, which says first what is lost and what comes back', async () => {
    // Long enough that no machine renders it in the time that the canceling process needs to start.
    const frames = 240
    const running = startPictor(job.with(job.indexOf('1-6'), `1-${frames}`), options)
    const { run } = JSON.parse(await running.seen(/"type":"run"/)) as { run: string }
    await running.seen(/"type":"task-start"/)
    const set = await pictor(['set', run, '--priority', '3', '--deadline', '30m', '--json'], options)
    expect(set.objects.map(({ type, input }) => [type, Object.keys(input as object)])).toEqual([
      ['posted', ['priority']],
      ['posted', ['deadlineAtMs']],
    ])
    expect((await pictor(['pause', run, '--json'], options)).objects).toMatchObject([{ type: 'posted', input: 'pause' }])
    await running.seen(/"type":"job-hold"/)
    const listed = await pictor(['jobs', '--json'], options)
    expect(listed.objects.find((object) => object.run === run)).toMatchObject({
      type: 'job',
      phase: 'running',
      framesTotal: frames,
    })
    expect((await pictor(['resume', run, '--json'], options)).code).toBe(0)
    await running.seen(/"type":"job-resume"/)
    const canceled = await pictor(['cancel', run, '--yes', '--json'], options)
    expect(canceled.code, canceled.stderr).toBe(0)
    expect(canceled.objects.find((object) => object.type === 'cancel-preview')).toMatchObject({ framesTotal: frames })
    const ended = await running.finished
    expect(ended.objects.find((object) => object.type === 'job-end')).toMatchObject({ outcome: 'canceled' })
    const money = await pictor(['ledger', run, '--json'], options)
    const book = money.objects.find((object) => object.type === 'money') as {
      deposited: string
      locked: string
      pending: string
      released: string
      refunded: string
    }
    expect([book.locked, book.pending]).toEqual(['0', '0'])
    expect(BigInt(book.released) + BigInt(book.refunded)).toBe(BigInt(book.deposited))
  })

  it('refuses changes that say nothing or nonsense, and names the option', async () => {
    const run = `0x${'ab'.repeat(32)}`
    for (const [args, path] of [
      [[], 'priority'],
      [['--priority', 'high'], 'priority'],
      [['--deadline', 'yesterday'], 'deadline'],
    ] as const) {
      const refused = await pictor(['set', run, ...args, '--json'], options)
      expect(refused.objects.at(-1)).toMatchObject({ type: 'error', code: 'invalid-input', details: { path } })
      expect(refused.code).toBe(4)
    }
  })

  it('refuses a run that does not exist', async () => {
    const absent = await pictor(['render', '--attach', `0x${'ab'.repeat(32)}`, '--out', 'out', '--json'], options)
    expect(absent.code).toBe(4)
    expect(absent.objects.at(-1)).toMatchObject({ type: 'error', code: 'not-found' })
  })
})

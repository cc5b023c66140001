import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, describe, it } from 'vitest'
import { farmLines, type FarmReport } from '../src/terminal/farm-view.ts'
import { styleFor } from '../src/terminal/style.ts'
import { pictor, temporaryFolder } from './cli.ts'

const plain = styleFor({ isTTY: false }, {})

describe('pictor farms', () => {
  const folder = temporaryFolder()
  afterAll(() => folder.remove())
  const garage = {
    use: '@pictor/adapter-garagefarm',
    factory: 'garageFarm',
    options: { lane: 'desktop', folder: join(folder.path, 'garage') },
  }
  const away = {
    use: '@pictor/farm-protocol',
    factory: 'remoteFarm',
    options: { id: 'away', url: 'http://127.0.0.1:9', token: { $env: 'AWAY_TOKEN' } },
  }

  it('shows reach, version, capabilities, prices with source and trust, and what went wrong', async () => {
    // The packages of this command, as if they were installed beside the config.
    symlinkSync(fileURLToPath(new URL('../node_modules', import.meta.url)), join(folder.path, 'node_modules'))
    writeFileSync(join(folder.path, 'pictor.config.json'), JSON.stringify({ farms: [garage, away] }))
    const options = { cwd: folder.path, env: { AWAY_TOKEN: 'a-token-of-some-length' } }
    const people = await pictor(['farms'], options)
    expect(people.code).toBe(1)
    expect(people.stdout).toMatch(/● garagefarm GarageFarm +desktop lane, answered in .*, verified against a simulation only/)
    expect(people.stdout).toMatch(/adapter +@pictor\/adapter-garagefarm \d+\.\d+\.\d+, contract 1/)
    expect(people.stdout).toMatch(/by hand +cancel before the start/)
    expect(people.stdout).toMatch(/low cpu +GHz-hour +0\.024 USD +100 +2026-11-22.* farm's own page +https:\/\/garagefarm\.net/)
    expect(people.stdout).toMatch(/medium cpu +GHz-hour +not published +150/)
    expect(people.stdout).toMatch(/✕ away +no answer\n +error +\[farm-unreachable\]/)
    const machine = await pictor(['farms', '--json'], options)
    expect(machine.objects).toMatchObject([
      {
        type: 'farm',
        id: 'garagefarm',
        reach: 'ok',
        contract: 1,
        adapter: { name: '@pictor/adapter-garagefarm' },
        troubles: [],
      },
      { type: 'farm', id: 'away', reach: 'failed', code: 'farm-unreachable' },
    ])
  })

  it('warns of prices older than 90 days and shows the latest troubles', () => {
    const trouble = (job: string) => ({ run: '0x1', job, startedAtMs: Date.UTC(2026, 10, 1), reason: 'frame refused' })
    const price = { tier: 'own', unit: 'host-hour', rate: '0.40', currency: 'USD', source: 'us', trust: 'own' as const }
    const native = { cancelQueued: 'native', cancelRunning: 'native', hold: 'native', priority: 'native', tiles: 'none' } as const
    const rest = {
      samples: 'none',
      windows: 'none',
      partialOutputs: 'native',
      resumeDownload: 'native',
      bindingQuote: 'native',
    } as const
    const report: FarmReport = {
      reach: 'ok',
      reachMs: 3,
      troubles: ['a', 'b', 'c', 'd'].map(trouble),
      contract: 1,
      id: 'studio',
      name: 'studio',
      lane: 'partner',
      verification: 'live',
      capabilities: { ...native, ...rest },
      idempotency: 'native',
      software: [],
      priceBook: {
        source: 'us',
        asOf: '2026-08-01',
        kind: 'own',
        prices: ['2026-08-27', '2026-08-28'].map((asOf) => ({ ...price, asOf })),
      },
    }
    const text = farmLines(report, Date.UTC(2026, 10, 26, 12), plain).join('\n')
    expect(text).toContain('2026-08-27 (91 days old)')
    expect(text).toMatch(/2026-08-28 +your figure/)
    expect(text.match(/frame refused/g)).toHaveLength(3)
    expect(text).toContain('2026-11-01 a: frame refused')
    expect(text).toMatch(/cannot +tiles, sample ranges, regions/)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobState } from '@pictor/core'
import { encodePng } from '@pictor/image'
import { expect, it } from 'vitest'
import { jobView, liveBlock } from '../src/terminal/job-view.ts'
import { lastFrames } from '../src/terminal/last-frames.ts'
import { styleFor } from '../src/terminal/style.ts'
import { thumbnail } from '../src/terminal/thumbnail.ts'

/** Red on the left, blue on the right, and a green lower half. */
function flag(width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) pixels[(y * width + x) * 3 + (y >= height / 2 ? 1 : x < width / 2 ? 0 : 2)] = 255
  return encodePng(width, height, 3, pixels)
}

const RED = '255;0;0'
const BLUE = '0;0;255'
const GREEN = '0;255;0'

it('a small picture keeps shape and colours of the frame, two pixels a cell', () => {
  const lines = thumbnail(flag(160, 80), 8)!
  // 8 columns by 4 pixels: two lines of cells.
  expect(lines).toHaveLength(2)
  const cell = (upper: string, lower: string): string => `\u001B[38;2;${upper};48;2;${lower}m▀`
  expect(lines[0]).toBe(`${cell(RED, RED).repeat(4)}${cell(BLUE, BLUE).repeat(4)}\u001B[0m`)
  expect(lines[1]).toBe(`${cell(GREEN, GREEN).repeat(8)}\u001B[0m`)
  expect(thumbnail(flag(1, 1), 8)).toHaveLength(1)
  expect(thumbnail(new TextEncoder().encode('no picture'), 8)).toBeUndefined()
})

const farm = (spent: bigint, path?: string): JobState['farms'][string] => ({
  leased: 100,
  accepted: 40,
  refused: 0,
  spent,
  leftMs: { low: 50_000, expected: 60_000, high: 72_000 },
  ...(path === undefined ? {} : { lastFrame: { frame: 7, farm: 'studio', path } }),
})

it('a farm line says what the farm earned and how long it has left, the last frames stand side by side', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pictor-view-'))
  const path = join(dir, 'frame_0007.png')
  writeFileSync(path, flag(160, 80))
  const state = {
    farms: { studio: farm(1_230_000n, path), other: farm(0n), third: farm(0n, join(dir, 'not there.png')) },
    framesAccepted: 80,
    framesTotal: 200,
    percent: 42,
    phase: 'running',
    wanted: 'run',
    money: { currency: 'USD', locked: 0n, pending: 0n, spent: 1_500_000n, paid: 0n, refunded: 0n },
  } as unknown as JobState
  const view = jobView({ columns: 80, log() {}, live() {}, end() {} }, styleFor({}, {}), 'USD')
  const block = liveBlock(state, view)
  expect(block[0]).toMatch(/studio .* 40 of 100 frames, 50 s to 1 min 12 s left {2}1\.23 USD$/)
  expect(block.at(-1)).toMatch(/job .* 42 % 80 of 200 frames.* 1\.50 USD spent$/)
  const pictures = lastFrames()
  let lines: string[] = []
  for (let tries = 0; tries < 100 && lines.length === 0; tries++) {
    lines = pictures.lines(state, 80)
    await sleep(10)
  }
  expect(lines.at(-1)!.trim()).toBe('studio, frame 7')
  expect(lines).toHaveLength(7)
  rmSync(dir, { recursive: true })
})

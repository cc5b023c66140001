import { expect, it } from 'vitest'
import type { FarmEvent, Output } from '../../src/contract/index.ts'
import { memoryArtifacts } from '../../src/artifacts/index.ts'
import { sha256Hex } from '../../src/proof/index.ts'
import { collect, type CollectOptions } from '../../src/run/collect.ts'

/** What was opened at the farm and which frames (by index) were then reported, for outputs that arrive in the given order. */
async function collected(checkClass: string, layers: readonly string[]): Promise<{ opened: string[]; frames: number[] }> {
  const opened: string[] = []
  const frames: number[] = []
  const control = new AbortController()
  const outputs = layers.map((layer): Output => {
    const bytes = Buffer.from(`picture ${layer}`)
    return {
      task: { farm: 'f', ref: 'r' },
      frame: 3,
      part: 0,
      layer,
      name: layer,
      bytes: bytes.length,
      hash: sha256Hex(bytes),
      completedAtMs: 0,
    }
  })
  const farm = {
    open: async (output: Output) => {
      opened.push(output.layer)
      const bytes = Buffer.from(`picture ${output.layer}`)
      return {
        bytes: bytes.length,
        stream: (async function* () {
          yield bytes
        })(),
      }
    },
  }
  let watcher: { take(events: readonly FarmEvent[]): Promise<void> } | undefined
  const options = {
    loop: {
      farm,
      restedMs: 0,
      downloads: { add: (job: () => Promise<void>) => job() },
      watch: (_: unknown, made: typeof watcher) => ((watcher = made), () => {}),
    },
    ref: { farm: 'f', ref: 'r' },
    order: { lease: { id: 1, frames: [3], farm: '0x00', part: 0, checkClass }, expectedMs: 1 },
    fetched: () => undefined,
    send: async (input: { type: string; frames?: number[] }) => void (input.type === 'fetched' && frames.push(...input.frames!)),
    artifacts: memoryArtifacts(),
    clock: {
      now: () => 0,
      sleep: (_: number, signal: AbortSignal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    },
    tuning: { stallMs: 1000, callMs: 1000, pollMinMs: 1, retryMaxMs: 10 },
    signal: control.signal,
  } as unknown as CollectOptions
  const running = collect(options).catch(() => {})
  await watcher!.take(outputs.map((output) => ({ type: 'output', output, atMs: 0 })))
  await expect.poll(() => frames.length).toBe(1)
  control.abort()
  await running
  return { opened, frames }
}

it('has the layers of a frame here before the frame counts as fetched, in whatever order they are told', async () => {
  expect(await collected('sidecar', ['noisy', ''])).toEqual({ opened: ['noisy', ''], frames: [0] })
  expect(await collected('sidecar', ['', 'noisy'])).toEqual({ opened: ['noisy', ''], frames: [0] })
})

it('takes pictures for pictures whatever their layer is called', async () => {
  expect(await collected('crop', ['noisy'])).toEqual({ opened: ['noisy'], frames: [0] })
  expect(await collected('sidecar', ['ViewLayer'])).toEqual({ opened: ['ViewLayer'], frames: [0] })
})

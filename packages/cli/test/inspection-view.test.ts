import type { Inspection } from '@pictor/core/contract'
import { expect, it } from 'vitest'
import { commandContext } from '../src/commands/context.ts'
import { inspectionReport } from '../src/terminal/inspection-view.ts'

const inspection = (change: Partial<Inspection> = {}): Inspection => ({
  path: '/job/shot.blend',
  bytes: 1000,
  frames: '1-48',
  framesPerSecond: 24000 / 1001,
  spec: {
    software: 'blender',
    softwareVersion: '3.4',
    engine: 'CYCLES',
    scene: 'Shot',
    viewLayers: ['Beauty'],
    camera: '',
    samples: 64,
    adaptive: true,
    denoise: true,
    seed: 0,
    animatedSeed: false,
    output: { format: 'PNG', width: 640, height: 360, colorMode: 'RGB', bitDepth: 8 },
    checkClass: 'sidecar',
  },
  external: [],
  memoryMiB: 213,
  warnings: [{ code: 'samples-low', message: 'only 2 samples' }],
  ...change,
})

const shown = (change?: Partial<Inspection>): string[] => inspectionReport(inspection(change), commandContext(false))

it('tells a scene in lines that a person reads, with or without what Blender said of it', () => {
  const scene = {
    name: 'Shot',
    layers: [
      { name: 'Beauty', use: true, passes: ['combined', 'z'], aovs: [] },
      { name: 'Off', use: false, passes: ['normal'], aovs: [] },
    ],
    cameras: ['A', 'B'],
    markers: [
      { frame: 25, camera: 'B' },
      { frame: 1, camera: 'A' },
    ],
  }
  const report = { savedWith: '3.4.1', scenes: [scene, { name: 'Other' }], addOns: ['mmd_tools'] }
  const lines = shown({ ext: { blend: { report } } }).join('\n')
  for (const part of [
    'Shot, beside Other; Cycles, saved by Blender 3.4.1',
    '1-48 at 23.98 a second',
    '64 samples at most (adaptive), denoised',
    'A from 1, B from 25',
    'Beauty with combined, z\n',
    'mmd_tools',
    'none beside the scene',
    '! only 2 samples',
  ])
    expect(lines).toContain(part)
  expect(shown().join('\n')).toContain('saved by Blender 3.4')
})

it('names missing files first, and so many of the others as a person reads', () => {
  const external = Array.from({ length: 300 }, (_, i) => ({
    kind: 'image',
    path: `//tex/${i}.png`,
    missing: i === 299,
    ...(i === 299 ? {} : { bytes: 1_500_000 }),
  }))
  const lines = shown({ external })
  const at = lines.findIndex((line) => line.includes('300 beside the scene, 448.5 MB; 1 missing'))
  expect(lines[at + 1]).toContain('//tex/299.png  missing')
  expect(lines[at + 2]).toContain('//tex/0.png  1.5 MB')
  expect(lines.find((line) => line.includes('more'))).toContain('288 more')
})

it('lets no name in a scene steer the terminal', () => {
  const external = [{ kind: 'image', path: '//\u001B[2Jtex.png', missing: true }]
  const { spec } = inspection()
  const lines = shown({
    external,
    spec: { ...spec, scene: 'Shot\u001B]0;owned\u0007' },
    warnings: [{ code: 'x', message: '\u001B[31m' }],
  })
  expect(lines.join('\n')).not.toContain('\u001B')
})

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { decodeImage } from '@pictor/image'
import {
  compareSeedLocked,
  compareWithReferences,
  cut,
  judgeReferences,
  seedLockedTolerance,
  toPicture,
  withinTolerance,
  type Picture,
} from '../src/index.ts'

const blender = spawnSync('blender', ['--version']).error === undefined
if (!blender) console.log('skipped: Blender is not installed')
const folder = mkdtempSync(join(tmpdir(), 'checker-blender-'))
afterAll(() => rmSync(folder, { recursive: true }))

const SCRIPT = `
import bpy
s=bpy.context.scene; r=s.render; r.engine='CYCLES'; s.cycles.device='CPU'; s.cycles.use_denoising=False; s.cycles.use_adaptive_sampling=False
r.resolution_x=144; r.resolution_y=96; r.resolution_percentage=100; r.use_persistent_data=True; r.image_settings.color_mode='RGB'
def shoot(name,samples=16,seed=1,border=None):
    s.cycles.samples=samples; s.cycles.seed=seed; r.use_border=r.use_crop_to_border=border is not None
    if border:
        x,y,w,h=border; r.border_min_x=x/144; r.border_max_x=(x+w)/144; r.border_max_y=1-y/96; r.border_min_y=1-(y+h)/96
    bpy.ops.render.render(); im=bpy.data.images['Render Result']; i=r.image_settings
    i.file_format='PNG'; i.color_depth='8'; im.save_render(name+'.png'); i.file_format='OPEN_EXR'; i.color_depth='16'; im.save_render(name+'.exr')
shoot('farm'); shoot('crop',border=(40,24,64,48)); shoot('other',seed=2); shoot('b',seed=3); shoot('low',samples=8,seed=4); shoot('honest',seed=5)
`

test.skipIf(!blender).each(['png', 'exr'])(
  'real renders as %s: a crop agrees with its frame, another seed is told by its noise, half the samples are found',
  (ending) => {
    if (ending === 'png')
      execFileSync(
        'blender',
        [
          '-b',
          '--factory-startup',
          '--python-exit-code',
          '9',
          '--python-expr',
          `import os; os.chdir(${JSON.stringify(folder)})\n${SCRIPT}`,
        ],
        { stdio: 'ignore' },
      )
    const load = (name: string): Picture => toPicture(decodeImage(readFileSync(join(folder, `${name}.${ending}`))))!
    const limit = seedLockedTolerance(ending === 'png' ? 8 : 16)
    const region = { x: 40, y: 24, width: 64, height: 48 }
    const same = compareSeedLocked(cut(load('farm'), region), load('crop'), limit)
    expect(withinTolerance(same, limit)).toBe(true)
    const other = compareSeedLocked(cut(load('other'), region), load('crop'), limit)
    expect(withinTolerance(other, limit)).toBe(false)
    expect(other.noiseCorrelation).toBeLessThan(same.noiseCorrelation)
    const judge = (name: string): string[] =>
      judgeReferences(compareWithReferences(load(name), load('other'), load('b'))).map((found) => found.code)
    expect(judge('honest')).toEqual([])
    expect(judge('low')).toContain('noise-ratio')
  },
)

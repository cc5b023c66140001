import { describe, expect, it } from 'vitest'
import { checkClassOf, renderSpecOf, type SceneFacts } from '../src/index.ts'

describe('what a scene orders', () => {
  const facts: SceneFacts = {
    name: 'Shot',
    engine: 'CYCLES',
    frameStart: 1,
    frameEnd: 10,
    frameStep: 1,
    fps: 24,
    width: 1920,
    height: 1080,
    percentage: 50,
    border: false,
    format: 'PNG',
    colorMode: 'RGBA',
    colorDepth: '16',
    movie: false,
    output: '',
    motionBlur: false,
    simplify: false,
    multiview: false,
    singleLayer: false,
    camera: 'A',
    cameras: ['A', 'B'],
    markers: [],
    layers: [
      { name: 'On', use: true, passes: ['combined'], aovs: [] },
      { name: 'Off', use: false, passes: [], aovs: [] },
    ],
    compositor: { used: false, wide: [], fileOutputs: 0, output: true },
    sequencer: false,
    eeveeSamples: 64,
    animatedSettings: [],
    freestyleScripts: [],
    viewTransform: 'Filmic',
    cycles: {
      samples: 128,
      use_adaptive_sampling: true,
      time_limit: 0,
      seed: 3,
      use_animated_seed: true,
      use_denoising: false,
      denoiser: 'OPENIMAGEDENOISE',
      shading_system: false,
      sample_offset: 0,
    },
  }

  it('takes size, layers and sampling from the file', () => {
    expect(renderSpecOf(facts, 304)).toMatchObject({
      softwareVersion: '3.4',
      viewLayers: ['On'],
      camera: 'A',
      samples: 128,
      adaptive: true,
      seed: 3,
      animatedSeed: true,
      output: { format: 'PNG', width: 960, height: 540, colorMode: 'RGBA', bitDepth: 16 },
    })
  })

  it('leaves the camera to the timeline when markers switch it', () => {
    expect(renderSpecOf({ ...facts, markers: [{ frame: 5, camera: 'B' }] }, 304).camera).toBe('')
    expect(renderSpecOf({ ...facts, markers: [{ frame: 5, camera: 'B' }] }, 304, { camera: 'B' }).camera).toBe('B')
  })

  it('names the cameras that a scene has where another one is asked for', () => {
    const names = Array.from({ length: 25 }, (_, i) => `Cam ${i}`)
    const ask = (cameras: readonly string[], camera: string) => () => renderSpecOf({ ...facts, cameras }, 304, { camera })
    expect(ask(['A', 'B'], 'a')).toThrow('scene "Shot" has no camera "a"; it has "A", "B"')
    expect(ask([], '')).toThrow('scene "Shot" has no camera ""; it has none')
    expect(ask(names, 'B')).toThrow(/"Cam 19" and 5 more$/)
    expect(ask(names, 'B')).toThrow(expect.objectContaining({ details: expect.objectContaining({ names }) as object }) as Error)
  })

  it('renders frames where the file asks for a movie', () => {
    expect(renderSpecOf({ ...facts, format: 'FFMPEG', movie: true }, 304).output).toMatchObject({ format: 'PNG', bitDepth: 8 })
  })

  it('names camera, samples and format that cannot be had', () => {
    expect(() => renderSpecOf(facts, 304, { camera: 'C' })).toThrow(/no camera "C"; it has "A", "B"/)
    expect(() => renderSpecOf(facts, 304, { samples: 0 })).toThrow(/options\.samples/)
    expect(() => renderSpecOf(facts, 304, { format: 'BMP' as 'PNG' })).toThrow(/options\.format/)
    expect(() => renderSpecOf({ ...facts, camera: null }, 304)).toThrow(/no camera/)
  })

  it('chooses crops only where a crop is the same as the picture', () => {
    const denoised = { ...facts, cycles: { ...facts.cycles!, use_denoising: true } }
    const blurred = { ...facts, compositor: { used: true, wide: ['BLUR'], fileOutputs: 0, output: true } }
    expect(checkClassOf(facts, 'JPEG')).toBe('crop')
    for (const scene of [denoised, blurred]) {
      expect(checkClassOf(scene, 'PNG')).toBe('sidecar')
      expect(checkClassOf(scene, 'OPEN_EXR')).toBe('sidecar')
      expect(checkClassOf(scene, 'JPEG')).toBe('replica')
    }
    expect(checkClassOf({ ...blurred, sequencer: true }, 'PNG')).toBe('replica')
    expect(checkClassOf({ ...facts, engine: 'BLENDER_EEVEE' }, 'PNG')).toBe('replica')
  })
})

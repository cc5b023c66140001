import type { Inspector } from '../src/index.ts'
import { bundleRoot } from '../src/proof/index.ts'

/** Finds the same small scene at every path; its bundle is one file of one byte. */
export function simulatedInspector(scene: {
  readonly frames: string
  readonly width: number
  readonly height: number
}): Inspector {
  const { frames, width, height } = scene
  return {
    inspect: async (path) => ({
      path,
      bytes: 1,
      frames,
      framesPerSecond: 24,
      spec: {
        software: 'blender',
        softwareVersion: '3.4',
        engine: 'CYCLES',
        scene: 'Scene',
        viewLayers: [],
        camera: 'Camera',
        samples: 8,
        adaptive: false,
        denoise: false,
        seed: 1,
        animatedSeed: false,
        output: { format: 'PNG', width, height, colorMode: 'RGB', bitDepth: 8 },
        checkClass: 'crop',
      },
      external: [],
      memoryMiB: 100,
      warnings: [],
    }),
    async bundle(_, files) {
      const one = { path: 'scene.blend', ...(await files.put(new Uint8Array([1]))) }
      return { root: bundleRoot([one]), entry: 'scene.blend', files: [one] }
    },
  }
}

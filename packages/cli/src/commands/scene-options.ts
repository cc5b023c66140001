import type { InspectOptions } from '@pictor/core'
import { wholeNumber } from './whole-number.ts'

/** What a command line may choose of what a scene file says. */
export interface SceneOptions {
  /** Scene inside the file: `--scene-name`, since the file itself is called the scene. */
  readonly sceneName?: string
  readonly camera?: string
  readonly samples?: string
}

/** The choices in the words of the inspector, which checks names by the file. @throws invalid-input when the samples are no whole number from 1 */
export function wishesOf({ sceneName, camera, samples }: SceneOptions): InspectOptions {
  return {
    ...(sceneName === undefined ? {} : { scene: sceneName }),
    ...(camera === undefined ? {} : { camera }),
    ...(samples === undefined ? {} : { samples: wholeNumber('samples', samples) }),
  }
}

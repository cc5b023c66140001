export { selfHosted } from './self-hosted.ts'
export type { SelfHostedOptions } from './options.ts'
export { blenderAt, chooseBlender, installedBlenders, versionOfCode } from './blender/installed.ts'
export type { InstalledBlender } from './blender/installed.ts'

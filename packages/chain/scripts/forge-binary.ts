import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Path of forge itself, or undefined where it is not installed. The npm package's own launcher ends with 0 whatever forge says, so it is not used. */
export function forgeBinary(): string | undefined {
  const platform = process.platform
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const name = `forge${platform === 'win32' ? '.exe' : ''}`
  try {
    const outer = createRequire(import.meta.url).resolve('@foundry-rs/forge/package.json')
    const path = createRequire(outer).resolve(`@foundry-rs/forge-${platform}-${arch}/bin/${name}`)
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

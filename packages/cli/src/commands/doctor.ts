import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs'
import { stateDirOf, type StateOptions } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly needed: boolean
  readonly message: string
}

/** `pictor doctor`: what this machine has and what is missing, each with what to do. Exit code 3 when something needed is missing. */
export async function doctor(options: StateOptions, context: CommandContext): Promise<number> {
  const findings = [node(), blender(options.env.PICTOR_BLENDER ?? 'blender'), sandbox(), folder(stateDirOf(options))]
  for (const finding of findings) {
    context.emit({ type: 'finding', ...finding })
    const mark = finding.ok ? context.style.green('✓') : finding.needed ? context.style.red('✕') : context.style.yellow('!')
    context.screen.log(`${mark} ${finding.name.padEnd(12)} ${finding.message}`)
  }
  return findings.every((finding) => finding.ok || !finding.needed) ? EXIT.ok : EXIT.software
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major >= 26 || (major === 24 && minor >= 11) || (major === 22 && minor >= 19)
  return { name: 'node', ok, needed: true, message: `${process.version}${ok ? '' : ': needs ^22.19, ^24.11 or 26 and newer'}` }
}

function blender(program: string): Finding {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 30_000 })
  const version = /Blender ([\d.]+)/.exec(stdout ?? '')?.[1]
  return {
    name: 'blender',
    ok: status === 0,
    needed: true,
    message: version ? `${version} (${program})` : 'not found: apt-get install blender, or set PICTOR_BLENDER',
  }
}

/** Tries the sandbox for real: having the program is not enough where user namespaces are off. */
function sandbox(): Finding {
  const { status, error } = spawnSync('bwrap', ['--unshare-all', '--ro-bind', '/', '/', 'true'], { timeout: 10_000 })
  const message =
    status === 0
      ? 'bubblewrap works'
      : error
        ? 'bubblewrap is missing: apt-get install bubblewrap'
        : 'bubblewrap is here but cannot make namespaces on this machine'
  return {
    name: 'sandbox',
    ok: status === 0,
    needed: false,
    message: status === 0 ? message : `${message}; scenes of strangers are refused`,
  }
}

function folder(path: string): Finding {
  try {
    mkdirSync(path, { recursive: true })
    accessSync(path, constants.W_OK)
    const { bavail, bsize } = statfsSync(path)
    const freeGiB = (bavail * bsize) / 2 ** 30
    return {
      name: 'state',
      ok: freeGiB > 1,
      needed: true,
      message: `${path}, ${freeGiB.toFixed(1)} GiB free${freeGiB > 1 ? '' : ': too little for renders'}`,
    }
  } catch (error) {
    return { name: 'state', ok: false, needed: true, message: `${path} cannot be written: ${(error as Error).message}` }
  }
}

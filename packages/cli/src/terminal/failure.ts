import { isPictorError, type PictorErrorCode } from '@pictor/core/contract'

/** Exit codes of the `pictor` command; documented in docs/cli.md. */
export const EXIT = { ok: 0, failed: 1, usage: 2, software: 3, input: 4, money: 5, ledger: 6, partial: 7, detached: 8 } as const

const EXIT_OF: Partial<Record<PictorErrorCode, number>> = {
  'software-missing': EXIT.software,
  'sandbox-missing': EXIT.software,
  'invalid-input': EXIT.input,
  'scene-missing': EXIT.input,
  'scene-invalid': EXIT.input,
  'scene-too-new': EXIT.input,
  'asset-missing': EXIT.input,
  'not-found': EXIT.input,
  'budget-too-small': EXIT.money,
  'deadline-impossible': EXIT.money,
  'no-farm': EXIT.money,
  'ledger-unreachable': EXIT.ledger,
  'ledger-refused': EXIT.ledger,
}

/** What to print and how to exit for an error: what was wrong, where, what to do. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly details?: unknown
  readonly exit: number
}

const HINTS: Partial<Record<PictorErrorCode, string>> = {
  'invalid-input': '`pictor COMMAND --help` shows what every option takes.',
  'software-missing': 'Install Blender (Debian: apt-get install blender) or set PICTOR_BLENDER to its program.',
  'scene-missing': 'Check the path; quote it when it holds spaces.',
  'scene-invalid': 'Open the file in Blender and save it again, or export the scene as a new file.',
  'scene-too-new': 'Install the Blender version that wrote the file, or save the file from the older version.',
  'asset-missing': 'Put the files where the scene expects them, or pack them: File > External Data > Pack Resources.',
  'budget-too-small': 'Raise --budget, allow more time with --deadline, or render fewer frames.',
  'deadline-impossible': 'Allow more time with --deadline, render fewer frames, or add farms.',
  'ledger-unreachable': 'Check that the chain answers at --rpc; no money was moved by this call.',
  'sandbox-missing': 'Install bubblewrap (Debian: apt-get install bubblewrap); scenes of strangers are never opened without it.',
}

export function failureOf(error: unknown): Failure {
  if (isPictorError(error)) {
    const hint = error.details.hint ?? HINTS[error.code]
    return {
      code: error.code,
      message: error.message,
      ...(hint ? { hint } : {}),
      details: error.details,
      exit: EXIT_OF[error.code] ?? EXIT.failed,
    }
  }
  const code = (error as { code?: unknown } | null)?.code
  return {
    code: typeof code === 'string' ? code : 'internal',
    message: error instanceof Error ? error.message : String(error),
    exit: EXIT.failed,
  }
}

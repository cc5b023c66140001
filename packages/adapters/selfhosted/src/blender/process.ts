import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that cannot be confused with a later one of the same number: pid, start time in clock ticks since boot, and the boot. */
export interface ProcessIdentity {
  readonly pid: number
  readonly start: string
  readonly boot: string
}

/** Identity of a running process, undefined when there is none. Reads /proc (Linux); elsewhere nothing can be told apart and the answer is undefined. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // proc(5): field 2 is the name in brackets and may hold anything, so count from the last bracket; state is field 3, starttime field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return undefined
    return { pid, start: fields[19]!, boot: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() }
  } catch {
    return undefined
  }
}

/** Whether the very process still runs. */
export function isAlive(process: ProcessIdentity): boolean {
  const now = identityOf(process.pid)
  return now !== undefined && now.start === process.start && now.boot === process.boot
}

/** Kills a process group at once; a group that is gone is no error. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Kills a leftover of an earlier run, if it is still the same process, and waits until it is gone. Returns whether there was one. */
export async function killLeftover(leftover: ProcessIdentity): Promise<boolean> {
  if (!isAlive(leftover)) return false
  killGroup(leftover.pid)
  for (let tries = 0; isAlive(leftover) && tries < 500; tries++) await sleep(10)
  return true
}

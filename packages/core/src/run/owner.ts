import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'

/**
 * A name for this process among all that share a store: boot, process id and start time, so that another process on the same machine can tell that its owner is
 * dead and need not wait for the end of its claim. Where the system does not tell these (no /proc) it is random.
 */
export function processOwner(): string {
  const boot = bootId()
  const startedAt = startTicks(process.pid)
  return boot === undefined || startedAt === undefined ? randomUUID() : `${boot}/${process.pid}/${startedAt}/${randomUUID()}`
}

/** Whether the owner was a process of this machine that no longer runs. False when nobody can know. */
export function isDeadOwner(owner: string): boolean {
  const [boot, pid, startedAt] = owner.split('/')
  if (startedAt === undefined || boot !== bootId()) return false
  return startTicks(Number(pid)) !== startedAt
}

function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Field 22 of /proc/PID/stat (proc(5)): clock ticks from boot to the start of the process. Undefined for one that does not run, or is a zombie. */
function startTicks(pid: number): string | undefined {
  try {
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

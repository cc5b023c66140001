import type { FarmEvent, TaskRef } from '@pictor/core/contract'

/** Which tenant a task belongs to. A `Map` fits; a shared store keeps it over restarts. */
export interface Owners {
  get(ref: string): string | undefined | Promise<string | undefined>
  set(ref: string, tenant: string): unknown
}

/** The task an event is about, where it is about one. */
export function taskOf(event: FarmEvent): TaskRef | undefined {
  if (event.type === 'output') return event.output.task
  return 'task' in event ? event.task : undefined
}

/** Events that a tenant may see: those of its own tasks. Tasks without a known owner, and events without a task, are the private tenant's. */
export async function visible(events: readonly FarmEvent[], tenant: string, owners: Owners): Promise<FarmEvent[]> {
  const known = new Map<string, string>()
  const result: FarmEvent[] = []
  for (const event of events) {
    const ref = taskOf(event)?.ref
    if (ref !== undefined && !known.has(ref)) known.set(ref, (await owners.get(ref)) ?? '')
    if ((ref === undefined ? '' : known.get(ref)) === tenant) result.push(event)
  }
  return result
}

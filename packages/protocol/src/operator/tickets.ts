import type { Ticket } from '@pictor/core/contract'

/** The farm's own words for what an operator has to do. */
export interface OperatorWords {
  /** How a package is sent, one step a line. `folder` is where it lies. */
  readonly send: (facts: { readonly name: string; readonly folder: string; readonly downloads: string }) => readonly string[]
  readonly cancel: readonly string[]
  /** Left out: the farm is not known to pause, so hold is refused. */
  readonly hold?: readonly string[]
  readonly resume?: readonly string[]
  /** Left out: priority cannot be changed. */
  readonly priority?: readonly string[]
}

const PRICE = { name: 'price', label: 'Price so far in US dollars, such as 12.50', required: false } as const
const PROBLEM = { name: 'problem', label: 'Leave empty, or say why it cannot be done', required: false } as const

/** Asks the operator to send a package. */
export function sendTicket(name: string, steps: readonly string[]): Ticket {
  return {
    id: `send-${name}`,
    title: `Send ${name}`,
    instructions: steps,
    fields: [{ name: 'job', label: 'Job number that the farm gave', required: true }, PRICE, PROBLEM],
  }
}

/** Asks the operator to cancel, pause or continue; `serial` tells repeated wishes apart. */
export function changeTicket(kind: 'cancel' | 'hold' | 'resume', name: string, steps: readonly string[], serial: number): Ticket {
  const charge = {
    name: 'price',
    label: 'What the farm charged so far, in US dollars, such as 3.20',
    required: kind === 'cancel',
  }
  return {
    id: `${kind}-${name}-${serial}`,
    title: `${kind === 'cancel' ? 'Cancel' : kind === 'hold' ? 'Pause' : 'Continue'} ${name}`,
    instructions: steps,
    fields: kind === 'cancel' ? [charge] : [],
  }
}

/** Asks the operator to change the priority. */
export function priorityTicket(name: string, priority: number, steps: readonly string[], serial: number): Ticket {
  return {
    id: `priority-${name}-${serial}`,
    title: `Set the priority of ${name} to ${priority}`,
    instructions: steps,
    fields: [],
  }
}

/** Asks the operator about a frame that is not whole; one ticket a frame. */
export function frameTicket(name: string, frame: number, problem: string): Ticket {
  return {
    id: `frame-${name}-${frame}`,
    title: `Frame ${frame} of ${name} is not whole`,
    instructions: [problem, 'Download the frame again, or have it rendered again: it is accepted as soon as it is whole.'],
    fields: [{ name: 'give-up', label: 'Write yes when the farm cannot deliver this frame', required: true }],
  }
}

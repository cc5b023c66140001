import { PictorError, type Bytes32 } from '@pictor/core'
import { compose, type StateOptions } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

export interface TicketOptions extends StateOptions {
  readonly answer?: string
  readonly field?: readonly string[]
}

/** `pictor tickets`: what farms ask of people, in all open jobs; `--answer ID --field name=value` answers one. */
export async function tickets(options: TicketOptions, context: CommandContext): Promise<number> {
  const fields = Object.fromEntries((options.field ?? []).map(pair))
  const { pictor, close } = await compose(options)
  try {
    let answered = false
    for await (const { run, outcome } of pictor.jobs()) {
      if (outcome !== undefined) continue
      for (const { farm, ticket } of (await pictor.state(run)).tickets) {
        if (ticket.closed) continue
        context.emit({ type: 'ticket', run, farm, ...ticket })
        if (options.answer === undefined) for (const line of ticketLines(farm, ticket)) context.screen.log(line)
        if (options.answer !== ticket.id) continue
        const missing = ticket.fields.find((field) => field.required && fields[field.name] === undefined)
        if (missing)
          throw new PictorError('invalid-input', `field ${missing.name} is missing: ${missing.label}`, {
            details: { path: `field.${missing.name}`, hint: `--field ${missing.name}=…` },
          })
        await pictor.post(run as Bytes32, { answer: { farm, ticket: ticket.id, fields } }, `answer/${ticket.id}`)
        answered = true
      }
    }
    if (options.answer !== undefined && !answered)
      throw new PictorError('not-found', `no open ticket ${options.answer}`, {
        details: { path: 'answer', hint: 'pictor tickets lists them' },
      })
    return EXIT.ok
  } finally {
    await close()
  }
}

interface ShownTicket {
  readonly id: string
  readonly title: string
  readonly instructions: readonly string[]
  readonly fields: readonly { readonly name: string; readonly label: string; readonly required: boolean }[]
}

function ticketLines(farm: string, ticket: ShownTicket): string[] {
  return [
    `${ticket.id}  ${farm}: ${ticket.title}`,
    ...ticket.instructions.map((step, i) => `  ${i + 1}. ${step}`),
    ...ticket.fields.map((field) => `  --field ${field.name}=…  ${field.label}${field.required ? '' : ' (optional)'}`),
  ]
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1)
    throw new PictorError('invalid-input', `--field: expected name=value, found ${text}`, { details: { path: 'field' } })
  return [text.slice(0, at), text.slice(at + 1)]
}

/** Why an input changed nothing: the input and the state that it met. A value, never thrown. */
export interface MachineRefusal {
  readonly input: string
  readonly state: string
  readonly reason: string
}

export interface Decision<Fact> {
  readonly facts: readonly Fact[]
  readonly refused?: MachineRefusal
}

/**
 * A pure state machine over a journal. `accept` decides, `evolve` changes its own state and nothing else, commands are data that a shell performs. Time comes in as
 * `atMs` and never runs backwards in one stream.
 */
export interface Machine<S, Input, Fact, Command> {
  readonly name: string
  /** Grows with every change of the state's shape or meaning: snapshots of another version are not read. */
  readonly stateVersion: number
  empty(id: string): S
  /** Late, duplicate or impossible input gives no facts and a refusal. Never throws. */
  accept(state: S, input: Input, atMs: number): Decision<Fact>
  /** The next fact that follows from the state alone; called until it gives none, and appended together with what caused it. */
  next(state: S, atMs: number): Fact | undefined
  /** Total over all facts that were ever written. Mutates `state`. */
  evolve(state: S, fact: Fact): void
  /** What the fact that was evolved last has started and what it has made needless. */
  commands(state: S): { readonly started: readonly Command[]; readonly ended: readonly string[] }
  /** All commands that are started and not ended, for recovery. */
  pending(state: S): Iterable<Command>
}

/** Every command has an id that is unique in its stream and the same after a restart: it is the idempotency key. */
export interface CommandBase {
  readonly id: string
}

/** The open commands of a stream, kept inside the state so that recovery is reading it. */
export interface Agenda<C extends CommandBase> {
  readonly open: Map<string, C>
  started: C[]
  ended: string[]
}

export function emptyAgenda<C extends CommandBase>(): Agenda<C> {
  return { open: new Map(), started: [], ended: [] }
}

/** Forgets what the last fact started and ended; the first act of every `evolve`. */
export function turnAgenda(agenda: Agenda<CommandBase>): void {
  if (agenda.started.length > 0) agenda.started = []
  if (agenda.ended.length > 0) agenda.ended = []
}

/** Starts a command. The same id again replaces nothing while it is open. */
export function begin<C extends CommandBase>(agenda: Agenda<C>, command: C): void {
  if (agenda.open.has(command.id)) return
  agenda.open.set(command.id, command)
  agenda.started.push(command)
}

/** Ends a command, whether it is open or not. */
export function finish<C extends CommandBase>(agenda: Agenda<C>, id: string): void {
  if (agenda.open.delete(id)) agenda.ended.push(id)
}

/** Sets a timer anew: the old one with this id ends. */
export function restart<C extends CommandBase>(agenda: Agenda<C>, command: C): void {
  agenda.open.delete(command.id)
  agenda.ended.push(command.id)
  agenda.open.set(command.id, command)
  agenda.started.push(command)
}

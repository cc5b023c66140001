import type { Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { CommandBase, Machine, MachineRefusal } from '../job/machine.ts'
import type { Fence, Store } from '../store/types.ts'
import { OVER } from './effort.ts'
import { writeFact, type FactBase } from './fact-text.ts'
import { dueSnapshot, foldStream } from './fold.ts'

export interface StreamOptions<S, I, F extends FactBase, C extends CommandBase> {
  readonly machine: Machine<S, I, F, C>
  readonly store: Store
  readonly clock: Clock
  readonly name: string
  readonly fence: Fence
  readonly snapshotFacts: number
  /**
   * Performs a command until it is done or the signal ends it. Starts only after its cause is durable. `resumed`: the command was open when the stream was loaded, so
   * an earlier process may have performed it. A rejection is a fault of the effect itself (what may fail outside is tried again there): the stream dies of it, and
   * whoever takes it up again starts the command anew.
   */
  readonly perform: (command: C, signal: AbortSignal, resumed: boolean) => Promise<void>
  /** Told of facts once they are durable. */
  readonly onFacts?: (facts: readonly F[]) => void
  /** The stream cannot go on: the store refused an append. Memory is ahead of the store and must be thrown away. */
  readonly onDead: (error: unknown) => void
  /** False when the group wants nothing more. */
  readonly isOpen?: (state: S) => boolean
}

/** A machine with its journal: inputs in, durable facts, commands out. */
export interface StreamHost<S, I> {
  readonly name: string
  readonly state: S
  /** Resolves when what the input caused is durable; with the refusal when it caused nothing. @throws the append's error */
  send(input: I, answered?: number): Promise<MachineRefusal | undefined>
  /** Starts the open commands of a stream that was loaded. */
  resume(): void
  /** Ids of commands that are being performed. */
  performing(): readonly string[]
  /** Ends all effects; nothing is accepted any more. */
  stop(): void
}

interface Waiting<I> {
  readonly input: I
  readonly answered: number | undefined
  readonly resolve: (refusal: MachineRefusal | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * Loads a stream and keeps it going. Inputs that arrive while an append is under way are decided together and appended together, so a busy stream makes few and
 * large transactions.
 * @throws unknown-fact when a newer version wrote the journal
 */
export async function openStream<S, I extends { readonly type: string }, F extends FactBase, C extends CommandBase>(
  options: StreamOptions<S, I, F, C>,
): Promise<StreamHost<S, I>> {
  const { machine, store, clock, name } = options
  const { state, ...folded } = await foldStream<S, F>(machine, store, name)
  let { seq, snapshotSeq } = folded

  const efforts = new Map<string, AbortController>()
  let queue: Waiting<I>[] = []
  let busy = false
  const life: { dead: unknown } = { dead: undefined }

  const start = (command: C, resumed: boolean): void => {
    const effort = new AbortController()
    efforts.set(command.id, effort)
    void options
      .perform(command, effort.signal, resumed)
      .catch((error: unknown) => {
        if (!effort.signal.aborted) die(error)
      })
      .finally(() => {
        // A later command with the same id may have taken its place.
        if (efforts.get(command.id) === effort) efforts.delete(command.id)
      })
  }
  const end = (id: string): void => {
    efforts.get(id)?.abort(OVER)
    efforts.delete(id)
  }
  const stop = (reason: unknown): void => {
    if (life.dead !== undefined) return
    life.dead = reason
    for (const id of efforts.keys()) end(id)
    for (const waiting of queue) waiting.reject(reason)
    queue = []
  }

  const die = (error: unknown): void => {
    stop(error)
    options.onDead(error)
  }

  /** What a batch of inputs comes to: facts, refusals, and its net effect on commands in order. What started and ended within it never runs. */
  function decide(batch: readonly Waiting<I>[]) {
    const facts: F[] = []
    const refusals = new Map<Waiting<I>, MachineRefusal>()
    const ended: string[] = []
    const started = new Map<string, C>()
    const apply = (fact: F): void => {
      facts.push(fact)
      machine.evolve(state, fact)
      const turn = machine.commands(state)
      for (const id of turn.ended) {
        started.delete(id)
        ended.push(id)
      }
      for (const command of turn.started) started.set(command.id, command)
    }
    for (const waiting of batch) {
      const atMs = clock.now()
      const decision = machine.accept(state, waiting.input, atMs)
      if (decision.refused) refusals.set(waiting, decision.refused)
      for (const fact of decision.facts) apply(fact)
      if (decision.facts.length > 0)
        for (let fact = machine.next(state, atMs); fact; fact = machine.next(state, atMs)) apply(fact)
    }
    return { facts, refusals, ended, started }
  }

  async function write(facts: readonly F[], answered: readonly number[]): Promise<void> {
    if (facts.length === 0 && answered.length === 0) return
    const bodies = facts.map(writeFact)
    const open = options.isOpen?.(state)
    const snapshot = dueSnapshot(machine, state, seq + facts.length, snapshotSeq, options.snapshotFacts, open === false)
    await store.append(name, options.fence, seq, bodies, {
      ...(open === undefined ? {} : { open }),
      ...(answered.length > 0 ? { answered } : {}),
      ...(snapshot === undefined ? {} : { snapshot }),
    })
    seq += facts.length
    if (snapshot !== undefined) snapshotSeq = seq
  }

  async function flush(): Promise<void> {
    busy = true
    while (queue.length > 0 && life.dead === undefined) {
      const batch = queue
      queue = []
      try {
        const { facts, refusals, ended, started } = decide(batch)
        await write(
          facts,
          batch.flatMap(({ answered }) => (answered === undefined ? [] : [answered])),
        )
        for (const id of ended) end(id)
        if (life.dead === undefined) for (const command of started.values()) start(command, false)
        if (facts.length > 0) options.onFacts?.(facts)
        for (const waiting of batch) waiting.resolve(refusals.get(waiting))
      } catch (error) {
        // Refused by the store, or a fault of our own: memory is ahead of the journal either way, and nobody else may suffer from it.
        for (const waiting of batch) waiting.reject(error)
        die(error)
      }
    }
    busy = false
  }

  return {
    name,
    state,
    send: (input, answered) =>
      new Promise((resolve, reject) => {
        if (life.dead !== undefined) return reject(life.dead)
        queue.push({ input, answered, resolve, reject })
        if (!busy) {
          busy = true
          queueMicrotask(() => void flush())
        }
      }),
    resume() {
      for (const command of machine.pending(state)) if (!efforts.has(command.id)) start(command, true)
    },
    performing: () => [...efforts.keys()],
    stop: () => stop(new PictorError('canceled', `${name} was stopped`)),
  }
}

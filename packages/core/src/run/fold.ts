import type { CommandBase, Machine } from '../job/machine.ts'
import type { Store } from '../store/types.ts'
import { readFact, type FactBase } from './fact-text.ts'
import { readSnapshot, writeSnapshot } from './snapshot.ts'

export interface Folded<S> {
  readonly state: S
  /** Sequence number of the last fact; 0 for a new stream. */
  readonly seq: number
  /** Sequence number of the snapshot that was used; 0 when the journal was folded from its first fact. */
  readonly snapshotSeq: number
}

/**
 * Reads a stream's state from its last snapshot and the facts after it.
 * @throws unknown-fact when a newer version wrote the journal
 */
export async function foldStream<S, F extends FactBase>(
  machine: Machine<S, never, F, CommandBase>,
  store: Pick<Store, 'load'>,
  name: string,
): Promise<Folded<S>> {
  let loaded = await store.load(name)
  const kept = loaded.snapshot && (readSnapshot(machine.stateVersion, loaded.snapshot.body) as S | undefined)
  if (loaded.snapshot && kept === undefined) loaded = await store.load(name, { snapshot: false })
  const state = kept ?? machine.empty(name)
  for await (const stored of loaded.facts) machine.evolve(state, readFact<F>(stored.body, name))
  return { state, seq: loaded.seq, snapshotSeq: kept === undefined ? 0 : loaded.snapshot!.seq }
}

/** The state of a stream that others write, brought up to date again and again: what is new is folded, not the whole journal. */
export interface StreamReader<S> {
  /** @throws unknown-fact when a newer version writes the journal */
  catchUp(): Promise<Folded<S>>
}

export function streamReader<S, F extends FactBase>(
  machine: Machine<S, never, F, CommandBase>,
  store: Pick<Store, 'load'>,
  name: string,
): StreamReader<S> {
  let known: Folded<S> | undefined
  let reading: Promise<Folded<S>> | undefined
  async function read(): Promise<Folded<S>> {
    if (!known) return (known = await foldStream(machine, store, name))
    let { seq } = known
    const { snapshot, facts } = await store.load(name, { after: seq })
    // A store that does not know `after`: its snapshot may hold facts that it does not give, and it gives facts that are folded already.
    if (snapshot && snapshot.seq > seq) return (known = await foldStream(machine, store, name))
    for await (const stored of facts) {
      if (stored.seq <= seq) continue
      machine.evolve(known.state, readFact<F>(stored.body, name))
      known = { ...known, seq: (seq = stored.seq) }
    }
    return known
  }
  return {
    catchUp: () => (reading ??= read().finally(() => (reading = undefined))),
  }
}

/**
 * The snapshot that goes with facts up to `seq`, when one is due. A snapshot costs what the state is large, so one is due when the journal has grown by a quarter, and
 * at the end of a stream: the cost for each fact stays the same however long a job is, and a reader never folds more than a fifth of the journal.
 */
export function dueSnapshot(
  machine: { readonly stateVersion: number },
  state: unknown,
  seq: number,
  snapshotSeq: number,
  leastFacts: number,
  ended: boolean,
): string | undefined {
  const tail = seq - snapshotSeq
  const due = tail >= Math.max(leastFacts, snapshotSeq / 4) || (ended && tail >= leastFacts / 4)
  return due ? writeSnapshot(machine.stateVersion, state) : undefined
}

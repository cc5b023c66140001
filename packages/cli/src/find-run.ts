import { PictorError, type Bytes32, type Pictor } from '@pictor/core'

/** The run that is meant: its id, the beginning of an id, or the name of its job, where that fits one run of the folder only. @throws not-found, invalid-input */
export async function findRun({ jobs }: Pick<Pictor, 'jobs'>, text: string): Promise<Bytes32> {
  if (/^0x[0-9a-f]{64}$/.test(text)) return text as Bytes32
  const found: Bytes32[] = []
  for await (const { run, name } of jobs())
    if (name === text || (/^0x[0-9a-f]+$/i.test(text) && run.startsWith(text.toLowerCase()))) found.push(run)
  const [first, ...others] = found
  const hint = '`pictor jobs` lists the runs of this folder'
  if (first === undefined) throw new PictorError('not-found', `there is no run ${text} here`, { details: { hint } })
  if (others.length > 0)
    throw new PictorError(
      'invalid-input',
      `${text} fits ${found.length} runs: ${found.map((run) => run.slice(0, 12)).join(', ')}`,
      {
        details: { path: 'run', hint },
      },
    )
  return first
}

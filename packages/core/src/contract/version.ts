import { PictorError } from './error.ts'

/** Versions of the contract that this core speaks. The next one is added beside the present one (docs/decisions/0003-contract-freeze.md). */
export const CONTRACT_VERSIONS: readonly number[] = [1]

/** Refuses a farm, checker or ledger of a contract that this core does not speak; `path` names its place (`farms[0]`). @throws unsupported */
export function checkContract(part: { readonly contract: unknown; readonly id?: string }, path: string): void {
  if (CONTRACT_VERSIONS.includes(part.contract as number)) return
  const name = part.id === undefined ? path : `${path} (${part.id})`
  const newer = typeof part.contract === 'number' && part.contract > Math.max(...CONTRACT_VERSIONS)
  throw new PictorError(
    'unsupported',
    `${name}: contract ${String(part.contract)}; this core speaks ${CONTRACT_VERSIONS.join(', ')}`,
    {
      details: {
        path: `${path}.contract`,
        supported: CONTRACT_VERSIONS,
        hint: newer ? 'update @pictor/core' : 'update the package that this comes from',
      },
    },
  )
}

import type { Farm, FarmInfo } from '../contract/farm.ts'
import type { Memo } from './memo.ts'

const TTL_MS = 600_000

/** What a farm says of itself, its price book included, asked at most every ten minutes. @throws what `describe` throws */
export async function farmInfo(memo: Memo, farm: Farm, describe: () => ReturnType<Farm['describe']>): Promise<FarmInfo> {
  const { value } = await memo.recall({
    name: `farm/${farm.id}`,
    is: (kept): kept is FarmInfo => {
      const { contract, id, capabilities, software } = (kept ?? {}) as Partial<FarmInfo>
      return contract === farm.contract && id === farm.id && typeof capabilities === 'object' && Array.isArray(software)
    },
    ttlMs: () => TTL_MS,
    make: describe,
  })
  return value
}

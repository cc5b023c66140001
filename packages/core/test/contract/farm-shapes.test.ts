import { describe, expect, it } from 'vitest'
import type { Farm } from '../../src/contract/index.ts'
import { apiFarm } from './api-farm.ts'
import { desktopFarm } from './desktop-farm.ts'
import { prepaidFarm } from './prepaid-farm.ts'

describe('three kinds of farm fit the contract', () => {
  const farms: readonly Farm[] = [apiFarm, desktopFarm, prepaidFarm]
  it.each(farms.map((farm) => [farm.id, farm] as const))('%s answers its own name in describe', async (id, farm) => {
    const info = await farm.describe({ key: 'k' })
    expect(info).toMatchObject({ contract: 1, id })
    expect(new Set(['api', 'desktop', 'partner'])).toContain(info.lane)
  })
})

import { describe, expect, it } from 'vitest'
import type { FarmRow, JobStreamState, TaskRow } from '../../src/job/job-state.ts'
import { recordPace, resumePace, startPace } from '../../src/job/pace.ts'

const READY_MS = 10_000

/** A farm with `hosts` hosts of one offer, and leases of 10 frames that were planned to take 60 s. */
function farmWith(hosts: number) {
  const farm = { pace: undefined } as FarmRow
  const state = {
    order: { quotes: [{ farm: 'one', offers: [{ id: 'standard', hosts, readyMs: READY_MS, startMs: 0 }] }] },
  } as unknown as JobStreamState
  const lease = (startedAtMs: number) =>
    ({
      farm: 'one',
      offer: 'standard',
      startedAtMs,
      expectedMs: 60_000,
      frames: Array.from({ length: 10 }),
    }) as unknown as TaskRow
  return { farm, state, lease }
}

describe('the pace of a farm', () => {
  it('is one when leases take what was planned, queue and waiting for a host aside', () => {
    const { farm, state, lease } = farmWith(2)
    startPace(state, farm, lease(0), 0)
    // Four leases are sent at once to two hosts: the last two wait for the first two.
    for (const atMs of [70_000, 70_000, 130_000, 130_000]) recordPace(farm, lease(0), atMs)
    expect(farm.pace).toMatchObject({ tookMs: 240_000, expectedMs: 240_000, frames: 40 })
  })

  it('shows how slow a farm is', () => {
    const { farm, state, lease } = farmWith(1)
    startPace(state, farm, lease(0), 0)
    recordPace(farm, lease(0), READY_MS + 150_000)
    recordPace(farm, lease(0), READY_MS + 300_000)
    expect(farm.pace!.tookMs / farm.pace!.expectedMs).toBe(2.5)
  })

  it('does not count the time in which a host had no lease', () => {
    const { farm, state, lease } = farmWith(1)
    startPace(state, farm, lease(0), 0)
    recordPace(farm, lease(0), 70_000)
    recordPace(farm, lease(1_000_000), 1_060_000)
    expect(farm.pace).toMatchObject({ tookMs: 120_000, expectedMs: 120_000 })
  })

  it('learns nothing from leases that are done before their host was expected to be ready', () => {
    const { farm, state, lease } = farmWith(1)
    startPace(state, farm, lease(0), 0)
    recordPace(farm, lease(0), READY_MS / 2)
    expect(farm.pace).toMatchObject({ tookMs: 0, expectedMs: 0, frames: 0 })
  })

  it('does not count a pause of the job', () => {
    const { farm, state, lease } = farmWith(1)
    startPace(state, farm, lease(0), 0)
    recordPace(farm, lease(0), 70_000)
    // Held from 80 s to an hour later, with one lease on the host and one behind it.
    resumePace(farm)
    recordPace(farm, lease(3_680_000), 3_730_000)
    recordPace(farm, lease(3_680_000), 3_790_000)
    expect(farm.pace).toMatchObject({ tookMs: 120_000, expectedMs: 120_000, frames: 20 })
  })
})

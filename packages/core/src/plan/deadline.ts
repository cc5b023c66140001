import { invalid } from '../contract/error.ts'

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

/**
 * Reads a deadline: a duration from now (`45m`, `2h`, `1h30m`, `3d`), a weekday with a time (`friday 18:00`, local time, the next one), or an ISO 8601 date.
 * @returns Unix milliseconds, always after `nowMs`
 * @throws invalid-input
 */
export function parseDeadline(text: string, nowMs: number): number {
  const at = fromDuration(text.trim().toLowerCase(), nowMs) ?? fromWeekday(text.trim().toLowerCase(), nowMs) ?? Date.parse(text)
  if (!Number.isFinite(at))
    throw invalid('deadline', 'a duration (2h, 45m, 1h30m), a weekday (friday 18:00) or an ISO date', text)
  if (at <= nowMs) throw invalid('deadline', 'a time in the future', text)
  return at
}

function fromDuration(text: string, nowMs: number): number | undefined {
  if (!/^(\d+(\.\d+)?(min|[smhd])\s*)+$/.test(text)) return undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(min|[smhd])/g)) ms += Number(amount) * UNIT_MS[unit!]!
  return nowMs + ms
}

function fromWeekday(text: string, nowMs: number): number | undefined {
  const match = /^([a-z]{3,9})\s+(\d{1,2}):(\d{2})$/.exec(text)
  const day = match ? DAYS.findIndex((name) => name === match[1] || name.slice(0, 3) === match[1]) : -1
  if (!match || day < 0) return undefined
  const at = new Date(nowMs)
  at.setHours(Number(match[2]), Number(match[3]), 0, 0)
  at.setDate(at.getDate() + ((day - at.getDay() + 7) % 7))
  if (at.getTime() <= nowMs) at.setDate(at.getDate() + 7)
  return at.getTime()
}

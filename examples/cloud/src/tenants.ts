import { createHash, timingSafeEqual } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createPictor, PictorError, type Pictor, type PictorOptions } from '@pictor/core'

/** What a tenant's network is made of: everything that must not be shared is made here, per tenant. */
export type Network = Pick<PictorOptions, 'inspector' | 'farms' | 'checkers' | 'signer'> & Partial<PictorOptions>

export interface TenantOptions {
  /** Bearer token of each tenant. Names become folders. */
  readonly tokens: Readonly<Record<string, string>>
  /** Holds a folder for each tenant: journal, ledger, files, scenes, frames. */
  readonly folder: string
  /** Farms, checkers, keys and (left out: a book in the tenant's folder) ledger of one tenant. Its checkers are closed with it, its farms are not: they may be shared. */
  readonly network: (tenant: string, folder: string) => Network | Promise<Network>
}

/** One customer. */
export interface Tenant {
  readonly id: string
  readonly folder: string
  readonly pictor: Pictor
  /** Leaves remote work running. */
  close(): Promise<void>
}

export interface Tenants {
  /** @throws farm-refused when the token is nobody's */
  of(authorization: string | undefined): Promise<Tenant>
  /** Takes up what was under way, of every tenant. */
  start(): Promise<void>
  close(): Promise<void>
}

/** Opens a Pictor for each tenant when it is first needed. Two tenants share nothing but what `network` gives both. @throws invalid-input */
export function openTenants({ tokens, folder, network }: TenantOptions): Tenants {
  const open = new Map<string, Promise<Tenant>>()
  const hashed = Object.entries(tokens).map(([id, token]) => {
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(id)) throw new PictorError('invalid-input', `tokens: ${id} is no name of a tenant`)
    return { id, hash: sha256(token) }
  })

  const get = (id: string): Promise<Tenant> => {
    const known = open.get(id)
    if (known) return known
    const opening = (async () => {
      const home = join(folder, id)
      await mkdir(join(home, 'scenes'), { recursive: true })
      const parts = await network(id, home)
      const pictor = createPictor({ dataDir: home, ...parts })
      const close = async () => {
        await pictor.close()
        // Two checkers on one memory would sign two things: the old one ends before another is opened.
        await Promise.all(parts.checkers.map((checker) => checker.close?.()))
      }
      return { id, folder: home, pictor, close }
    })()
    open.set(id, opening)
    opening.catch(() => open.delete(id))
    return opening
  }

  return {
    async of(authorization) {
      const given = sha256(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '')
      const found = hashed.filter(({ hash }) => timingSafeEqual(hash, given))
      if (found.length === 0) throw new PictorError('farm-refused', 'no such token', { details: { path: 'authorization' } })
      return get(found[0]!.id)
    },
    async start() {
      for (const { id } of hashed) await (await get(id)).pictor.start()
    },
    async close() {
      for (const opening of open.values()) await (await opening).close()
      open.clear()
    },
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

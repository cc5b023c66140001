import { isPictorError, type Address, type Checker } from '@pictor/core'
import { httpChecker, shareFiles } from '@pictor/farm-protocol/checker'

/** A checker on another machine: its URL, the token that its operator gave, and the address that it signs with. */
export interface CheckerEntry {
  readonly url: string
  readonly token: string
  readonly address: string
  /** Allows http:// to other machines (a trusted network). */
  readonly allowInsecure?: boolean
}

/** Where checkers on other machines reach this one to fetch scenes and frames: address and port to listen on, and the URL of a proxy in front. */
export interface FilesEntry {
  readonly host?: string
  readonly port?: number
  readonly url?: string
}

/** Checkers on other machines, and the server from which they fetch the files of jobs. It closes with the last of them. */
export async function reachCheckers(entries: readonly CheckerEntry[], files: FilesEntry): Promise<readonly Checker[]> {
  const share = await shareFiles({
    ...(files.host === undefined ? {} : { host: files.host }),
    ...(files.port === undefined ? {} : { port: files.port }),
    ...(files.url === undefined ? {} : { publicUrl: files.url }),
  })
  let open = entries.length
  const close = async (): Promise<void> => {
    if (--open === 0) await share.close()
  }
  try {
    return entries.map(({ url, token, address, allowInsecure = false }, i) => {
      const made = httpChecker({ url, token, address: address.toLowerCase() as Address, share, allowInsecure })
      // Two checkers behind one proxy are two: their address tells them apart.
      return { ...made, id: `${made.id} ${i + 1}`, close }
    })
  } catch (error) {
    await share.close()
    throw isPictorError(error) ? error : new TypeError('expected { "url", "token", "address" }')
  }
}

// A signer process for tests: arguments are the private key, the socket and the log.
import { privateKeySigner } from '@pictor/core/proof'
import { guardedSigner, serveSigner } from '../src/index.ts'

const [key, socket, log] = process.argv.slice(2) as [`0x${string}`, string, string]
await serveSigner(guardedSigner({ signer: privateKeySigner(key), log }), socket)
console.log('listening')

export { derive, openEnvelope, sealPublicKey, sealTo } from './envelope.ts'
export { CHUNK_BYTES, openChunks, sealChunks, type ChunkOptions } from './chunks.ts'
export {
  fileKeyOf,
  leaseSecretOf,
  readLeaseSecret,
  sealedBytes,
  sealedFile,
  sealedPart,
  sealHead,
  unseal,
  type SealedPart,
} from './sealed-file.ts'
export { keysContext, readKeys, requestKeys, sealKeys } from './key-request.ts'

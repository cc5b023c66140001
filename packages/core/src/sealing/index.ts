export { derive, openEnvelope, sealPublicKey, sealTo } from './envelope.ts'
export { fileKeyOf, leaseSecretOf, readLeaseSecret, sealedFile, sealHead, sealOverhead, unseal } from './sealed-file.ts'
export { keysContext, readKeys, requestKeys, sealKeys } from './key-request.ts'

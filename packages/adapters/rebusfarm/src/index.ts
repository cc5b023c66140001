export { rebusFarm, REBUSFARM_FACTS, type RebusFarmByHand, type RebusFarmOptions, type RebusFarmPartner } from './rebus-farm.ts'
export { REBUSFARM_PREPAY, REBUSFARM_PRICES } from './prices.ts'

export {
  garageFarm,
  GARAGEFARM_FACTS,
  type GarageFarmByHand,
  type GarageFarmOptions,
  type GarageFarmPartner,
} from './garage-farm.ts'
export { CPU_NODE_GHZ, GARAGEFARM_PRICES, GPU_NODE_OB } from './prices.ts'

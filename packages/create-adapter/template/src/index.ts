export { __FUNCTION__, type FarmOptions } from './farm.ts'

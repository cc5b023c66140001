export type { DecodePicture } from './arrivals.ts'
export { CHECKED_FORMATS, operatorFarm, type OperatorFarm, type OperatorFarmOptions } from './operator-farm.ts'
export { quoteFrom, STALE_DAYS, staleness, withOwnPrices, type PriceFigure, type PriceOptions } from './price-book.ts'
export type { OperatorWords } from './tickets.ts'

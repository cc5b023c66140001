export { estimateFrom, type MeasuredEstimate } from './estimate.ts'
export { interpolate, predictFrames, type FramePrediction, type ProbeSample } from './fit.ts'
export { probeFarm, type FarmProbe, type ProbeRequest } from './probe.ts'
export { planProbes, type ProbePlan } from './probe-plan.ts'

import { describeChaos } from './chaos-jobs.ts'

describeChaos(10_000)

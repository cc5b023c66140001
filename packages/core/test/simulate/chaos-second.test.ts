import { describeChaos } from './chaos-jobs.ts'

describeChaos(11_000)

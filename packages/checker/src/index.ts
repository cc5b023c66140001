export type { ExcessCorrelation } from './compare/correlation.ts'
export { compareWithReferences, type BiasScale, type ReferenceStatistics } from './compare/references.ts'
export type { RankMeasure } from './compare/rank-scores.ts'
export { compareRanks, type RankScore, type RankStatistics } from './compare/ranks.ts'
export type { ScanStatistic } from './compare/scan.ts'
export {
  BLUR_ALLOWANCE,
  biasLimits,
  correlationLimit,
  judgeRanks,
  judgeReferences,
  judgeSeedLocked,
  noiseRatioLimit,
  ranksCount,
  type BiasLimits,
} from './compare/judge.ts'
export {
  compareSeedLocked,
  seedLockedTolerance,
  withinTolerance,
  type SeedLockedStatistics,
  type SeedLockedTolerance,
} from './compare/seed-locked.ts'
export { cut, encodeHdr, toPicture, type Area, type Picture } from './compare/picture.ts'
export { checkFile, type CheckedFile } from './node/file-check.ts'
export { createChecker, type CheckerOptions, type LocalChecker } from './node/create-checker.ts'
export { settleAlone, type SettleAloneOptions, type SettlingAlone } from './node/settle-alone.ts'
export type { CastVotes, FoundVotes, JobState, KnownLease } from './node/state.ts'
export type { Peer } from './node/voices.ts'
export type { CropSize } from './sampling/crop-size.ts'
export { checkerMetrics, type CheckerMetrics } from './node/metrics.ts'
export {
  DEFAULT_SAMPLING,
  deterrenceFloor,
  escapeBound,
  jobBound,
  samplingPerMille,
  type SamplingOptions,
} from './sampling/rate.ts'
export { checkCoverage, findDuplicates, type Coverage, type HashedFrame } from './sequence/duplicates.ts'
export { differencePicture, type Marks } from './verdict/difference-picture.ts'
export { finding, published, scoreOf, verdictOf, type WeighedFinding, type Weight } from './verdict/finding.ts'
export { checkPath, readCheckSet, type CheckLine, type CheckPathOptions } from './path/check-path.ts'
export type { PartialSpec } from './path/folder.ts'
export type { CheckSet, FrameEntry, ReferenceFiles } from './path/manifest.ts'
export { writeReport, type WriteReportOptions } from './path/write-report.ts'
export { reportPage, type ReportHead, type ReportRow } from './verdict/report-page.ts'
export { guardedSigner, type GuardedSigner, type GuardOptions } from './signer/guarded-signer.ts'
export { digestOf, messageSigner, type CheckerMessage, type MessageSigner, type Unsigned } from './signer/messages.ts'
export { serveSigner, type SignerServer } from './signer/serve-signer.ts'
export { socketSigner, type SocketSigner } from './signer/socket-signer.ts'
export type { FrameFeatures } from './sequence/features.ts'

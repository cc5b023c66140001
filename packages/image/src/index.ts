export { decodeImage, readImageInfo, verifyImage } from './decode.ts'
export { ImageError, isImageError, type ImageErrorCode, type ImageErrorWhere } from './error.ts'
export {
  decodeWithSharp,
  scanWithSharp,
  type ForeignImage,
  type Sharp,
  type SharpInfo,
  type SharpOptions,
  type SharpPipeline,
} from './foreign.ts'
export { pixelHash } from './hash.ts'
export { encodeExr, type EncodeExrOptions, type ExrPlane } from './exr/encode.ts'
export { encodePng, type EncodePngOptions } from './png/encode.ts'
export { halfToFloat } from './half.ts'
export { markedPreview } from './preview.ts'
export { scanImage, type OnRow } from './scan.ts'
export { scanFiles, type ScanFilesOptions, type ScanResult } from './scan-files.ts'
export { sniffFormat } from './sniff.ts'
export { pictureChannels, type PictureChannels } from './stats/part.ts'
export type { RowPlane } from './stats/accumulate.ts'
export type { ImageStats, PartStats, PictureRow, PlaneStats } from './stats/types.ts'
export type {
  Box,
  ChannelInfo,
  ColorSpaceTags,
  ColorType,
  DecodeLimits,
  ImageFile,
  ImageFormat,
  ImageInfo,
  ImagePart,
  ImageWarning,
  PartInfo,
  PixelType,
  Plane,
} from './types.ts'

export { deliverToFolder, frameFileName, type Delivery, type DeliveryWatch } from './deliver.ts'
export { folderArtifacts } from './folder.ts'
export { memoryArtifacts } from './memory.ts'

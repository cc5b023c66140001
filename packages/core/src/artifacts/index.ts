export { deliverToFolder, frameFileName, type Delivery } from './deliver.ts'
export { folderArtifacts } from './folder.ts'
export { memoryArtifacts } from './memory.ts'

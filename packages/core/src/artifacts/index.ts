export { folderArtifacts } from './folder.ts'
export { memoryArtifacts } from './memory.ts'

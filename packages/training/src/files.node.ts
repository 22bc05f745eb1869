/** What the main entry does with files, where there is a file system: `#files` in `package.json` chooses. */
export { csvLog, jsonLinesLog } from './logging/log-file.js';
export { checkpointExists, readCheckpoint, writeCheckpoint } from './trainer/checkpoint-files.js';

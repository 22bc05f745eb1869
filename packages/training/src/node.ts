/** What needs a file system: `@modelwright/training/node`. The main entry also runs in browsers. */
export { writeFileAtomically } from './checkpoint/atomic-file.js';
export { loadSafetensors, saveSafetensors } from './checkpoint/safetensors-file.js';
export { fromCsvFile, fromIdxFiles } from './data/files.js';
export { csvLog, jsonLinesLog, type LogFile, type LogFileOptions, type LogRecord } from './logging/log-file.js';

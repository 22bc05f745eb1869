import { ModelwrightError } from '@modelwright/core';
import type * as files from './files.node.js';

const hint =
  'in a page, keep weights with writeOnnx(trainer.model) or encodeSafetensors(model.getWeights()), and offer the bytes as a ' +
  'download or put them in a store of the browser';

function unwritable(path: string): ModelwrightError<'file-unwritable'> {
  return new ModelwrightError('file-unwritable', `cannot write '${path}': there is no file system here; ${hint}`, {
    file: path,
    hint,
  });
}

function unreadable(path: string): ModelwrightError<'file-unreadable'> {
  return new ModelwrightError('file-unreadable', `cannot read '${path}': there is no file system here; ${hint}`, {
    file: path,
    hint,
  });
}

/** There is no log without a file system: each record is refused with a `file-unwritable` error. */
export const csvLog: typeof files.csvLog = (path) => ({ path, write: () => Promise.reject(unwritable(path)) });
export const jsonLinesLog: typeof files.jsonLinesLog = csvLog;

/** Nothing can have been written, so no checkpoint exists and none can be read. */
export const checkpointExists: typeof files.checkpointExists = () => Promise.resolve(false);
export const readCheckpoint: typeof files.readCheckpoint = (path) => Promise.reject(unreadable(path));
export const writeCheckpoint: typeof files.writeCheckpoint = (path) => Promise.reject(unwritable(path));

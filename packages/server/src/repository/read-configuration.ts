import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import { parseConfiguration } from './parse-configuration.js';
import { parseTritonConfiguration } from './triton-configuration.js';

const longestBytes = 2 ** 20;

/** The configuration in a file: our JSON, or Triton's `config.pbtxt`. @throws {@link ModelwrightError} `invalid-configuration`. */
export async function readConfiguration(file: string | undefined): Promise<ModelConfiguration> {
  if (file === undefined) return {};
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `'${file}' cannot be read`, { file, cause });
  });
  if (text.length > longestBytes) throw new ModelwrightError('limit-exceeded', `'${file}' is too long`, { file });
  const name = basename(file);
  return name.endsWith('.pbtxt') ? parseTritonConfiguration(text, name) : parseConfiguration(text, name);
}

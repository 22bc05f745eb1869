import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '@modelwright/training';
import { fromIdxFiles } from '@modelwright/training/node';

const fileNames = { train: ['train'], test: ['t10k', 'test'] } as const;

/**
 * The digits of MNIST from the IDX files of a folder, gzipped or not: `[mnist-]train-images-idx3-ubyte[.gz]` and so on. A
 * scale below 1 takes the first digits alone.
 */
export async function readDigits(folder: string, part: keyof typeof fileNames, scale = 1): Promise<Dataset> {
  const files = readdirSync(folder);
  const find = (kind: string): string => {
    const found = files.find((file) => file.includes(kind) && fileNames[part].some((name) => file.includes(name)));
    if (found === undefined)
      throw new TypeError(`${folder} has no file of ${kind} for ${fileNames[part].join(' or ')}`);
    return join(folder, found);
  };
  const all = await fromIdxFiles(find('images-idx3'), find('labels-idx1'));
  return scale >= 1 ? all : all.take(Math.round((all.cardinality ?? 0) * scale));
}

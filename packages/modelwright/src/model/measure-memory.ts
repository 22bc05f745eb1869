import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Backend, Model, TensorMap } from '@modelwright/core';
import { writeOnnxFile } from '@modelwright/onnx/file';
import { encodeNpz } from '../files/npz.js';
import { labelOf } from './choose-backend.js';

/**
 * By how many bytes a process of its own grows at most to load a model and run it a few times.
 *
 * @returns undefined where the process fails: the model was run here before, so what is wrong is the measuring.
 */
export async function measureMemory(model: Model, backend: Backend, inputs: TensorMap): Promise<number | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'modelwright-memory-'));
  try {
    const [modelFile, inputsFile] = [join(folder, 'model.onnx'), join(folder, 'inputs.npz')];
    await writeOnnxFile(model, modelFile);
    await writeFile(inputsFile, encodeNpz(inputs));
    const worker = fileURLToPath(new URL(`./memory-worker${extname(import.meta.url)}`, import.meta.url));
    const args = [...process.execArgv, worker, modelFile, inputsFile, labelOf(backend)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return (JSON.parse(stdout) as { bytes: number }).bytes;
  } catch {
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

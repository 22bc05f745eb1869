/** A training in a process of its own, for tests that kill it. Says `step <n>` after each batch. */
import { createReferenceBackend } from '@modelwright/core';
import { callback } from '../callbacks/callback.js';
import { modelCheckpoint } from '../callbacks/model-checkpoint.js';
import { saveSafetensors } from '../checkpoint/safetensors-file.js';
import { trainingRun } from './resumable-training.cases.js';

interface ProcessOptions {
  readonly backend: string;
  readonly result: string;
  readonly checkpoint?: string;
}

const { backend: name, result, checkpoint } = JSON.parse(process.argv[2] ?? '{}') as ProcessOptions;
const backend =
  name === 'reference'
    ? createReferenceBackend()
    : await import('@modelwright/backend-onnxruntime').then(({ createBackend }) => createBackend());
const { trainer, fit } = await trainingRun({ backend });
const report = callback({ onBatchEnd: (_, __, run) => void process.stdout.write(`step ${run.step}\n`) });
await fit(
  checkpoint === undefined
    ? {}
    : {
        resumeFrom: { path: checkpoint, optional: true },
        callbacks: [modelCheckpoint({ path: checkpoint, saveFrequency: 5 }), report],
      },
);
await saveSafetensors(result, trainer.model.getWeights());
await trainer.dispose();
await backend.dispose();

import { performance } from 'node:perf_hooks';
import {
  type Backend,
  GraphBuilder,
  isModelwrightError,
  ModelwrightError,
  type Program,
  tensor,
  toNumbers,
} from '@modelwright/core';
import type { BackendConfiguration } from '../backend/backend-configuration.js';
import { loadBackend } from '../backend/load-backend.js';
import { labelOf, nameOf } from './choose-backend.js';

/** Whether a backend works here. */
export type BackendHealth = WorkingBackend | BrokenBackend;

export interface WorkingBackend {
  readonly asked: string;
  readonly works: true;
  /** `onnxruntime:cpu` */
  readonly backend: string;
  /** What the backend says of itself beyond the specification: its engine and version. */
  readonly detail?: string;
  readonly opCount: number;
  readonly threads: number;
  /** From loading it to the answer of the program. */
  readonly milliseconds: number;
}

export interface BrokenBackend {
  readonly asked: string;
  readonly works: false;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** Loads a backend and lets it compute `relu(x · w)` for numbers whose answer is known. */
export async function probeBackend(configuration: BackendConfiguration): Promise<BackendHealth> {
  const asked = nameOf(configuration);
  const started = performance.now();
  try {
    const backend = await loadBackend(configuration);
    try {
      await checkAnswer(backend);
      const { capabilities } = backend;
      const detail = detailOf(backend);
      return {
        asked,
        works: true,
        backend: labelOf(backend),
        ...(detail === undefined ? {} : { detail }),
        opCount: capabilities.ops.size,
        threads: capabilities.threads,
        milliseconds: performance.now() - started,
      };
    } finally {
      await backend.dispose();
    }
  } catch (error) {
    return { asked, works: false, error: describe(error) };
  }
}

async function checkAnswer(backend: Backend): Promise<void> {
  const executable = await backend.compile(probeProgram());
  const { y } = await executable.run({ x: tensor([[1, -2]]) });
  const answer = y === undefined ? [] : Array.from(toNumbers(y));
  if (answer.length === 2 && answer[0] === 7 && answer[1] === 0) return;
  const message = `${labelOf(backend)} computed [${answer}] where [7,0] is right`;
  throw new ModelwrightError('backend-failure', message, { given: answer, allowed: [7, 0] });
}

function probeProgram(): Program {
  const builder = new GraphBuilder('probe');
  const x = builder.input('x', 'float32', [1, 2]);
  const weight = builder.constant(
    tensor([
      [1, -1],
      [-3, 4],
    ]),
    { name: 'weight' },
  );
  builder.output('y', builder.op('Relu', [builder.op('MatMul', [x, weight])]));
  return { graph: builder.build(), state: [] };
}

function detailOf(backend: Backend): string | undefined {
  const { engine, runtimeVersion } = backend as { engine?: unknown; runtimeVersion?: unknown };
  const parts = [engine, runtimeVersion].filter((part): part is string => typeof part === 'string');
  return parts.length === 0 ? undefined : parts.join(' ');
}

function describe(error: unknown): BrokenBackend['error'] {
  if (!isModelwrightError(error))
    return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
  const { hint } = error.details;
  return { code: error.code, message: error.message, ...(hint === undefined ? {} : { hint }) };
}

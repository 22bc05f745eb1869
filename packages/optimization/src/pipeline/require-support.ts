import { type Backend, type Model, ModelwrightError, supportOf } from '@modelwright/core';
import type { OptimizationStep } from '../step.js';

/**
 * Refuses, before anything runs, what a backend cannot run: the model as it is, and what the steps are known to make of it.
 *
 * @returns remarks on what it computes slowly.
 * @throws {@link ModelwrightError} `unsupported-op` that lists ops with their nodes and dtypes.
 */
export function requireSupport(model: Model, backend: Backend, steps: readonly OptimizationStep[]): readonly string[] {
  const { obstacles, notes } = supportOf(model, backend.capabilities);
  if (obstacles.length > 0) throw unsupported(`model '${model.name}'`, backend, obstacles);
  const { ops, dtypes, dtypesOnHost = new Set() } = backend.capabilities;
  const slow = new Set(notes);
  for (const { name, requires = {} } of steps) {
    const missing = [
      ...(requires.ops ?? []).filter((op) => !ops.has(op)).map((op) => `op ${op}`),
      ...(requires.dtypes ?? []).filter((dtype) => !dtypes.has(dtype)).map((dtype) => `dtype ${dtype}`),
    ];
    if (missing.length > 0) throw unsupported(`what step '${name}' makes`, backend, missing);
    for (const dtype of requires.dtypes ?? []) {
      if (dtypesOnHost.has(dtype)) slow.add(`${dtype} is computed on the host: slow`);
    }
  }
  return [...slow].map((note) => `${labelOf(backend)}: ${note}`);
}

/**
 * Refuses what a step has made where a backend cannot run it.
 *
 * @throws {@link ModelwrightError} `unsupported-op`.
 */
export function requireSupportAfter(step: string, model: Model, backend: Backend): readonly string[] {
  const { obstacles, notes } = supportOf(model, backend.capabilities);
  if (obstacles.length > 0) throw unsupported(`what step '${step}' made`, backend, obstacles);
  return notes.map((note) => `${labelOf(backend)}: ${note}`);
}

/** `onnxruntime:cpu` */
export function labelOf({ name, device }: Pick<Backend, 'name' | 'device'>): string {
  return `${name}:${device}`;
}

function unsupported(what: string, backend: Backend, obstacles: readonly string[]): ModelwrightError {
  const message = `${labelOf(backend)} cannot run ${what}: ${obstacles.join('; ')}`;
  return new ModelwrightError('unsupported-op', message, {
    given: obstacles,
    hint: 'measure: false optimizes for another backend without running the result here',
  });
}

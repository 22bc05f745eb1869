import { formatShape, ModelwrightError, sameShape, type Value } from '@modelwright/core';
import type { Loss } from '../losses/loss.js';
import { type Arithmetic, extents } from '../symbolic/arithmetic.js';

interface Alignment {
  readonly output: string;
  readonly loss: Pick<Loss, 'name' | 'targets'>;
  readonly target: Value;
  readonly prediction: Value;
}

/**
 * Targets as their loss takes them: integer labels `[batch, …]`, or numbers in the prediction's shape and dtype. A missing
 * or superfluous last axis of extent 1 is set right, as Keras does.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` naming the output, with the loss that would fit.
 */
export function alignTarget(arithmetic: Arithmetic, alignment: Alignment): Value {
  const { loss, target, prediction } = alignment;
  if (loss.targets === 'sequences') return rowsOfLabels(arithmetic, loss, target);
  const wanted = wantedShape(alignment);
  const given = extents(target.shape);
  const fits = sameShape(given, wanted) || sameShape([...given, 1], wanted) || sameShape(given, [...wanted, 1]);
  if (!fits) throw misfit(alignment, wanted);
  const dtype = loss.targets === 'classes' ? 'int64' : prediction.dtype;
  return arithmetic.reshape(arithmetic.cast(target, dtype), wanted);
}

function wantedShape({ loss, prediction }: Alignment): readonly number[] {
  const shape = extents(prediction.shape);
  return loss.targets === 'classes' ? shape.slice(0, -1) : shape;
}

function rowsOfLabels(arithmetic: Arithmetic, loss: Alignment['loss'], target: Value): Value {
  if (target.shape.length === 2) return arithmetic.cast(target, 'int64');
  throw new ModelwrightError(
    'shape-mismatch',
    `targets of loss '${loss.name}' have shape ${formatShape(target.shape)}; it takes rows of labels, [batch, labels]`,
    { given: target.shape },
  );
}

function misfit({ output, loss, target, prediction }: Alignment, wanted: readonly number[]): ModelwrightError {
  const hint = hintFor(loss, target, prediction);
  return new ModelwrightError(
    'shape-mismatch',
    `targets of output '${output}' have shape ${formatShape(target.shape)}; loss '${loss.name}' on the output ` +
      `${formatShape(prediction.shape)} takes ${formatShape(wanted)}${hint === undefined ? '' : `. ${hint}`}`,
    { layer: output, given: target.shape, allowed: wanted, ...(hint === undefined ? {} : { hint }) },
  );
}

function hintFor(loss: Alignment['loss'], target: Value, prediction: Value): string | undefined {
  const labels = target.shape.length === prediction.shape.length - 1 || target.shape.at(-1) === 1;
  if (loss.targets === 'classes' && sameShape(target.shape, prediction.shape)) {
    return "For one-hot targets take 'categoricalCrossentropy'";
  }
  return loss.name === 'categoricalCrossentropy' && labels
    ? "For integer labels take 'sparseCategoricalCrossentropy'"
    : undefined;
}

import type { GraphBuilder, Value } from '@modelwright/core';
import type { LayerContext } from '../../layer.js';
import { columnsByGate, stateMask } from './gate-weights.js';

interface StateProjection {
  /** `[time, batch, …]`, for the size of the batch. */
  readonly x: Value;
  /** `[units, gates · units]` */
  readonly columns: Value;
  readonly gates: number;
  /** 0 for none. */
  readonly dropout: number;
}

/** `h · recurrentKernel` for a step; with dropout each gate sees the state without other units: `(h∘mask_g) · R_g`. */
export function projectState(
  context: LayerContext,
  { x, columns, gates, dropout }: StateProjection,
): (inner: GraphBuilder, h: Value) => Value {
  if (dropout === 0) return (inner, h) => inner.op('MatMul', [h, columns]);
  const { builder } = context;
  const units = columns.shape[0] as number;
  const mask = stateMask(context, { x, units, gates, dropout });
  const byGate = columnsByGate(builder, columns, gates);
  return (inner, h) => {
    const products = inner.op('MatMul', [inner.op('Mul', [mask, h]), byGate]);
    const parts = inner.node(
      'Split',
      [products, inner.integers(Array.from({ length: gates }, () => 1))],
      { axis: 0 },
      {
        outputs: gates,
      },
    );
    const flat = parts.map((part) => inner.op('Squeeze', [part, inner.integers([0])]));
    return inner.op('Concat', flat, { axis: -1 });
  };
}

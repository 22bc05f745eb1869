import { createReferenceBackend, GraphBuilder, type Program, tensor, type Value, zeros } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { createBackend } from '../backend.js';
import { splitProgram } from './split-program.js';

interface Variant {
  readonly op: 'ScatterND' | 'ScatterElements';
  /** What else the graph does with the buffer. */
  readonly further?: ((builder: GraphBuilder, values: { buffer: Value; next: Value; rows: Value }) => void) | undefined;
}

/** Writes rows into a buffer and sums it up as it is then. */
function writing({ op, further }: Variant): Program {
  const builder = new GraphBuilder('writing');
  const buffer = builder.input('buffer', 'float32', [4, 3]);
  const rows = builder.input('rows', 'float32', [1, 3]);
  const at = builder.input('at', 'int64', op === 'ScatterND' ? [1, 1] : [1, 3]);
  const next = builder.op(op, [buffer, at, rows]);
  builder.output('sum', builder.op('MatMul', [next, builder.constant([[1], [10], [100]])]));
  further?.(builder, { buffer, next, rows });
  builder.output('buffer.next', next);
  return {
    graph: builder.build(),
    state: [{ name: 'buffer', input: 'buffer', output: 'buffer.next', initial: zeros('float32', [4, 3]) }],
  };
}

const readers: { readonly [name: string]: Variant['further'] } = {
  'the buffer as it was is read, too': (builder, { buffer }) =>
    builder.output('before', builder.op('MatMul', [buffer, builder.constant([[1], [1], [1]])])),
  'the buffer as it was is told': (builder, { buffer }) => builder.output('before', buffer),
  'the next buffer is told': (builder, { next }) => builder.output('after', next),
};

describe.each(['ScatterND', 'ScatterElements'] as const)('%s into a buffer', (op) => {
  const runs = [2, 0, 2, 3].map((row, index) => ({
    rows: tensor([[index + 1, index + 2, index + 3]]),
    at: op === 'ScatterND' ? tensor([[row]], { dtype: 'int64' }) : tensor([[row, row, row]], { dtype: 'int64' }),
  }));

  it('is written in place, where nobody wants it as it was', () => {
    const [store] = splitProgram(writing({ op }), { onHost: true }).runtimeStores;
    expect(store).toMatchObject({ slot: { name: 'buffer' }, isInPlace: true });
  });

  it.each(Object.entries(readers))('is not when %s', (_, further) => {
    const [store] = splitProgram(writing({ op, further }), { onHost: true }).runtimeStores;
    expect(store?.isInPlace).toBe(false);
  });

  it.each([undefined, ...Object.values(readers)])('gives what the reference gives (%#)', async (further) => {
    const program = writing({ op, further });
    const expected = await (await createReferenceBackend().compile(program)).runMany(runs);
    for (const engine of ['native', 'binding'] as const) {
      const backend = await createBackend({ engine });
      const executable = await backend.compile(program);
      expect(await executable.runMany(runs)).toEqual(expected);
      expect((await executable.readState()).buffer?.data).toEqual(Float32Array.of(2, 3, 4, 0, 0, 0, 3, 4, 5, 4, 5, 6));
      await backend.dispose();
    }
  });
});

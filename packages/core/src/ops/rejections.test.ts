import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../errors.js';
import type { Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { tensor } from '../tensor/tensor.js';

interface Rejection {
  readonly build: (builder: GraphBuilder) => Value;
  readonly code: ErrorCode;
  /** Parts of the message: what was given and what is allowed. */
  readonly says: readonly string[];
}

const rejections: { readonly [what: string]: Rejection } = {
  'operands of two dtypes': {
    build: (b) => b.op('Add', [b.input('a', 'float32', [2]), b.input('b', 'float64', [2])]),
    code: 'dtype-mismatch',
    says: ['float32', 'float64'],
  },
  'arithmetic on bools': {
    build: (b) => b.op('Add', [b.input('a', 'bool', [2]), b.input('b', 'bool', [2])]),
    code: 'dtype-mismatch',
    says: ['bool'],
  },
  'shapes that do not broadcast': {
    build: (b) => b.op('Mul', [b.input('a', 'float32', [2, 3]), b.input('b', 'float32', [2])]),
    code: 'shape-mismatch',
    says: ['[2,3]', '[2]'],
  },
  'a logarithm of integers': {
    build: (b) => b.op('Log', [b.input('a', 'int32', [2])]),
    code: 'dtype-mismatch',
    says: ['int32', 'floating'],
  },
  'a float remainder with the sign of the divisor': {
    build: (b) => b.op('Mod', [b.input('a', 'float32', [2]), b.input('b', 'float32', [2])]),
    code: 'invalid-attribute',
    says: ['fmod', 'float32'],
  },
  'a bound of Clip that is not a scalar': {
    build: (b) => b.op('Clip', [b.input('a', 'float32', [2]), b.input('low', 'float32', [2])]),
    code: 'shape-mismatch',
    says: ['lower bound', '[2]', 'rank 0'],
  },
  'a condition that is no bool': {
    build: (b) =>
      b.op('Where', [b.input('c', 'int32', [2]), b.input('a', 'float32', [2]), b.input('b', 'float32', [2])]),
    code: 'dtype-mismatch',
    says: ['int32', 'bool'],
  },
  'a shift in no direction': {
    build: (b) =>
      b.op('BitShift', [b.input('a', 'uint8', [2]), b.input('b', 'uint8', [2])], { direction: 'UP' as 'LEFT' }),
    code: 'invalid-attribute',
    says: ['UP', 'LEFT', 'RIGHT'],
  },
  'attention over heads that features do not divide into': {
    build: (b) => {
      const x = b.input('x', 'float32', [2, 3, 10]);
      return b.op('Attention', [x, x, x], { q_num_heads: 4, kv_num_heads: 4 });
    },
    code: 'shape-mismatch',
    says: ['10 features', '4 heads'],
  },
  'attention of flat inputs without heads': {
    build: (b) => {
      const x = b.input('x', 'float32', [2, 3, 8]);
      return b.op('Attention', [x, x, x]);
    },
    code: 'invalid-attribute',
    says: ['q_num_heads', 'kv_num_heads'],
  },
  'keys of another size than queries': {
    build: (b) => {
      const [q, k] = [b.input('q', 'float32', [2, 2, 3, 4]), b.input('k', 'float32', [2, 2, 3, 5])];
      return b.op('Attention', [q, k, k]);
    },
    code: 'shape-mismatch',
    says: ['the key', '[2,2,3,5]', '[2,2,3,4]'],
  },
  'an attention mask that does not broadcast': {
    build: (b) => {
      const x = b.input('x', 'float32', [2, 2, 3, 4]);
      return b.op('Attention', [x, x, x, b.input('mask', 'bool', [2, 3])]);
    },
    code: 'shape-mismatch',
    says: ['attn_mask [2,3]', '[2,2,3,3]'],
  },
  'past keys without past values': {
    build: (b) => {
      const x = b.input('x', 'float32', [2, 2, 3, 4]);
      return b.op('Attention', [x, x, x, undefined, b.input('past', 'float32', [2, 2, 1, 4])]);
    },
    code: 'invalid-graph',
    says: ['come together'],
  },
  'an odd number of features that turn': {
    build: (b) => {
      const cache = b.input('cache', 'float32', [2, 3, 1]);
      return b.op('RotaryEmbedding', [b.input('x', 'float32', [2, 2, 3, 4]), cache, cache], {
        rotary_embedding_dim: 3,
      });
    },
    code: 'invalid-attribute',
    says: ['3 of 4 features'],
  },
  'matrices that do not fit': {
    build: (b) => b.op('MatMul', [b.input('a', 'float32', [2, 3]), b.input('b', 'float32', [4, 5])]),
    code: 'shape-mismatch',
    says: ['[2,3]', '[4,5]', '3 columns', '4 rows'],
  },
  'a transposed Gemm that does not fit': {
    build: (b) => b.op('Gemm', [b.input('a', 'float32', [2, 3]), b.input('b', 'float32', [3, 5])], { transB: 1 }),
    code: 'shape-mismatch',
    says: ['transB = 1', '3 columns', '5 rows'],
  },
  'an addend wider than the product': {
    build: (b) => {
      const [x, w, c] = [
        b.input('x', 'float32', [1, 3]),
        b.input('w', 'float32', [3, 5]),
        b.input('c', 'float32', [4, 5]),
      ];
      return b.op('Gemm', [x, w, c]);
    },
    code: 'shape-mismatch',
    says: ['[4,5]', '[1,5]'],
  },
  'an equation with too few terms': {
    build: (b) => b.op('Einsum', [b.input('a', 'float32', [2]), b.input('b', 'float32', [2])], { equation: 'i->i' }),
    code: 'invalid-attribute',
    says: ["'i->i'", '1 terms', '2 operands'],
  },
  'an equation whose extents contradict each other': {
    build: (b) => b.op('Einsum', [b.input('a', 'float32', [2]), b.input('b', 'float32', [3])], { equation: 'i,i->' }),
    code: 'shape-mismatch',
    says: ["'i'", '[2]', '[3]'],
  },
  'an axis that is not there': {
    build: (b) => b.op('ReduceSum', [b.input('a', 'float32', [2, 3]), b.integers([2])]),
    code: 'invalid-attribute',
    says: ['axis 2', 'rank 2', '-2…1'],
  },
  'more extremes than elements': {
    build: (b) => b.op('TopK', [b.input('a', 'float32', [2, 3]), b.integers([4])]),
    code: 'shape-mismatch',
    says: ['4', '3 elements'],
  },
  'the largest of an empty axis': {
    build: (b) => b.op('ArgMax', [b.input('a', 'float32', [0, 3])]),
    code: 'shape-mismatch',
    says: ['axis 0 is empty'],
  },
  'labels of the wrong shape': {
    build: (b) =>
      b.op('SoftmaxCrossEntropyLoss', [b.input('x', 'float32', [2, 3]), b.input('labels', 'int64', [2, 3])]),
    code: 'shape-mismatch',
    says: ['[2,3]', '[2]'],
  },
  'labels that are floats': {
    build: (b) =>
      b.op('SparseSoftmaxCrossEntropy', [b.input('x', 'float32', [2, 3]), b.input('labels', 'float32', [2])]),
    code: 'dtype-mismatch',
    says: ['float32', 'int32 or int64'],
  },
};

describe('building refuses', () => {
  test.each(Object.entries(rejections))('%s', (_, { build, code, says }) => {
    const builder = new GraphBuilder();
    const attempt = (): Value => builder.scoped({ name: 'stem.layer', kind: 'layer' }, () => build(builder));
    expect(attempt).toThrow(expect.objectContaining({ code }));
    for (const part of ["layer 'stem.layer'", ...says]) expect(attempt).toThrow(part);
  });
});

test.each(['SparseSoftmaxCrossEntropy', 'SoftmaxCrossEntropyLoss'] as const)('%s refuses labels out of range', (op) => {
  const builder = new GraphBuilder();
  const inputs = [builder.input('x', 'float32', [2, 3]), builder.input('labels', 'int64', [2])];
  builder.output('loss', builder.op(op, inputs));
  const graph = builder.build();
  const fed = {
    x: tensor([
      [0, 0, 0],
      [0, 0, 0],
    ]),
    labels: tensor([1, 3], { dtype: 'int64' }),
  };
  expect(() => evaluateGraph(graph, fed)).toThrow(expect.objectContaining({ code: 'value-out-of-range' }));
  expect(() => evaluateGraph(graph, fed)).toThrow('label 3');
});

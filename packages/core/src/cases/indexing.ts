import type { ScatterReduction } from '../ops/indexing.js';
import { floats, given, type OpCase, random, scalar } from './case.js';

const reductions: readonly ScatterReduction[] = ['add', 'mul', 'max', 'min'];
const differentiableReductions: readonly ScatterReduction[] = ['none', 'add'];

const selections: readonly OpCase[] = [
  {
    id: 'indexing/Gather/rows',
    op: 'Gather',
    inputs: [floats([5, 3]), given('int64', [0, 4, 2])],
    differentiable: [0],
  },
  {
    id: 'indexing/Gather/duplicates add up',
    op: 'Gather',
    inputs: [floats([4, 2]), given('int64', [1, 1, -3, 0], [2, 2])],
    differentiable: [0],
  },
  {
    id: 'indexing/Gather/middle axis',
    op: 'Gather',
    inputs: [floats([2, 4, 3]), given('int32', [3, -4, 3], [3])],
    attributes: { axis: 1 },
    differentiable: [0],
  },
  {
    id: 'indexing/Gather/last axis, matrix of indices',
    op: 'Gather',
    inputs: [floats([2, 3, 4]), given('int64', [0, -1, 2, 1, 1, 3], [2, 3])],
    attributes: { axis: -1 },
    differentiable: [0],
  },
  {
    id: 'indexing/Gather/scalar index',
    op: 'Gather',
    inputs: [floats([3, 2]), scalar('int64', 2)],
    differentiable: [0],
  },
  { id: 'indexing/Gather/no indices', op: 'Gather', inputs: [floats([3, 2]), given('int64', [], [0])] },
  { id: 'indexing/Gather/strings', op: 'Gather', inputs: [given('string', ['a', 'b', 'c']), given('int64', [2, 0])] },
  {
    id: 'indexing/Gather/large',
    op: 'Gather',
    inputs: [floats([1000, 16]), random('int64', [40, 17], { low: -1000, high: 999 })],
  },
  ...(['int8', 'int32', 'int64', 'uint8', 'bool', 'float16', 'float64'] as const).map(
    (dtype): OpCase => ({
      id: `indexing/Gather/${dtype}`,
      op: 'Gather',
      inputs: [random(dtype, [4, 3]), given('int64', [2, -1])],
    }),
  ),
  {
    id: 'indexing/GatherElements/first axis',
    op: 'GatherElements',
    inputs: [floats([4, 3]), given('int64', [0, 3, -1, 2, 2, 2], [2, 3])],
    differentiable: [0],
  },
  {
    id: 'indexing/GatherElements/last axis',
    op: 'GatherElements',
    inputs: [floats([3, 4]), given('int32', [0, 0, -4, 1, 2, 3], [3, 2])],
    attributes: { axis: 1 },
    differentiable: [0],
  },
  {
    id: 'indexing/GatherElements/middle axis, fewer rows',
    op: 'GatherElements',
    inputs: [floats([3, 2, 4]), random('int64', [2, 3, 2], { low: 0, high: 1 })],
    attributes: { axis: -2 },
    differentiable: [0],
  },
  {
    id: 'indexing/GatherElements/int64',
    op: 'GatherElements',
    inputs: [random('int64', [3]), given('int64', [2, 2, 0, 1])],
  },
  {
    id: 'indexing/GatherND/elements',
    op: 'GatherND',
    inputs: [floats([3, 4]), given('int64', [0, 0, 2, -1, 0, 0], [3, 2])],
    differentiable: [0],
  },
  {
    id: 'indexing/GatherND/slices',
    op: 'GatherND',
    inputs: [floats([3, 2, 2]), given('int64', [2, 0, 2], [3, 1])],
    differentiable: [0],
  },
  {
    id: 'indexing/GatherND/batch',
    op: 'GatherND',
    inputs: [floats([2, 3, 4]), given('int64', [1, -1], [2, 1])],
    attributes: { batch_dims: 1 },
    differentiable: [0],
  },
  {
    id: 'indexing/GatherND/two batch axes',
    op: 'GatherND',
    inputs: [floats([2, 2, 3, 2]), given('int64', [0, 2, 1, 1, 0, 0, 2, 1], [2, 2, 2, 1])],
    attributes: { batch_dims: 2 },
    differentiable: [0],
  },
  {
    id: 'indexing/GatherND/int32',
    op: 'GatherND',
    inputs: [random('int32', [2, 3]), given('int64', [1, 2], [1, 2])],
  },
];

const scatters: readonly OpCase[] = [
  ...differentiableReductions.flatMap((reduction): OpCase[] => [
    {
      id: `indexing/ScatterElements/${reduction} along the first`,
      op: 'ScatterElements',
      inputs: [floats([4, 3]), given('int64', [3, 0, -2, 1, 2, 0], [2, 3]), floats([2, 3])],
      attributes: { reduction },
      differentiable: [0, 2],
    },
    {
      id: `indexing/ScatterElements/${reduction} along the last`,
      op: 'ScatterElements',
      inputs: [floats([2, 5]), given('int32', [1, -1, 0, 4], [2, 2]), floats([2, 2])],
      attributes: { axis: 1, reduction },
      differentiable: [0, 2],
    },
    {
      id: `indexing/ScatterND/${reduction} elements`,
      op: 'ScatterND',
      inputs: [floats([3, 4]), given('int64', [0, 1, 2, -1], [2, 2]), floats([2])],
      attributes: { reduction },
      differentiable: [0, 2],
    },
    {
      id: `indexing/ScatterND/${reduction} slices`,
      op: 'ScatterND',
      inputs: [floats([4, 2, 2]), given('int64', [2, 0], [2, 1]), floats([2, 2, 2])],
      attributes: { reduction },
      differentiable: [0, 2],
    },
  ]),
  {
    id: 'indexing/ScatterND/duplicates add up',
    op: 'ScatterND',
    inputs: [floats([3, 2]), given('int64', [1, 1, 0, 1], [4, 1]), floats([4, 2])],
    attributes: { reduction: 'add' },
    differentiable: [0, 2],
  },
  ...reductions.flatMap((reduction): OpCase[] => [
    {
      id: `indexing/ScatterElements/${reduction} of duplicates`,
      op: 'ScatterElements',
      inputs: [floats([3, 2]), given('int64', [0, 1, 0, 1, 0, 1], [3, 2]), floats([3, 2])],
      attributes: { reduction },
    },
    {
      id: `indexing/ScatterND/${reduction} of duplicates`,
      op: 'ScatterND',
      inputs: [floats([3, 2]), given('int64', [1, 1, 1], [3, 1]), floats([3, 2])],
      attributes: { reduction },
    },
    {
      id: `indexing/ScatterND/${reduction} of int64`,
      op: 'ScatterND',
      inputs: [random('int64', [4]), given('int64', [3, 3, 0], [3, 1]), random('int64', [3])],
      attributes: { reduction },
    },
  ]),
  {
    id: 'indexing/ScatterElements/int32',
    op: 'ScatterElements',
    inputs: [random('int32', [4]), given('int64', [3, 1]), random('int32', [2])],
  },
  {
    id: 'indexing/ScatterND/bool',
    op: 'ScatterND',
    inputs: [random('bool', [4]), given('int64', [2], [1, 1]), random('bool', [1])],
  },
  {
    id: 'indexing/ScatterND/no updates',
    op: 'ScatterND',
    inputs: [floats([3]), given('int64', [], [0, 1]), floats([0])],
  },
];

const masks: readonly OpCase[] = [
  {
    id: 'indexing/OneHot/last axis',
    op: 'OneHot',
    inputs: [given('int64', [0, 3, -1, 9]), scalar('int64', 4), floats([2])],
    differentiable: [2],
  },
  {
    id: 'indexing/OneHot/first axis',
    op: 'OneHot',
    inputs: [given('int64', [0, 2, 1, -2], [2, 2]), scalar('int64', 3), floats([2])],
    attributes: { axis: 0 },
    differentiable: [2],
  },
  {
    id: 'indexing/OneHot/middle axis',
    op: 'OneHot',
    inputs: [given('int64', [0, 2, 1, 1], [2, 2]), scalar('int64', 3), floats([2])],
    attributes: { axis: 1 },
    differentiable: [2],
  },
  {
    id: 'indexing/OneHot/int64 from int32',
    op: 'OneHot',
    inputs: [given('int32', [1, 0]), scalar('int32', 2), given('int64', [0, 1])],
  },
  ...[0, 1].flatMap((upper): OpCase[] => [
    {
      id: `indexing/Trilu/${upper ? 'upper' : 'lower'}`,
      op: 'Trilu',
      inputs: [floats([3, 4])],
      attributes: { upper },
      differentiable: [0],
    },
    {
      id: `indexing/Trilu/${upper ? 'upper' : 'lower'}, diagonal -1, batch`,
      op: 'Trilu',
      inputs: [floats([2, 4, 3]), scalar('int64', -1)],
      attributes: { upper },
      differentiable: [0],
    },
    {
      id: `indexing/Trilu/${upper ? 'upper' : 'lower'}, diagonal 9`,
      op: 'Trilu',
      inputs: [random('int64', [2, 3]), scalar('int64', 9)],
      attributes: { upper },
    },
  ]),
  { id: 'indexing/Trilu/empty', op: 'Trilu', inputs: [floats([2, 0, 3])] },
  { id: 'indexing/NonZero/matrix', op: 'NonZero', inputs: [given('float32', [0, 1, -2, 0, 0, Number.NaN], [2, 3])] },
  { id: 'indexing/NonZero/bool', op: 'NonZero', inputs: [random('bool', [2, 2, 2])] },
  { id: 'indexing/NonZero/int64', op: 'NonZero', inputs: [random('int64', [5])] },
  { id: 'indexing/NonZero/none', op: 'NonZero', inputs: [given('int32', [0, 0, 0])] },
  {
    id: 'indexing/Compress/rows',
    op: 'Compress',
    inputs: [floats([3, 2]), { ...given('bool', [true, false, true]), constant: true }],
    attributes: { axis: 0 },
    differentiable: [0],
  },
  {
    id: 'indexing/Compress/columns, short condition',
    op: 'Compress',
    inputs: [floats([2, 4]), { ...given('bool', [false, true, true]), constant: true }],
    attributes: { axis: -1 },
    differentiable: [0],
  },
  {
    id: 'indexing/Compress/flat',
    op: 'Compress',
    inputs: [floats([2, 3]), { ...given('bool', [false, true, false, false, true]), constant: true }],
    differentiable: [0],
  },
  {
    id: 'indexing/Compress/at run time',
    op: 'Compress',
    inputs: [random('int64', [4]), given('bool', [true, true, false, true])],
  },
  { id: 'indexing/EyeLike/wide', op: 'EyeLike', inputs: [floats([2, 4])] },
  {
    id: 'indexing/EyeLike/above the diagonal, int64',
    op: 'EyeLike',
    inputs: [floats([3, 3])],
    attributes: { k: 1, dtype: 7 },
  },
  {
    id: 'indexing/EyeLike/below the diagonal, int32',
    op: 'EyeLike',
    inputs: [random('int32', [4, 2])],
    attributes: { k: -2 },
  },
];

/** Cases of the ops that select, scatter and mark. */
export const indexingCases: readonly OpCase[] = [...selections, ...scatters, ...masks];

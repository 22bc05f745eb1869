import { signed, unsigned, type ValueType, type WasmFunction } from './encode-module.js';
import type { LaneOperation, LoopKernel, LoopNode } from './loop-kernel.js';

/** Opcodes behind the SIMD prefix. */
const simd: { readonly [O in LaneOperation]: number } = {
  equal: 65,
  notEqual: 66,
  less: 67,
  greater: 68,
  lessOrEqual: 69,
  greaterOrEqual: 70,
  not: 77,
  and: 78,
  or: 80,
  exclusiveOr: 81,
  select: 82,
  ceiling: 103,
  floor: 104,
  truncate: 105,
  roundEven: 106,
  abs: 224,
  negate: 225,
  squareRoot: 227,
  add: 228,
  subtract: 229,
  multiply: 230,
  divide: 231,
  minimum: 232,
  maximum: 233,
};
const simdLoad = 0;
const simdLoadSplat32 = 9;
const simdStore = 11;
const simdConstant = 12;
const simdStoreLane32 = 90;
const simdLoadZero32 = 92;

const op = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  end: [0x0b],
  branch: (depth: number): number[] => [0x0c, depth],
  branchIf: (depth: number): number[] => [0x0d, depth],
  get: (local: number): number[] => [0x20, ...unsigned(local)],
  set: (local: number): number[] => [0x21, ...unsigned(local)],
  i32: (value: number): number[] => [0x41, ...signed(value)],
  greaterOrEqualUnsigned: [0x4f],
  add: [0x6a],
  and: [0x71],
  shiftLeft: [0x74],
  simd: (code: number): number[] => [0xfd, ...unsigned(code)],
} as const;

const vectorBytes = 16;
const laneBytes = 4;
/** Alignment hints are exponents of two; a hint too small is always valid. */
const memoryArgument = (offset: number): number[] => [2, ...unsigned(offset)];

/** Positions of a loop function's parameters and locals. */
interface Layout {
  readonly scalars: number;
  readonly count: number;
  readonly position: number;
  readonly end: number;
  readonly vectorEnd: number;
  /** First of one v128 local a node. */
  readonly values: number;
}

/**
 * Compiles a loop kernel to a function `(array₀, …, arrayₙ, scalars, count)` of byte addresses and an element count. Four elements a
 * turn, the rest one by one with the same instructions, so that every element is computed alike.
 */
export function compileLoop(name: string, kernel: LoopKernel): WasmFunction {
  const layout = createLayout(kernel);
  const parameters: ValueType[] = Array.from({ length: kernel.arrayCount + 2 }, () => 'i32');
  const locals: ValueType[] = ['i32', 'i32', 'i32', ...kernel.nodes.map((): ValueType => 'v128')];
  const body = [
    ...[...op.get(layout.count), ...op.i32(2), ...op.shiftLeft, ...op.set(layout.end)],
    ...[...op.get(layout.end), ...op.i32(-vectorBytes), ...op.and, ...op.set(layout.vectorEnd)],
    ...hoist(kernel, layout),
    ...repeat(layout, layout.vectorEnd, vectorBytes, turn(kernel, layout, 'vector')),
    ...repeat(layout, layout.end, laneBytes, turn(kernel, layout, 'lane')),
  ];
  return { name, parameters, locals, body };
}

function createLayout({ arrayCount }: LoopKernel): Layout {
  const scalars = arrayCount;
  return {
    scalars,
    count: scalars + 1,
    position: scalars + 2,
    end: scalars + 3,
    vectorEnd: scalars + 4,
    values: scalars + 5,
  };
}

/** Scalars and constants are spread over their lanes once, before the loop. */
function hoist(kernel: LoopKernel, layout: Layout): number[] {
  return kernel.nodes.flatMap((node, index) => {
    const store = op.set(layout.values + index);
    if (node.kind === 'scalar')
      return [
        ...op.get(layout.scalars),
        ...op.simd(simdLoadSplat32),
        ...memoryArgument(node.index * laneBytes),
        ...store,
      ];
    if (node.kind === 'constant') return [...op.simd(simdConstant), ...splatBytes(node.value), ...store];
    return [];
  });
}

function repeat(layout: Layout, end: number, stepBytes: number, body: readonly number[]): number[] {
  return [
    ...op.block,
    ...op.loop,
    ...[...op.get(layout.position), ...op.get(end), ...op.greaterOrEqualUnsigned, ...op.branchIf(1)],
    ...body,
    ...[...op.get(layout.position), ...op.i32(stepBytes), ...op.add, ...op.set(layout.position)],
    ...op.branch(0),
    ...op.end,
    ...op.end,
  ];
}

function turn(kernel: LoopKernel, layout: Layout, width: 'vector' | 'lane'): number[] {
  const computed = kernel.nodes.flatMap((node, index) => compute(node, index, { layout, width }));
  const stored = kernel.stores.flatMap(({ array, node }) => {
    const code = width === 'vector' ? simdStore : simdStoreLane32;
    const lane = width === 'vector' ? [] : [0];
    const value = op.get(layout.values + node);
    return [...address(layout, array), ...value, ...op.simd(code), ...memoryArgument(0), ...lane];
  });
  return [...computed, ...stored];
}

function compute(node: LoopNode, index: number, at: { layout: Layout; width: 'vector' | 'lane' }): number[] {
  const { layout, width } = at;
  const store = op.set(layout.values + index);
  if (node.kind === 'load')
    return [
      ...address(layout, node.array),
      ...op.simd(width === 'vector' ? simdLoad : simdLoadZero32),
      ...memoryArgument(0),
      ...store,
    ];
  if (node.kind !== 'operation') return [];
  // bitselect takes the mask last; the operands stand as ONNX's Where has them, mask first.
  const order = node.operation === 'select' ? [1, 2, 0] : node.operands.map((_, position) => position);
  const operands = order.flatMap((position) => op.get(layout.values + (node.operands[position] as number)));
  return [...operands, ...op.simd(simd[node.operation]), ...store];
}

function address(layout: Layout, array: number): number[] {
  return [...op.get(array), ...op.get(layout.position), ...op.add];
}

function splatBytes(value: number): number[] {
  return [...new Uint8Array(Float32Array.of(value, value, value, value).buffer)];
}

import { describe, expect, it } from 'vitest';
import { compileLoop } from './compile-loop.js';
import { encodeModule } from './encode-module.js';
import type { LaneOperation, LoopKernel, LoopNode } from './loop-kernel.js';

type LoopFunction = (...parameters: number[]) => void;

function run(kernel: LoopKernel, arrays: readonly Float32Array[], scalars: readonly number[] = []): Float32Array[] {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const module = new WebAssembly.Module(encodeModule([compileLoop('loop', kernel)], { minimum: 1, maximum: 1 }));
  const { loop } = new WebAssembly.Instance(module, { memory: { memory } }).exports as { loop: LoopFunction };
  const count = arrays[0]?.length ?? 0;
  new Float32Array(memory.buffer, 16, scalars.length).set(scalars);
  const views = arrays.map((array, index) => {
    const view = new Float32Array(memory.buffer, 1024 * (index + 1), count);
    view.set(array);
    return view;
  });
  loop(...views.map((view) => view.byteOffset), 16, count);
  return views.map((view) => view.slice());
}

const samples = Float32Array.of(0.5, -1.25, 3, -0, 1e-20, 7, -2.5, 1.5, 2.5, -3, 9);
const others = Float32Array.of(2, -1.25, 0.25, 4, 1, -7, 8, 1.5, 0, 5, -9);

function combine(operation: LaneOperation, arity: number): Float32Array {
  const operands = Array.from({ length: arity }, (_, index) => index);
  const loads = operands.map((array): LoopNode => ({ kind: 'load', array }));
  const kernel: LoopKernel = {
    arrayCount: 2,
    scalarCount: 0,
    nodes: [...loads, { kind: 'operation', operation, operands }],
    stores: [{ array: 1, node: arity }],
  };
  return run(kernel, [samples, others])[1] as Float32Array;
}

describe('compileLoop', () => {
  const binary: [LaneOperation, (a: number, b: number) => number][] = [
    ['add', (a, b) => a + b],
    ['subtract', (a, b) => a - b],
    ['multiply', (a, b) => a * b],
    ['divide', (a, b) => a / b],
    ['minimum', Math.min],
    ['maximum', Math.max],
  ];
  it.each(binary)('%s agrees with float32 arithmetic, tail included', (operation, reference) => {
    expect(combine(operation, 2)).toEqual(
      samples.map((a, index) => Math.fround(reference(a, others[index] as number))),
    );
  });

  const unary: [LaneOperation, (a: number) => number][] = [
    ['abs', Math.abs],
    ['negate', (a) => -a],
    ['squareRoot', Math.sqrt],
    ['floor', Math.floor],
    ['ceiling', Math.ceil],
    ['truncate', Math.trunc],
  ];
  it.each(unary)('%s agrees with float32 arithmetic', (operation, reference) => {
    expect(combine(operation, 1)).toEqual(samples.map((a) => Math.fround(reference(a))));
  });

  it('selects by comparison, with scalars and constants', () => {
    const nodes: LoopNode[] = [
      { kind: 'load', array: 0 },
      { kind: 'scalar', index: 1 },
      { kind: 'constant', value: 10 },
      { kind: 'operation', operation: 'greater', operands: [0, 1] },
      { kind: 'operation', operation: 'select', operands: [3, 2, 0] },
    ];
    const kernel: LoopKernel = { arrayCount: 1, scalarCount: 2, nodes, stores: [{ array: 0, node: 4 }] };
    expect(run(kernel, [samples], [99, 1])[0]).toEqual(samples.map((a) => (a > 1 ? 10 : a)));
  });

  it('reads every array before it writes any', () => {
    const nodes: LoopNode[] = [
      { kind: 'load', array: 0 },
      { kind: 'load', array: 1 },
    ];
    const swap: LoopKernel = {
      arrayCount: 2,
      scalarCount: 0,
      nodes,
      stores: [
        { array: 0, node: 1 },
        { array: 1, node: 0 },
      ],
    };
    expect(run(swap, [samples, others])).toEqual([others, samples]);
  });
});

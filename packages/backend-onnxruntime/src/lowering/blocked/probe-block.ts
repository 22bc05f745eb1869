import {
  fromNumbers,
  type Graph,
  GraphBuilder,
  isModelwrightError,
  type OpAttributes,
  type Tensor,
  toNumbers,
  type Value,
  zeros,
} from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import type { Engine } from '../../engine/engine.js';
import { convolveBlocked, weightGradientBlocked } from './blocked-convolution.js';
import { fromBlocked, toBlocked } from './blocked-layout.js';
import { maxPoolBlocked, maxPoolGradientBlocked } from './blocked-pooling.js';
import { BlockedValues } from './blocked-values.js';

/** Block sizes the runtime is known to use: of processors with 512-bit vectors and with 256-bit ones. */
const candidates = [16, 8];

const known = new WeakMap<Engine, Promise<number | undefined>>();

/**
 * Finds the block size of the runtime's internal layout on this machine by comparing blocked convolutions with plain ones. The layout is
 * no public interface, so it is used only where this small trial gives the right numbers.
 *
 * @returns undefined where the layout is not to be had.
 */
export function probeBlock(engine: Engine): Promise<number | undefined> {
  let found = known.get(engine);
  if (found === undefined) {
    found = firstThatAgrees(engine);
    known.set(engine, found);
  }
  return found;
}

async function firstThatAgrees(engine: Engine): Promise<number | undefined> {
  for (const block of candidates) {
    try {
      if (await agrees(engine, block)) return block;
    } catch (error) {
      if (!isModelwrightError(error)) throw error;
    }
  }
  return undefined;
}

async function agrees(engine: Engine, block: number): Promise<boolean> {
  const results = await runGraph(engine, trial(block));
  const expected = results.slice(0, results.length / 2);
  return expected.every((plain, index) => isClose(plain, results[index + expected.length] as Tensor));
}

/** Blocked forms beside plain ones: convolutions, wide and with fewer channels than a block, a weight gradient, a pooling and its gradient. */
function trial(block: number): Graph {
  const builder = new GraphBuilder('blocked layout trial');
  const extent = 12;
  const pads = [1, 1, 1, 1];
  const attributes = { pads, group: 1, auto_pad: 'NOTSET' as const };
  const request = { builder, attributes, block, leastMultiplications: 0, values: new BlockedValues(builder) };
  const wide = sample(builder, 'wide', [block, 2 * block, extent, extent]);
  const narrow = sample(builder, 'narrow', [block, 3, extent, extent]);
  const gradient = sample(builder, 'gradient', [block, 2 * block, extent, extent]);
  const wideWeight = sample(builder, 'wideWeight', [2 * block, 2 * block, 3, 3]);
  const narrowWeight = sample(builder, 'narrowWeight', [2 * block, 3, 3, 3]);
  const weightShape = [2 * block, 3, 3, 3];
  const swap = (value: Value): Value => builder.op('Transpose', [value], { perm: [1, 0, 2, 3] });
  const plain = [
    builder.op('Conv', [wide, wideWeight], attributes),
    builder.op('Conv', [narrow, narrowWeight], attributes),
    swap(builder.op('Conv', [swap(narrow), swap(gradient)], attributes)),
  ];
  const gradientAttributes = { ...attributes, weight_shape: weightShape };
  const blocked = [
    convolveBlocked(request, { x: wide, weight: wideWeight }),
    convolveBlocked(request, { x: narrow, weight: narrowWeight }),
    weightGradientBlocked({ ...request, attributes: gradientAttributes }, narrow, gradient),
  ];
  const side = [2, 2] as const;
  const window = { kernel_shape: side, strides: side };
  const [maxima, places] = builder.node('MaxPool', [wide], window, { outputs: 2 });
  plain.push(builder.op('MaxUnpool', [maxima, places, builder.integers(wide.shape as readonly number[])], window));
  const pooling = { builder, attributes: window as unknown as OpAttributes['MaxPoolGradient'], block };
  const [source, pooled] = [toBlocked(builder, wide), maxPoolBlocked(pooling, toBlocked(builder, wide))];
  blocked.push(fromBlocked(builder, maxPoolGradientBlocked(pooling, source, pooled, pooled)));
  [...plain, ...blocked].forEach((value, index) => {
    builder.output(`result${index}`, value as Value);
  });
  return builder.build();
}

// As inputs: constants would let the runtime choose the layout by itself.
function sample(builder: GraphBuilder, name: string, shape: readonly number[]): Value {
  return builder.input(name, 'float32', shape);
}

async function runGraph(engine: Engine, graph: Graph): Promise<Tensor[]> {
  const session = await engine.createSession(writeOnnx(graph).bytes);
  const inputs = graph.inputs.map((input, stream) => engine.createValue(filled(input, stream)));
  const outputs = graph.outputs.map(({ value }) =>
    engine.createValue(zeros('float32', value.shape as readonly number[])),
  );
  try {
    const names = graph.outputs.map(({ name }) => name);
    return await session
      .plan(
        graph.inputs.map(({ name }) => name),
        names,
      )
      .run(inputs, outputs);
  } finally {
    for (const value of [...inputs, ...outputs]) value.dispose();
    await session.dispose();
  }
}

function filled({ shape }: Value, stream: number): Tensor {
  const count = (shape as readonly number[]).reduce((product, extent) => product * extent, 1);
  const values = Float64Array.from({ length: count }, (_, index) => Math.sin(index * 0.7 + stream));
  return fromNumbers('float32', shape as readonly number[], values);
}

function isClose(expected: Tensor, given: Tensor): boolean {
  const [left, right] = [toNumbers(expected), toNumbers(given)];
  return left.every((value, index) => Math.abs(value - (right[index] as number)) <= 1e-3 + 1e-4 * Math.abs(value));
}

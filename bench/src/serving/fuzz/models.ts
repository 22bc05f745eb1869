/** Small models of every kind of input, which a fuzzed server serves. */
import { fromNumbers, GraphBuilder, Model, Tensor } from '@modelwright/core';
import { type Processing, processingKey } from '@modelwright/deployment';
import { writeOnnx } from '@modelwright/onnx';
import { type MemoryRepository, memoryRepository } from '@modelwright/server';

const long = (...values: readonly number[]): Tensor =>
  new Tensor('int64', [values.length], BigInt64Array.from(values, BigInt));

/** `y = x · w`: `[batch, 2]` to `[batch, 3]`, with 1…6 in `w`. */
function linear(): Model {
  const builder = new GraphBuilder('linear');
  const x = builder.input('x', 'float32', ['batch', 2]);
  const w = builder.constant(fromNumbers('float32', [2, 3], [1, 2, 3, 4, 5, 6]), { name: 'w' });
  builder.output('y', builder.op('MatMul', [x, w]));
  return new Model({ name: 'linear', graph: builder.build(), parameters: [] });
}

/** Gives back what it is given, of many types and open shapes. */
function echo(): Model {
  const builder = new GraphBuilder('echo');
  const inputs = { long: 'int64', half: 'float16', flag: 'bool', byte: 'uint8', text: 'string' } as const;
  for (const [name, dtype] of Object.entries(inputs)) {
    builder.output(`${name}_out`, builder.op('Identity', [builder.input(name, dtype, [`${name}s`])]));
  }
  return new Model({ name: 'echo', graph: builder.build(), parameters: [] });
}

/** Rows of a table by their number: numbers beyond it make the runtime fail. */
function table(): Model {
  const builder = new GraphBuilder('table');
  const ids = builder.input('ids', 'int64', ['batch', 'length']);
  const rows = builder.constant(fromNumbers('float32', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]), { name: 'rows' });
  builder.output('vectors', builder.op('Gather', [rows, ids], { axis: 0 }));
  return new Model({ name: 'table', graph: builder.build(), parameters: [] });
}

/** How bright a picture of 8 × 8 is, as two labels. */
function brightness(): Model {
  const builder = new GraphBuilder('brightness');
  const picture = builder.input('picture', 'float32', ['batch', 1, 8, 8]);
  const axes = builder.constant(long(1, 2, 3), { name: 'axes' });
  const mean = builder.op('ReduceMean', [picture, axes], { keepdims: 0 });
  builder.output('light', builder.op('Reshape', [mean, builder.constant(long(-1, 1), { name: 'shape' })]));
  const processing: Processing = {
    inputs: { picture: { kind: 'image', width: 8, height: 8, channels: 1, layout: 'channelsFirst' } },
    outputs: { light: { kind: 'labels', labels: ['dark', 'bright'] } },
  };
  const metadata = { [processingKey]: JSON.stringify(processing) };
  return new Model({ name: 'brightness', graph: builder.build(), parameters: [], metadata });
}

/** All of them; `victim` is there to be unloaded. */
export function fuzzedModels(): MemoryRepository {
  const file = (model: Model): { readonly versions: { readonly 1: Uint8Array } } => ({
    versions: { 1: writeOnnx(model).bytes },
  });
  return memoryRepository({
    linear: { ...file(linear()), configuration: { maxBatchSize: 8 } },
    echo: { ...file(echo()), configuration: { maxBatchSize: 0 } },
    table: file(table()),
    brightness: file(brightness()),
    victim: file(linear()),
  });
}

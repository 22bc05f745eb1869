/** Small models of every kind of input, which a fuzzed server serves. */
import { fromNumbers, GraphBuilder, Model, Tensor } from '@modelwright/core';
import { type Processing, processingKey } from '@modelwright/deployment';
import { embedding, globalAveragePooling1d, gpt, input, model } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import { type MemoryRepository, memoryRepository } from '@modelwright/server';
import { characterTokenizer, type Tokenizer } from '@modelwright/text';

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

const letters: Tokenizer = characterTokenizer({
  padToken: '_',
  vocabulary: ['_', ...'abcdefghijklmnopqrstuvwxyz :\n'],
});

/** A language model that nobody taught anything. */
function writer(): Model {
  const sizes = { sequenceLength: 24, layers: 1, heads: 2, width: 16 };
  const { name, graph, parameters } = gpt({ name: 'writer', vocabularySize: letters.vocabularySize, ...sizes });
  const chatTemplate = '{% for message in messages %}{{ message.role }}:{{ message.content }}\n{% endfor %}';
  const generation = { kind: 'generation', tokenizer: 'tokenizer.json', chatTemplate } as const;
  const metadata = { [processingKey]: JSON.stringify({ outputs: { logits: generation } } satisfies Processing) };
  return new Model({ name, graph, parameters, metadata });
}

/** A vector a text. */
function vectors(): Model {
  const text = input({ shape: [8], name: 'text', dtype: 'int32' });
  const rows = embedding({ inputDim: letters.vocabularySize, outputDim: 3 })(text);
  const { graph, parameters } = model({ inputs: text, outputs: { vector: globalAveragePooling1d()(rows) } });
  const processing: Processing = {
    inputs: { text: { kind: 'text', tokenizer: 'tokenizer.json', maxLength: 8 } },
    outputs: { vector: { kind: 'embedding' } },
  };
  return new Model({ name: 'vectors', graph, parameters, metadata: { [processingKey]: JSON.stringify(processing) } });
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
    writer: { versions: { 1: withTokenizer(writer()) }, configuration: { queue: { maxSize: 16 } } },
    vectors: { versions: { 1: withTokenizer(vectors()) } },
  });
}

function withTokenizer(reader: Model): Readonly<Record<string, Uint8Array>> {
  return {
    'model.onnx': writeOnnx(reader).bytes,
    'tokenizer.json': new TextEncoder().encode(JSON.stringify(letters)),
  };
}

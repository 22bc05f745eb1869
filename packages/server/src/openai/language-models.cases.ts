/** A small language model and a small encoder with everything that serving them takes. */
import { Model } from '@modelwright/core';
import { type Processing, processingKey } from '@modelwright/deployment';
import { embedding, globalAveragePooling1d, gpt, input, model } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import { characterTokenizer, type Tokenizer } from '@modelwright/text';
import type { MemoryModel } from '../repository/memory-repository.js';

export const tokenizer: Tokenizer = characterTokenizer({
  padToken: '<|pad|>',
  vocabulary: ['<|pad|>', '<|end|>', ...'\n !,.:?abcdefghijklmnopqrstuvwxyz', 'ä', '🙂'],
});

export const chatTemplate =
  "{% if messages[0].role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}{% for message in messages %}" +
  "{{ message.role + ': ' + message.content + eos_token }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

/** Tokens a text of the writer may have. */
export const contextLength = 96;

/** Continues texts; nobody taught it anything, but it says the same each time. */
export const writer: Model = gpt({
  name: 'writer',
  vocabularySize: tokenizer.vocabularySize,
  sequenceLength: contextLength,
  ...{ layers: 2, heads: 2, width: 32, initializerRange: 0.5, seed: 4 },
});

export const generation: Processing = {
  outputs: {
    logits: {
      kind: 'generation',
      tokenizer: 'tokenizer.json',
      chatTemplate,
      templateValues: { eos_token: '\n' },
      stop: ['<|end|>'],
    },
  },
};

/** The mean of the vectors of a text's letters: `[batch, 5]`. */
function createEncoder(): Model {
  const text = input({ shape: [12], name: 'tokens', dtype: 'int32' });
  const vectors = embedding({ inputDim: tokenizer.vocabularySize, outputDim: 5 })(text);
  const vector = globalAveragePooling1d()(vectors);
  return model({ name: 'encoder', inputs: text, outputs: { vector }, seed: 3 });
}

export const encoder: Model = createEncoder();

const embeds: Processing = {
  inputs: { [encoder.graph.inputs[0]?.name as string]: { kind: 'text', tokenizer: 'tokenizer.json' } },
  outputs: { [encoder.graph.outputs[0]?.name as string]: { kind: 'embedding', normalize: true } },
};

function stored(model: Model, processing: Processing | undefined): Readonly<Record<string, Uint8Array>> {
  const { name, graph, parameters } = model;
  const metadata = processing === undefined ? {} : { [processingKey]: JSON.stringify(processing) };
  return {
    'model.onnx': writeOnnx(new Model({ name, graph, parameters, metadata })).bytes,
    'tokenizer.json': new TextEncoder().encode(JSON.stringify(tokenizer)),
  };
}

/** By name, as a repository in memory holds them; `plain` is for tensors only. */
export const languageModels: Readonly<Record<string, MemoryModel>> = {
  writer: {
    configuration: { generation: { maxConcurrent: 3 }, queue: { maxSize: 4 } },
    versions: { 1: stored(writer, generation) },
  },
  encoder: { versions: { 1: stored(encoder, embeds) } },
  plain: { versions: { 1: stored(encoder, undefined) } },
};

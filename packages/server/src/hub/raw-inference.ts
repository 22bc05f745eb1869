import { Model, type TensorMap, toNumbers } from '@modelwright/core';
import { type Processor, processorOf } from '@modelwright/deployment';
import type { InferenceTiming, RawRequest, RawResult } from '../contract/model-hub.js';
import type { ModelArtifact, ServedResult } from '../contract/served-model.js';

/** What stands before and behind a model. */
export type RawArtifact = Pick<ModelArtifact, 'model' | 'processing' | 'tokenizers'>;

/** What turns pictures and texts into tensors for a model, and its outputs into labels. Keeps none of its weights. */
export function rawProcessorOf({ model, processing, tokenizers }: RawArtifact): Processor {
  const { name, metadata, graph } = model;
  const outline = new Model({
    name,
    metadata,
    parameters: [],
    graph: { ...graph, outputs: [], nodes: [], constants: new Map() },
  });
  return processorOf({ model: outline, processing, tokenizers });
}

/** A version as {@link answerRaw} needs it. */
export interface RawVersion {
  readonly processor: Processor;
  readonly artifact: Pick<ModelArtifact, 'processing' | 'tokenizers'>;
}

/** Turns pictures and texts into tensors, runs them, and turns the outputs into labels or vectors. */
export async function answerRaw(
  { processor, artifact }: RawVersion,
  examples: RawRequest['examples'],
  run: (inputs: TensorMap) => Promise<ServedResult>,
): Promise<Omit<RawResult, 'version'> & { readonly timing: InferenceTiming }> {
  const inputs = processor.encode(examples);
  const inputTokens = tokenCountOf(inputs, artifact);
  const { outputs, timing } = await run(inputs);
  return { answers: processor.decode(outputs), timing, ...(inputTokens === undefined ? {} : { inputTokens }) };
}

/** Ids of all texts without what fills them up. */
function tokenCountOf(inputs: TensorMap, { processing, tokenizers }: RawVersion['artifact']): number | undefined {
  let count: number | undefined;
  for (const [name, spec] of Object.entries(processing?.inputs ?? {})) {
    const ids = inputs[name];
    if (spec.kind !== 'text' || ids === undefined) continue;
    const mask = spec.mask === undefined ? undefined : inputs[spec.mask];
    const padId = tokenizers.get(spec.tokenizer)?.padId;
    const isCounted = mask === undefined ? (value: number) => value !== padId : (value: number) => value !== 0;
    count = (count ?? 0) + toNumbers(mask ?? ids).filter(isCounted).length;
  }
  return count;
}

import type { MessageInitShape } from '@bufbuild/protobuf';
import { ModelwrightError, type Tensor } from '@modelwright/core';
import type { InferenceResult } from '../contract/model-hub.js';
import type { ModelInferResponseSchema } from '../generated/open-inference.generated.js';
import { toBinary } from '../open-inference/binary-tensor.js';
import { classify } from '../open-inference/classification.js';
import { datatypeOf } from '../open-inference/datatype.js';
import type { GrpcInference, GrpcOutput } from './infer-request.js';
import { hasList, writeContents } from './tensor-contents.js';

/**
 * The answer to an inference. Tensors travel as the inputs did: in the lists of their types, or as raw bytes; all raw as soon as one is of
 * a type that has no list.
 *
 * @param labels - By output name, for outputs asked for as classes.
 */
export function renderInference(
  id: string,
  request: GrpcInference,
  result: InferenceResult,
  labels: { readonly [output: string]: readonly string[] } = {},
): MessageInitShape<typeof ModelInferResponseSchema> {
  const tensors = request.outputs.map((output) => tensorFor(output, result, labels[output.name]));
  const isRaw = request.isRaw || tensors.some(({ dtype }) => !hasList(dtype));
  return {
    modelName: result.model,
    modelVersion: result.version,
    id,
    outputs: request.outputs.map(({ name }, index) => {
      const tensor = tensors[index] as Tensor;
      const facts = { name, datatype: datatypeOf(tensor.dtype), shape: tensor.shape.map(BigInt) };
      return isRaw ? facts : { ...facts, contents: writeContents(tensor) };
    }),
    rawOutputContents: isRaw ? tensors.map((tensor) => toBinary(tensor)) : [],
  };
}

function tensorFor({ name, classification }: GrpcOutput, result: InferenceResult, labels?: readonly string[]): Tensor {
  const tensor = result.outputs[name];
  if (tensor === undefined) throw new ModelwrightError('backend-failure', `model '${result.model}' gave no '${name}'`);
  return classification === undefined ? tensor : classify(tensor, classification, labels);
}

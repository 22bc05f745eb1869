import type { DType } from '@modelwright/core';
import { ModelwrightError } from '@modelwright/core';
import type { TensorInfo } from '@modelwright/deployment';
import type { ModelHub } from '../contract/model-hub.js';
import type { ModelInfo, ModelState } from '../contract/model-info.js';

const states: { readonly [S in ModelState]: string } = {
  READY: 'AVAILABLE',
  LOADING: 'LOADING',
  UNLOADING: 'UNLOADING',
  UNAVAILABLE: 'END',
};

const dataTypes: { readonly [D in DType]?: string } = {
  float32: 'DT_FLOAT',
  float64: 'DT_DOUBLE',
  float16: 'DT_HALF',
  bfloat16: 'DT_BFLOAT16',
  bool: 'DT_BOOL',
  string: 'DT_STRING',
};

/** A model's versions and their state, as TensorFlow Serving tells them. */
export function modelStatus(hub: ModelHub, model: string, version?: string): unknown {
  const entries = hub.index().filter(({ name, version: own }) => name === model && (version ?? own) === own);
  if (entries.length === 0) throw new ModelwrightError('model-not-found', `there is no model '${model.slice(0, 64)}'`);
  return {
    model_version_status: entries.map(({ version: own, state, reason }) => ({
      version: own,
      state: states[state],
      status: { error_code: state === 'UNAVAILABLE' ? 'UNAVAILABLE' : 'OK', error_message: reason },
    })),
  };
}

function tensorToJson({ name, dtype, shape }: TensorInfo): readonly [string, unknown] {
  const dim = shape.map((extent) => ({ size: String(typeof extent === 'number' ? extent : -1), name: '' }));
  return [
    name,
    { dtype: dataTypes[dtype] ?? `DT_${dtype.toUpperCase()}`, tensor_shape: { dim, unknown_rank: false }, name },
  ];
}

/** A model's inputs and outputs as the signature that TensorFlow Serving tells. */
export function signatureMetadata(info: ModelInfo): unknown {
  return {
    model_spec: { name: info.name, signature_name: '', version: info.version },
    metadata: {
      signature_def: {
        signature_def: {
          serving_default: {
            inputs: Object.fromEntries(info.inputs.map(tensorToJson)),
            outputs: Object.fromEntries(info.outputs.map(tensorToJson)),
            method_name: 'tensorflow/serving/predict',
          },
        },
      },
    },
  };
}

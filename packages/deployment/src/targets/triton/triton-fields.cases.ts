import type { ParsedMessage } from './text-format.cases.js';

/**
 * The fields of Triton's `ModelConfig` that a configuration may use here, with their types: `*` marks repeated ones, another name a
 * message of this table, a list the values of an enum.
 *
 * @see `model_config.proto` of triton-inference-server/common.
 */
const messages: { readonly [message: string]: { readonly [field: string]: string | readonly string[] } } = {
  ModelConfig: {
    name: 'string',
    platform: 'string',
    backend: 'string',
    default_model_filename: 'string',
    max_batch_size: 'int',
    version_policy: 'ModelVersionPolicy',
    input: '*ModelInput',
    output: '*ModelOutput',
    instance_group: '*ModelInstanceGroup',
    dynamic_batching: 'ModelDynamicBatching',
    model_warmup: '*ModelWarmup',
  },
  ModelVersionPolicy: { latest: 'Latest', all: 'All', specific: 'Specific' },
  Latest: { num_versions: 'int' },
  All: {},
  Specific: { versions: '*int' },
  ModelInput: {
    name: 'string',
    data_type: 'DataType',
    dims: '*int',
    reshape: 'ModelTensorReshape',
    optional: 'bool',
  },
  ModelOutput: {
    name: 'string',
    data_type: 'DataType',
    dims: '*int',
    reshape: 'ModelTensorReshape',
    label_filename: 'string',
  },
  ModelTensorReshape: { shape: '*int' },
  ModelInstanceGroup: { name: 'string', kind: ['KIND_AUTO', 'KIND_GPU', 'KIND_CPU', 'KIND_MODEL'], count: 'int' },
  ModelDynamicBatching: {
    preferred_batch_size: '*int',
    max_queue_delay_microseconds: 'int',
    preserve_ordering: 'bool',
  },
  ModelWarmup: { name: 'string', batch_size: 'int', inputs: '*WarmupEntry', count: 'int' },
  WarmupEntry: { key: 'string', value: 'WarmupInput' },
  WarmupInput: {
    data_type: 'DataType',
    dims: '*int',
    zero_data: 'bool',
    random_data: 'bool',
    input_data_file: 'string',
  },
};

const dataTypes = ['BOOL', ...[8, 16, 32, 64].flatMap((bits) => [`UINT${bits}`, `INT${bits}`])].concat(
  'FP16',
  'FP32',
  'FP64',
  'STRING',
  'BF16',
);

/** What a parsed configuration has that the schema has not. */
export function problemsOf(given: ParsedMessage, message = 'ModelConfig', path = ''): readonly string[] {
  const fields = messages[message]!;
  return Object.entries(given).flatMap(([name, values]) => {
    const declared = fields[name];
    const where = `${path}${name}`;
    if (declared === undefined) return [`${where} is no field of ${message}`];
    const isRepeated = typeof declared === 'string' && declared.startsWith('*');
    const counted = !isRepeated && values.length !== 1 ? [`${where} stands ${values.length} times`] : [];
    const type = typeof declared === 'string' ? declared.replace('*', '') : declared;
    return [...counted, ...values.flatMap((value) => problemOf(value, type, where))];
  });
}

function problemOf(value: unknown, type: string | readonly string[], where: string): readonly string[] {
  if (typeof type !== 'string') return type.includes(value as string) ? [] : [`${where} is ${String(value)}`];
  if (type in messages) {
    if (typeof value !== 'object') return [`${where} is no message`];
    return problemsOf(value as ParsedMessage, type, `${where}.`);
  }
  const fits: { readonly [type: string]: boolean } = {
    string: typeof value === 'string',
    bool: typeof value === 'boolean',
    int: Number.isSafeInteger(value),
    DataType: dataTypes.includes(String(value).replace(/^TYPE_/, '')) && /^TYPE_/.test(String(value)),
  };
  return fits[type] ? [] : [`${where} is ${JSON.stringify(value)}, not ${type}`];
}

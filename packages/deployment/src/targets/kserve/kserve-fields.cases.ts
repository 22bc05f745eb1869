/**
 * What KServe's resources hold, as far as it is written here: a text names a type, `[…]` lists, `{…}` objects, and `!` marks fields that
 * have to be there. Parts that are Kubernetes' own (`container`, `resources`) are checked by its schemas.
 *
 * @see `config/crd/full/serving.kserve.io_inferenceservices.yaml` and `…_servingruntimes.yaml` of kserve/kserve.
 */
export type Fields = { readonly [field: string]: FieldType };
type FieldType = string | readonly [FieldType] | Fields;

const predictorModel: Fields = {
  '!modelFormat': { '!name': 'string', version: 'string' },
  name: 'string',
  protocolVersion: 'string',
  runtime: 'string',
  runtimeVersion: 'string',
  storageUri: 'string',
  resources: 'resources',
  env: ['any'],
  args: ['string'],
};

export const inferenceServiceFields: Fields = {
  '!apiVersion': '=serving.kserve.io/v1beta1',
  '!kind': '=InferenceService',
  '!metadata': { '!name': 'string', namespace: 'string', labels: 'texts', annotations: 'texts' },
  '!spec': {
    '!predictor': {
      minReplicas: 'int',
      maxReplicas: 'int',
      scaleTarget: 'int',
      scaleMetric: '=cpu|memory|concurrency|rps',
      containerConcurrency: 'int',
      timeout: 'int',
      model: predictorModel,
      serviceAccountName: 'string',
    },
  },
};

export const servingRuntimeFields: Fields = {
  '!apiVersion': '=serving.kserve.io/v1alpha1',
  '!kind': '=ServingRuntime',
  '!metadata': { '!name': 'string', namespace: 'string', labels: 'texts', annotations: 'texts' },
  '!spec': {
    annotations: 'texts',
    labels: 'texts',
    multiModel: 'bool',
    supportedModelFormats: [{ '!name': 'string', version: 'string', autoSelect: 'bool', priority: 'int' }],
    protocolVersions: ['string'],
    '!containers': ['container'],
    volumes: ['volume'],
  },
};

/** What a resource has that the fields do not, or lacks. */
export function problemsOf(given: unknown, type: FieldType, where = ''): readonly string[] {
  if (typeof type === 'string') return isOf(given, type) ? [] : [`${where} is ${JSON.stringify(given)}, not ${type}`];
  if (Array.isArray(type)) {
    if (!Array.isArray(given)) return [`${where} is no list`];
    return given.flatMap((each, index) => problemsOf(each, type[0], `${where}[${index}]`));
  }
  if (typeof given !== 'object' || given === null) return [`${where} is no object`];
  const fields = new Map(Object.entries(type as Fields).map(([name, each]) => [name.replace('!', ''), each]));
  const missing = Object.keys(type).filter((name) => name.startsWith('!') && !(name.slice(1) in given));
  return [
    ...missing.map((name) => `${where}.${name.slice(1)} is missing`),
    ...Object.entries(given).flatMap(([name, value]) => {
      const declared = fields.get(name);
      return declared === undefined
        ? [`${where}.${name} is no field`]
        : problemsOf(value, declared, `${where}.${name}`);
    }),
  ];
}

function isOf(given: unknown, type: string): boolean {
  if (type.startsWith('=')) return type.slice(1).split('|').includes(String(given));
  if (type === 'int') return Number.isSafeInteger(given);
  if (type === 'bool') return typeof given === 'boolean';
  if (type === 'texts') return Object.values(given as object).every((text) => typeof text === 'string');
  return type === 'string' ? typeof given === 'string' : given !== undefined;
}

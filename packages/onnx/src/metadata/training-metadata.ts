import { type Constraint, type LayerInfo, ModelwrightError, type Parameter, type Regularizer } from '@modelwright/core';

/** Key in `metadata_props` under which all that ONNX itself has no place for is kept, as JSON. */
export const modelKey = 'modelwright.model';

/** Key under which the operator set versions of the source file are kept for nodes that are passed on unchanged. */
export const opsetsKey = 'modelwright.opsets';

/** A parameter by the name of its initializer. */
export type ParameterRecord = Omit<Parameter, 'value'> & { readonly initializer: string };

/** Something a model says of one of its values, by the value's name in the file. */
export interface ValueRecord {
  readonly name: string;
  readonly value: string;
}

/** A state by the names of its initializer and of its next value. */
export interface StateRecord {
  readonly name: string;
  readonly initializer: string;
  readonly next: string;
}

/** What `metadata_props` hold of a model beside the user's own entries. */
export interface TrainingMetadata {
  readonly name: string;
  readonly parameters: readonly ParameterRecord[];
  readonly layers: readonly LayerInfo[];
  readonly states: readonly StateRecord[];
  /** Masks by output. */
  readonly outputMasks: readonly ValueRecord[];
  readonly losses: readonly ValueRecord[];
}

/** The JSON text of {@link modelKey}. */
export function encodeTrainingMetadata(metadata: TrainingMetadata): string {
  const { name, parameters, layers, ...others } = metadata;
  const rest = Object.entries(others).filter(([, records]) => records.length > 0);
  return JSON.stringify({ version: 1, name, parameters, layers, ...Object.fromEntries(rest) });
}

/**
 * Reads what {@link encodeTrainingMetadata} wrote, field by field: the text comes from a file and is not to be trusted.
 *
 * @throws {@link ModelwrightError} `invalid-model` if it is damaged, `unsupported-version` if a newer Modelwright wrote it.
 */
export function decodeTrainingMetadata(text: string): TrainingMetadata {
  const root = fieldsOf(parse(text), 'the entry');
  if (root['version'] !== 1) {
    throw new ModelwrightError(
      'unsupported-version',
      `metadata '${modelKey}' has version ${root['version']}; 1 is known`,
      {
        given: root['version'],
        allowed: 1,
      },
    );
  }
  return {
    name: stringOf(root['name'], 'name'),
    parameters: listOf(root['parameters'], 'parameters').map(parameterOf),
    layers: listOf(root['layers'], 'layers').map(layerOf),
    states: listOf(root['states'] ?? [], 'states').map(stateOf),
    outputMasks: listOf(root['outputMasks'] ?? [], 'masks').map(valueRecordOf),
    losses: listOf(root['losses'] ?? [], 'losses').map(valueRecordOf),
  };
}

type Fields = { readonly [name: string]: unknown };

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ModelwrightError('invalid-model', `metadata '${modelKey}' is no JSON`, { cause });
  }
}

function damaged(what: string): ModelwrightError {
  return new ModelwrightError('invalid-model', `metadata '${modelKey}' is damaged: ${what}`);
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw damaged(`${what} is no object`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw damaged(`${what} is no list`);
}

function stringOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw damaged(`${what} is no text`);
}

function numberOf(value: unknown, what: string): number {
  if (typeof value === 'number') return value;
  throw damaged(`${what} is no number`);
}

function stringsOf(value: unknown, what: string): readonly string[] {
  return listOf(value, what).map((item) => stringOf(item, what));
}

function numbersOf(value: unknown, what: string): readonly number[] {
  return listOf(value, what).map((item) => numberOf(item, what));
}

function parameterOf(value: unknown): ParameterRecord {
  const fields = fieldsOf(value, 'a parameter');
  const name = stringOf(fields['name'], "a parameter's name");
  const { role, trainable, regularizer, constraint } = fields;
  if (role !== 'weight' && role !== 'statistic') throw damaged(`parameter '${name}' has the role '${String(role)}'`);
  if (typeof trainable !== 'boolean') throw damaged(`parameter '${name}' does not say whether it is trainable`);
  return {
    name,
    initializer: stringOf(fields['initializer'], `the initializer of '${name}'`),
    trainable,
    role,
    ...(regularizer === undefined ? {} : { regularizer: regularizerOf(regularizer) }),
    ...(constraint === undefined ? {} : { constraint: constraintOf(constraint) }),
  };
}

function regularizerOf(value: unknown): Regularizer {
  const fields = fieldsOf(value, 'a regularizer');
  const kinds = (['l1', 'l2', 'orthogonal'] as const).filter((kind) => fields[kind] !== undefined);
  return Object.fromEntries(kinds.map((kind) => [kind, numberOf(fields[kind], kind)]));
}

function constraintOf(value: unknown): Constraint {
  const fields = fieldsOf(value, 'a constraint');
  const kind = stringOf(fields['kind'], "a constraint's kind");
  const axes = (): readonly number[] => numbersOf(fields['axes'], 'axes');
  const number = (name: string): number => numberOf(fields[name], name);
  switch (kind) {
    case 'nonNeg':
      return { kind };
    case 'maxNorm':
      return { kind, maxValue: number('maxValue'), axes: axes() };
    case 'unitNorm':
      return { kind, axes: axes() };
    case 'minMaxNorm':
      return { kind, minValue: number('minValue'), maxValue: number('maxValue'), rate: number('rate'), axes: axes() };
    default:
      throw damaged(`there is no constraint '${kind}'`);
  }
}

function stateOf(value: unknown): StateRecord {
  const { name, initializer, next } = fieldsOf(value, 'a state');
  return {
    name: stringOf(name, "a state's name"),
    initializer: stringOf(initializer, "a state's initializer"),
    next: stringOf(next, "a state's next value"),
  };
}

function valueRecordOf(value: unknown): ValueRecord {
  const fields = fieldsOf(value, 'a value');
  return { name: stringOf(fields['name'], "a value's name"), value: stringOf(fields['value'], 'a value') };
}

function layerOf(value: unknown): LayerInfo {
  const fields = fieldsOf(value, 'a layer');
  return {
    name: stringOf(fields['name'], "a layer's name"),
    kind: stringOf(fields['kind'], "a layer's kind"),
    outputShape: listOf(fields['outputShape'], 'an output shape').map((extent) =>
      typeof extent === 'string' ? extent : numberOf(extent, 'an extent'),
    ),
    parameters: stringsOf(fields['parameters'], "a layer's parameters"),
    inputs: stringsOf(fields['inputs'], "a layer's inputs"),
  };
}

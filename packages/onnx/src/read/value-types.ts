import { type Dimension, type DType, ModelwrightError, type Shape } from '@modelwright/core';
import type { TensorShapeProto, TypeProto, ValueInfoProto } from '../generated/onnx.generated.js';
import type { ReadLimits } from '../limits.js';
import { dtypeOfElementType } from '../tensor/element-type.js';
import { invalidModel } from './file-context.js';

/** What a file declares of a value. */
export interface DeclaredType {
  readonly dtype: DType;
  /** Undefined if not even the number of axes is declared. */
  readonly shape: Shape | undefined;
}

/** How a declaration is to be read. */
export interface DeclarationContext {
  readonly limits: ReadLimits;
  /** The symbol of an extent that is left open. */
  readonly openExtent: (axis: number) => Dimension;
}

/**
 * The declared type of a graph input, output or inner value.
 *
 * @throws {@link ModelwrightError} `unsupported-dtype` if the value is a sequence, map or optional, or of an element
 * type without dtype.
 */
export function declaredType(
  info: ValueInfoProto,
  what: string,
  context: DeclarationContext,
): DeclaredType | undefined {
  const { type } = info;
  if (type === undefined || type.value.case === undefined) return undefined;
  if (type.value.case !== 'tensorType') throw notATensor(type, what);
  const { elemType, shape } = type.value.value;
  return { dtype: dtypeOfElementType(elemType, what), shape: declaredShape(shape, what, context) };
}

function notATensor(type: TypeProto, what: string): Error {
  const kind = type.value.case?.replace('Type', '') ?? 'unknown';
  const message = `${what} is a ${kind}; Modelwright has tensors only`;
  return new ModelwrightError('unsupported-dtype', message, { given: kind, allowed: 'tensor' });
}

function declaredShape(
  shape: TensorShapeProto | undefined,
  what: string,
  { limits, openExtent }: DeclarationContext,
): Shape | undefined {
  if (shape === undefined) return undefined;
  if (shape.dim.length > limits.maxRank) throw invalidModel(`${what} has ${shape.dim.length} axes`);
  return shape.dim.map(({ value }, axis): Dimension => {
    if (value.case === 'dimParam' && value.value !== '') return symbol(value.value);
    const extent = value.case === 'dimValue' ? Number(value.value) : -1;
    // Older exporters write −1 for an extent that is open.
    if (extent < 0) return openExtent(axis);
    if (!Number.isSafeInteger(extent)) throw invalidModel(`${what} has the impossible extent ${extent}`);
    return extent;
  });
}

// A symbol that reads as a number would be taken for one.
function symbol(name: string): Dimension {
  return /^\d+$/.test(name) ? `_${name}` : name;
}

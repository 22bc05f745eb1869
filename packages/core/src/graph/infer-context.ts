import { type ErrorCode, type ErrorDetails, ModelwrightError } from '../errors.js';
import type { InferContext, OpDefinition } from '../ops/definition.js';
import type { Dimension } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Attributes, AttributeValue, Value } from './graph.js';
import type { GraphBuilder } from './graph-builder.js';

interface Request {
  readonly builder: GraphBuilder;
  readonly op: string;
  readonly definition: OpDefinition;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly outputCount: number;
}

/** Checks arity and attributes against the definition and gives the shape rule its view. */
export function inferContext(request: Request): InferContext<object> {
  const { builder, op, definition, inputs, outputCount } = request;
  const fail = failureAt(builder, op);
  checkArity(request, fail);
  const attributes = completeAttributes(request, fail);
  return {
    op,
    inputs,
    attributes,
    outputCount,
    fail,
    input(index: number): Value {
      return (
        inputs[index] ??
        fail(
          `input ${index} is required (${definition.inputs.min}…${definition.inputs.max} inputs)`,
          {},
          'invalid-graph',
        )
      );
    },
    constant(index: number): Tensor | undefined {
      const value = inputs[index];
      return value === undefined ? undefined : builder.constantOf(value);
    },
    dimensions(index: number): readonly Dimension[] | undefined {
      const value = inputs[index];
      return value === undefined ? undefined : builder.known.of(value);
    },
    unknownDimension(hint: string): Dimension {
      return builder.known.fresh(hint);
    },
  };
}

/** A function that throws with the layer of the builder's innermost scope in front. */
export function failureAt(builder: GraphBuilder, op: string): InferContext<object>['fail'] {
  const scope = builder.scope;
  const where = scope === undefined ? op : `${scope.kind ?? op} '${scope.name}'`;
  return (message: string, details: ErrorDetails = {}, code: ErrorCode = 'shape-mismatch'): never => {
    throw new ModelwrightError(code, `${where}: ${message}`, {
      op,
      ...(scope === undefined ? {} : { layer: scope.name }),
      ...details,
    });
  };
}

function checkArity({ definition, inputs, outputCount }: Request, fail: InferContext<object>['fail']): void {
  const { min, max } = definition.inputs;
  if (inputs.length < min || inputs.length > max) {
    fail(
      `takes ${min === max ? min : `${min}…${max}`} inputs, ${inputs.length} were given`,
      { given: inputs.length },
      'invalid-graph',
    );
  }
  if (outputCount > definition.outputs.max) {
    fail(
      `has at most ${definition.outputs.max} outputs, ${outputCount} were asked for`,
      { given: outputCount },
      'invalid-graph',
    );
  }
}

function completeAttributes({ definition, attributes, op }: Request, fail: InferContext<object>['fail']): object {
  const specifications = definition.attributes as {
    readonly [name: string]: { default?: AttributeValue; required?: true };
  };
  const complete: { [name: string]: AttributeValue } = {};
  for (const [name, specification] of Object.entries(specifications)) {
    const value = attributes[name] ?? specification.default;
    if (value !== undefined) complete[name] = value;
    else if (specification.required) fail(`attribute '${name}' is required`, {}, 'invalid-attribute');
  }
  for (const name of Object.keys(attributes)) {
    if (attributes[name] !== undefined && !Object.hasOwn(specifications, name)) {
      fail(
        `${op} has no attribute '${name}'; allowed: ${Object.keys(specifications).join(', ') || 'none'}`,
        { given: name },
        'invalid-attribute',
      );
    }
  }
  return complete;
}

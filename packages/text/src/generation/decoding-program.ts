import {
  type Bindings,
  type Graph,
  GraphBuilder,
  inferenceProgram,
  inlineGraph,
  type Model,
  ModelwrightError,
  onnxDataType,
  type Program,
  removeDeadNodes,
  type Shape,
  type StateSlot,
  type Value,
  zeros,
} from '@modelwright/core';
import { CachedAttention } from './cached-attention.js';
import { lastLogits } from './last-logits.js';
import { contextLengthOf } from './position-flow.js';
import { PositionTables } from './position-tables.js';
import { requirePointwiseInTime } from './time-mixing.js';
import { WritePlaces } from './write-places.js';

/** How a program decodes. */
export interface DecodingOptions {
  /** Tokens a row may hold, those of the prompt counted: what the caches have room for. Default {@link contextLengthOf} the model. */
  readonly maxLength?: number;
  /** Rows that the caches have room for. Default 1. */
  readonly batch?: number;
  /**
   * How many of these rows one run is about, or a name that leaves it open: the program then takes tokens and lengths of so many
   * rows, and has an input `rows` that says which. Default: it is about all, in their order.
   */
  readonly rows?: number | string;
  /**
   * Who knows how many tokens a row holds. `carried`: the program, as state. `given`: the caller, who says so with an input
   * `position` at each run; so rows can begin anew at any time, or go back. Default `carried`; with `rows`, always `given`.
   */
  readonly positions?: 'carried' | 'given';
  /**
   * Tokens of each row that one run takes: 1 to generate, more to read a prompt. A name leaves it open, for backends with
   * symbolic shapes. Default 1.
   */
  readonly chunk?: number | string;
  /** Which output holds the logits `[batch, time, vocabulary]`. Default: the first. */
  readonly output?: string;
}

/**
 * The program that decodes with a causal model, a few positions a run.
 *
 * Keys and values of each `Attention` are kept in buffers for `maxLength` positions, which are state of the program
 * (`cache.<node>.key`, `cache.<node>.value`), as is the number of tokens that each row holds (`position`, int64 `[batch]`,
 * at first 0). A run writes its own positions into the buffers and reads the rest from there.
 *
 * Inputs: the model's own, `[batch, chunk]`, and `lengths`, int64 `[batch]`: how many of the row's tokens count. The tokens
 * behind them are padding; they leave no trace. Output: `logits` `[batch, vocabulary]`, float32, of each row's last token that counts.
 * With `rows`, these have that extent in place of `batch`; a row may stand among them once only.
 *
 * Two programs of one model that differ in `chunk` only can share their state (`CompileOptions.shareState`): one reads the
 * prompt, the other goes on token by token.
 *
 * @param model - One input, token ids `[batch, time]`; positions may mix in causal `Attention` only, and tell themselves
 *   apart by `Positions` only.
 * @throws {@link ModelwrightError} `unsupported-op` naming a node that mixes positions in another way, `invalid-model` for
 *   other inputs or outputs, `invalid-argument` for a `maxLength` that the model has no positions for.
 */
export function decodingProgram(model: Model, options: DecodingOptions = {}): Program {
  const { batch = 1, chunk = 1, rows } = options;
  requireCount('batch', batch);
  if (typeof rows === 'number') requireCount('rows', rows);
  if (typeof chunk === 'number') requireCount('chunk', chunk);
  const { graph, state: carried } = inferenceProgram(model);
  if (carried.length > 0)
    throw new ModelwrightError('invalid-model', `model '${model.name}' carries state of its own; it cannot be decoded`);
  const tokens = tokenInputOf(model.name, graph);
  const maxLength = maxLengthOf(model, graph, options);
  const outputIndex = outputIndexOf(model.name, graph, options.output);
  requirePointwiseInTime(graph, tokens);

  const builder = new GraphBuilder(`${model.name} decoding`);
  const about = rows ?? batch;
  const fed = builder.input(tokens.name, tokens.dtype, [about, chunk]);
  const lengths = builder.input(nameBeside(tokens.name, 'lengths'), 'int64', [about]);
  const position = builder.input(nameBeside(tokens.name, 'position'), 'int64', [about]);
  const chosen = rows === undefined ? {} : { rows: builder.input(nameBeside(tokens.name, 'rows'), 'int64', [about]) };
  const places = new WritePlaces(builder, { tokens: fed, position, maxLength, batch, ...chosen });
  const attention = new CachedAttention(builder, places);
  const tables = new PositionTables(graph, { builder, places, maxLength, tokens });
  const bindings: Bindings = new Map([[tokens, fed]]);
  const outputs = inlineGraph(builder, graph, bindings, {
    rewrite: (node, inputs) => tables.rewrite(node) ?? attention.rewrite(node, inputs),
  });
  const logits = lastLogits(builder, outputs[outputIndex] as Value, lengths);
  const isSingle = logits.dtype === 'float32';
  builder.output('logits', isSingle ? logits : builder.op('Cast', [logits], { to: onnxDataType('float32') }));
  const isCarried = rows === undefined && options.positions !== 'given';
  if (isCarried) builder.output('position.next', builder.op('Add', [position, lengths]));
  for (const { name, next } of attention.caches) builder.output(`${name}.next`, next);

  return {
    graph: removeDeadNodes.run(builder.build()),
    state: [...(isCarried ? [positionSlot(position, batch)] : []), ...attention.caches.map(cacheSlot)],
  };
}

function positionSlot({ name }: Value, batch: number): StateSlot {
  return { name: 'position', input: name, output: 'position.next', initial: zeros('int64', [batch]) };
}

function cacheSlot({ name, input }: { readonly name: string; readonly input: Value }): StateSlot {
  return {
    name,
    input: input.name,
    output: `${name}.next`,
    initial: zeros(input.dtype, input.shape as readonly number[]),
  };
}

/** The inputs of a decoding program by their roles. */
export interface DecodingInputs {
  readonly tokens: Value;
  readonly lengths: Value;
  /** State, unless positions are given. */
  readonly position: Value;
  /** Only of a program that is about some of the rows. */
  readonly rows?: Value;
}

/** Which inputs of a decoding program take what. */
export function decodingInputs({ graph }: Program): DecodingInputs {
  const [tokens, lengths, position, fourth] = graph.inputs as readonly [Value, Value, Value, Value?];
  const rows = fourth?.shape.length === 1 ? { rows: fourth } : {};
  return { tokens, lengths, position, ...rows };
}

function requireCount(name: string, given: number): void {
  if (Number.isInteger(given) && given >= 1) return;
  throw new ModelwrightError('invalid-argument', `'${name}' must be a whole number ≥ 1; ${given} was given`, { given });
}

function nameBeside(taken: string, wanted: string): string {
  return taken === wanted ? `${wanted}.count` : wanted;
}

function tokenInputOf(name: string, graph: Graph): Value {
  const [tokens, ...more] = graph.inputs;
  const isIds = tokens !== undefined && (tokens.dtype === 'int32' || tokens.dtype === 'int64');
  if (isIds && tokens.shape.length === 2 && more.length === 0) return tokens;
  const given = graph.inputs.map((input) => `${input.name}: ${input.dtype}[${input.shape.join(', ')}]`).join('; ');
  throw new ModelwrightError(
    'invalid-model',
    `only a model with one input, int32 or int64 token ids [batch, time], can be decoded; '${name}' takes ${given || 'nothing'}`,
    { given, allowed: 'int32 or int64 [batch, time]' },
  );
}

function outputIndexOf(name: string, graph: Graph, wanted: string | undefined): number {
  const index = wanted === undefined ? 0 : graph.outputs.findIndex((output) => output.name === wanted);
  const shape: Shape | undefined = graph.outputs[index]?.value.shape;
  if (shape?.length === 3 && typeof shape[2] === 'number') return index;
  const allowed = graph.outputs.map((output) => `${output.name} [${output.value.shape.join(', ')}]`);
  throw new ModelwrightError(
    'invalid-model',
    `'${name}' has no output '${wanted ?? 0}' with logits [batch, time, vocabulary]; it has: ${allowed.join(', ')}`,
    { given: wanted, allowed },
  );
}

function maxLengthOf(model: Model, graph: Graph, { maxLength }: DecodingOptions): number {
  const limit = contextLengthOf(graph);
  const wanted = maxLength ?? limit;
  if (wanted === undefined)
    throw new ModelwrightError(
      'invalid-argument',
      `model '${model.name}' sets no limit to the length of a text; say one with 'maxLength'`,
    );
  requireCount('maxLength', wanted);
  if (limit === undefined || wanted <= limit) return wanted;
  throw new ModelwrightError(
    'invalid-argument',
    `model '${model.name}' has ${limit} positions; 'maxLength' is ${wanted}`,
    { given: wanted, allowed: limit },
  );
}

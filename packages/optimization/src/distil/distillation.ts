import {
  cancelTransposes,
  castTo,
  type ExtendedLoss,
  foldConstants,
  type Graph,
  type GraphBuilder,
  inlineGraph,
  type Model,
  ModelwrightError,
  runPasses,
  type TrainingExtension,
  toInference,
  type Value,
} from '@modelwright/core';
import { type FeatureMatch, featureLoss, regressorSlots } from './features.js';
import { namedValue } from './named-value.js';
import { inLayout, type Scores, scoresOf } from './scores.js';
import { requireSameShape, scoresOfProbabilities, softTargetLoss, squaredLoss } from './soft-targets.js';

/** What an output of teacher or student is made of, where its graph does not tell. */
export type OutputKind = 'scores' | 'probabilities';

/** Makes the teacher's inputs, by name, of the student's. */
export type TeacherInputs = (
  builder: GraphBuilder,
  inputs: { readonly [student: string]: Value },
) => { readonly [teacher: string]: Value };

export interface DistillationOptions {
  /** A model that knows more; ours or an imported one. It is neither trained nor changed. */
  readonly teacher: Model;
  /** How much the teacher's probabilities are softened. Default 4. */
  readonly temperature?: number;
  /** Share of the teacher in the loss; the loss for the targets has the rest. Default 0.9. */
  readonly alpha?: number;
  /** `divergence`: of softened probabilities; `mse`: of scores, or of what a regression puts out. Default `divergence`. */
  readonly loss?: 'divergence' | 'mse';
  /** Layers of the student that are to be like layers of the teacher. Default none. */
  readonly features?: readonly FeatureMatch[];
  /** Outputs of the teacher by those of the student. Default those of equal names, else the first of each. */
  readonly outputs?: { readonly [student: string]: string };
  /**
   * Inputs of the student by those of the teacher, or what makes the one of the other: another layout of images, say.
   * Default those of equal names, else in order.
   */
  readonly inputs?: { readonly [teacher: string]: string } | TeacherInputs;
  /**
   * What makes probabilities of the scores of outputs, and what outputs are, where no softmax or sigmoid at their end tells it.
   * Default scores of a softmax.
   */
  readonly activation?: 'softmax' | 'sigmoid';
  readonly studentOutputs?: OutputKind;
  readonly teacherOutputs?: OutputKind;
  /** Name of the extension. Default `distillation`. */
  readonly name?: string;
}

interface Pair {
  readonly output: string;
  readonly student: Scores;
  readonly teacher: Scores;
  readonly mask: Value | undefined;
}

/**
 * Trains a student to answer as a teacher does: an extension for `createTrainer`.
 *
 * `loss = (1 − α) · loss for the targets + α · T² · KL(teacher/T ‖ student/T) + Σ weight · feature loss`
 *
 * The teacher runs within each training step, in the form it infers in, on the very batch the student sees.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a temperature or share out of range and for names that neither
 *   model has; while training begins `shape-mismatch` for outputs or features that cannot be compared.
 * @see Hinton, Vinyals and Dean, arXiv:1503.02531; Romero et al., arXiv:1412.6550 (features).
 * @example
 * const trainer = await createTrainer(student, {
 *   backend, loss: 'sparseCategoricalCrossentropy', extensions: [distillation({ teacher, temperature: 4, alpha: 0.9 })],
 * });
 */
export function distillation(options: DistillationOptions): TrainingExtension {
  const { teacher, temperature = 4, alpha = 0.9, features = [], name = 'distillation' } = options;
  requireRange('temperature', temperature, temperature > 0, 'above 0');
  requireRange('alpha', alpha, alpha >= 0 && alpha <= 1, 'between 0 and 1');
  for (const { teacher: layer } of features) namedValue(teacher, layer);
  let student: Model | undefined;
  return {
    name,
    lossWeight: 1 - alpha,
    slotsFor: (model) => regressorSlots(model, teacher, features),
    watch(model) {
      student = model;
      const watched = pairsOf(model, options).flatMap(({ output, student: { value }, mask }): [string, Value][] => [
        [`scores.${output}`, value],
        ...(mask === undefined ? [] : [[`mask.${output}`, mask] as [string, Value]]),
      ]);
      const matched = features.map((each, index): [string, Value] => [
        `feature.${index}`,
        namedValue(model, each.student),
      ]);
      return Object.fromEntries([...watched, ...matched]);
    },
    extraLoss(context) {
      const { builder, watched, slots } = context;
      const pairs = pairsOf(student as Model, options);
      const values = [
        ...pairs.map((pair) => pair.teacher.value),
        ...features.map((each) => namedValue(teacher, each.teacher)),
      ];
      const answers = builder.scoped({ name: `${name}.teacher`, kind: 'distillation' }, () =>
        runTeacher(context, options, values),
      );
      const soft = pairs.map((pair, index) =>
        pairLoss({ ...options, temperature }, { context, pair, answer: answers[index] as Value }),
      );
      const matched = features.map((match, index) => {
        const [mine, theirs] = [watched[`feature.${index}`] as Value, answers[pairs.length + index] as Value];
        return featureLoss({ builder, match, index, slots, student: mine, teacher: theirs });
      });
      const scaled = alpha === 0 ? [] : soft.map((each) => times(builder, each, alpha));
      return [...scaled, ...matched].reduce<Value | undefined>(
        (sum, each) => (sum === undefined ? each : builder.op('Add', [sum, each])),
        undefined,
      );
    },
  };
}

function times(builder: GraphBuilder, value: Value, factor: number): Value {
  return factor === 1 ? value : builder.op('Mul', [value, builder.scalar(factor, value.dtype)]);
}

function requireRange(what: string, given: number, holds: boolean, allowed: string): void {
  if (holds) return;
  throw new ModelwrightError('invalid-argument', `distillation: ${what} is ${given}; a number ${allowed} is expected`, {
    given,
    allowed,
  });
}

function pairsOf(student: Model, { teacher, outputs }: DistillationOptions): readonly Pair[] {
  const named = outputs === undefined ? likeNamed(student, teacher) : Object.entries(outputs);
  return named.map(([mine, theirs]) => ({
    output: mine,
    student: scoresOf(student.graph, outputOf(student, mine)),
    teacher: scoresOf(teacher.graph, outputOf(teacher, theirs)),
    mask: student.outputMasks.get(mine),
  }));
}

function likeNamed(student: Model, teacher: Model): readonly (readonly [string, string])[] {
  const [mine, theirs] = [student, teacher].map(({ graph }) => graph.outputs.map(({ name }) => name)) as [
    string[],
    string[],
  ];
  const shared = mine.filter((name) => theirs.includes(name));
  return shared.length > 0 ? shared.map((name) => [name, name]) : [[mine[0] as string, theirs[0] as string]];
}

function outputOf(model: Model, name: string): Value {
  const found = model.graph.outputs.find((output) => output.name === name);
  if (found !== undefined) return found.value;
  const allowed = model.graph.outputs.map((output) => output.name);
  throw new ModelwrightError(
    'invalid-argument',
    `distillation: model '${model.name}' has no output '${name}'; it has: ${allowed.join(', ')}`,
    { given: name, allowed },
  );
}

/** The teacher's values for this batch: constants in place of its weights, nothing of it is trained. */
function runTeacher(
  { builder, inputs }: ExtendedLoss,
  options: DistillationOptions,
  values: readonly Value[],
): readonly Value[] {
  const graph = inferenceOf(options.teacher.graph, values);
  const fed = teacherInputs(builder, inputs, options);
  const bindings = new Map<Value, Value>();
  for (const input of graph.inputs) {
    const value = fed[input.name];
    if (value === undefined || value.shape.length !== input.shape.length) {
      const given = Object.entries(inputs).map(([name, { shape }]) => `'${name}' [${shape}]`);
      throw new ModelwrightError(
        'invalid-argument',
        `distillation: teacher '${options.teacher.name}' wants input '${input.name}' [${input.shape}]; ` +
          `the student is fed ${given.join(', ')}: option 'inputs' makes the one of the other`,
        { given, allowed: input.shape },
      );
    }
    bindings.set(input, castTo(builder, value, input.dtype));
  }
  return inlineGraph(builder, graph, bindings, { keepNames: false });
}

function teacherInputs(
  builder: GraphBuilder,
  inputs: ExtendedLoss['inputs'],
  { teacher, inputs: wanted = {} }: DistillationOptions,
): { readonly [name: string]: Value | undefined } {
  if (typeof wanted === 'function') return wanted(builder, inputs);
  const inOrder = Object.values(inputs);
  const named = teacher.graph.inputs.map(({ name }, index): [string, Value | undefined] => {
    const source = wanted[name];
    return [name, source === undefined ? (inputs[name] ?? inOrder[index]) : inputs[source]];
  });
  return Object.fromEntries(named);
}

function inferenceOf(graph: Graph, values: readonly Value[]): Graph {
  const outputs = values.map((value, index) => ({ name: `taught.${index}`, value }));
  return runPasses({ ...graph, outputs }, [toInference, foldConstants, cancelTransposes]);
}

interface PairRequest {
  readonly context: ExtendedLoss;
  readonly pair: Pair;
  readonly answer: Value;
}

function pairLoss(
  options: DistillationOptions & { readonly temperature: number },
  { context: { builder, watched, outputs }, pair, answer }: PairRequest,
): Value {
  const { output, student, teacher } = pair;
  const mask = watched[`mask.${output}`];
  const found = student.activation === 'none' ? teacher.activation : student.activation;
  const activation = options.activation ?? (found === 'none' ? 'softmax' : found);
  const mine = watched[`scores.${output}`] as Value;
  const like = (outputs[output] as Value).dtype;
  const side = (value: Value, scores: Scores, kind: OutputKind | undefined): Value => {
    const laid = castTo(builder, inLayout(builder, value, scores.layouts), like);
    const direct = options.loss === 'mse' || scores.activation !== 'none' || kind !== 'probabilities';
    return direct ? laid : scoresOfProbabilities(builder, laid, activation);
  };
  const compared = {
    builder,
    mask,
    student: side(mine, student, options.studentOutputs),
    teacher: side(answer, teacher, options.teacherOutputs),
  };
  requireSameShape(`output '${output}'`, compared.student, compared.teacher);
  return options.loss === 'mse'
    ? squaredLoss(compared)
    : softTargetLoss({ ...compared, activation, temperature: options.temperature });
}

import { type Bindings, GraphBuilder, inlineGraph, Model, type Value } from '@modelwright/core';
import type { Train } from '../pipeline/fine-tune.js';
import type { OptimizationContext, OptimizationStep } from '../step.js';
import { withGraph } from '../with-graph.js';
import { type DistillationOptions, distillation } from './distillation.js';

export interface DistilOptions extends Omit<DistillationOptions, 'teacher'> {
  /** The model that is to know what the model so far knows; a copy of it is trained. */
  readonly student: Model;
  /** How it is trained: a function, or a step that trains (`fineTune`). */
  readonly train: Train | OptimizationStep;
}

/**
 * A step that puts a smaller model in place of the one so far, which becomes its teacher: {@link distillation} for `optimize`.
 * Where both have as many inputs, the student takes over their names.
 *
 * What earlier steps want kept was of the teacher, and is kept no longer.
 *
 * @example
 * await optimize(large, { backend, steps: [distil({ student, train: fineTune(train), temperature: 4 }), quantize({ mode: 'dynamic' })] });
 */
export function distil({ student, train, ...options }: DistilOptions): OptimizationStep {
  return {
    name: `distil into ${student.name}`,
    trains: true,
    async apply(teacher, context) {
      const copy = withGraph(student, student.graph);
      const extension = distillation({ ...options, teacher });
      const trained = likeTeacher(await trainedBy(train, copy, { ...context, extensions: [extension] }), teacher);
      const counts = [teacher, trained].map((each) => each.parameterCount);
      const { temperature = 4, alpha = 0.9 } = options;
      const note = `${counts[0]} weights taught ${counts[1]}; temperature ${temperature}, ${Number((100 * alpha).toFixed(1))} % of the loss is the teacher's`;
      return { model: trained, notes: [note] };
    },
  };
}

/** The student with inputs named as its teacher's are: whoever fed the one can feed the other. */
function likeTeacher(student: Model, teacher: Model): Model {
  const { graph } = student;
  const wanted = teacher.graph.inputs.map(({ name }) => name);
  const given = graph.inputs.map(({ name }) => name);
  if (given.length !== wanted.length || given.every((name) => wanted.includes(name))) return student;
  const builder = new GraphBuilder(graph.name);
  const bindings: Bindings = new Map();
  for (const [index, input] of graph.inputs.entries()) {
    bindings.set(input, builder.input(wanted[index] as string, input.dtype, input.shape));
  }
  const outputs = inlineGraph(builder, graph, bindings);
  graph.outputs.forEach(({ name }, index) => {
    builder.output(name, outputs[index] as Value);
  });
  return withGraph(student, builder.build());
}

/** What a step that trains, or a function, makes of a model. */
export async function trainedBy(
  train: Train | OptimizationStep,
  model: Model,
  context: OptimizationContext,
): Promise<Model> {
  if (typeof train !== 'function') return (await train.apply(model, context)).model;
  const trained = await train(model, context);
  return trained instanceof Model ? trained : model;
}

import type { Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { copyNode } from '../graph/inline.js';
import { type Lifted, liftNode } from './lifting.js';
import type { BackwardPlan } from './scan-backward-plan.js';
import type { ScanSteps } from './scan-steps.js';
import { outputOf } from './subgraph-output.js';
import { type SumContext, sumOverSteps } from './sum-over-steps.js';

/** Builds what a {@link BackwardPlan} says: the loop, and around it what is computed for all steps at once. */
export class BackwardRun {
  readonly #builder: GraphBuilder;
  readonly #steps: ScanSteps;
  readonly #plan: BackwardPlan;
  readonly #lifted: Map<Value, Lifted> = new Map();

  constructor(builder: GraphBuilder, steps: ScanSteps, plan: BackwardPlan) {
    this.#builder = builder;
    this.#steps = steps;
    this.#plan = plan;
  }

  /** Runs the loop from the gradients of the last states; returns those of the initial ones. */
  loop(incoming: readonly Value[]): readonly Value[] {
    const { emitted, loop } = this.#plan;
    if (incoming.length + emitted.length + loop.length === 0) return [];
    const scanned: Value[] = [];
    const body = this.#builder.subgraph('scan_gradient', (inner) => this.#fillBody(inner, scanned));
    const direction = this.#steps.isReversed ? 0 : 1;
    const outputs = this.#builder.node('Scan', [...incoming, ...scanned], {
      body,
      num_scan_inputs: scanned.length,
      scan_input_directions: scanned.map(() => direction),
      scan_output_directions: emitted.map(() => direction),
    });
    for (const [index, value] of emitted.entries()) {
      this.#lifted.set(value, { value: outputs[incoming.length + index] as Value, isStacked: true });
    }
    return outputs.slice(0, incoming.length);
  }

  /** A value of the step at all steps. */
  stacked(value: Value): Value {
    const lifted = this.#lift(value);
    if (lifted.isStacked) return lifted.value;
    const shape = [this.#steps.length, ...(value.shape as readonly number[])];
    return this.#builder.op('Expand', [lifted.value, this.#builder.integers(shape)]);
  }

  /** The sum of a value over all steps. */
  summed(value: Value): Value {
    const { makers, step } = this.#plan;
    const context: SumContext = {
      builder: this.#builder,
      steps: this.#steps.length,
      lift: (each) => this.#lift(each),
      makerOf: (each) => (this.#lifted.has(each) || step.known.has(each) ? undefined : makers.get(each)),
      constantOf: (each) => step.graph.constants.get(each),
      isVarying: (each) => this.#isVarying(each),
    };
    return sumOverSteps(context, value);
  }

  #isVarying(value: Value): boolean {
    const { makers, invariant, step } = this.#plan;
    if (step.known.has(value) || step.incoming.includes(value)) return true;
    return makers.has(value) && !invariant.has(value);
  }

  #fillBody(inner: GraphBuilder, scanned: Value[]): void {
    const { step, loop, emitted } = this.#plan;
    const inside = new Map<Value, Value>();
    for (const [index, value] of step.incoming.entries()) {
      inside.set(value, inner.input(`state_gradient_${index}`, value.dtype, value.shape));
    }
    const resolve = (value: Value): Value => {
      const bound = inside.get(value);
      if (bound !== undefined) return bound;
      const made = this.#outsideValue(inner, value, scanned);
      inside.set(value, made);
      return made;
    };
    for (const node of loop) {
      const inputs = node.inputs.map((input) => (input === undefined ? undefined : resolve(input)));
      const outputs = copyNode(inner, node, inputs, resolve, { keepNames: false });
      for (const [index, output] of node.outputs.entries()) inside.set(output, outputs[index] as Value);
    }
    for (const [index, value] of step.stateGradients.entries()) outputOf(inner, `next_${index}`, resolve(value));
    for (const [index, value] of emitted.entries()) outputOf(inner, `each_${index}`, resolve(value));
    if (scanned.length === 0) {
      // A scan needs something to step along.
      const [any] = [...step.known.keys()] as [Value];
      resolve(any);
    }
  }

  /** How the loop reads a value that it does not make: constants, captures, and sequences to step along. */
  #outsideValue(inner: GraphBuilder, value: Value, scanned: Value[]): Value {
    const held = this.#plan.step.graph.constants.get(value);
    if (held !== undefined) return inner.constant(held);
    const lifted = this.#lift(value);
    if (!lifted.isStacked) return lifted.value;
    scanned.push(lifted.value);
    return inner.input(`given_${scanned.length - 1}`, value.dtype, value.shape);
  }

  #lift(value: Value): Lifted {
    let lifted = this.#lifted.get(value);
    if (lifted !== undefined) return lifted;
    lifted = this.#makeLifted(value);
    this.#lifted.set(value, lifted);
    return lifted;
  }

  #makeLifted(value: Value): Lifted {
    const { step, makers } = this.#plan;
    const known = step.known.get(value);
    if (known !== undefined) return { value: known(), isStacked: true };
    const held = step.graph.constants.get(value);
    if (held !== undefined) return { value: this.#builder.constant(held), isStacked: false };
    const node = makers.get(value);
    // Captured from outside.
    if (node === undefined) return { value, isStacked: false };
    this.#liftOutputs(node);
    return this.#lifted.get(value) as Lifted;
  }

  #liftOutputs(node: Node): void {
    const inputs = node.inputs.map((input) => (input === undefined ? undefined : this.#lift(input)));
    const isStacked = node.outputs.some((output) => this.#isVarying(output));
    const made = isStacked
      ? (liftNode(this.#builder, node, inputs, this.#steps.length) as readonly Value[])
      : copyNode(
          this.#builder,
          node,
          inputs.map((input) => input?.value),
          (each) => this.#lift(each).value,
          { keepNames: false },
        );
    for (const [index, output] of node.outputs.entries()) {
      this.#lifted.set(output, { value: made[index] as Value, isStacked });
    }
  }
}

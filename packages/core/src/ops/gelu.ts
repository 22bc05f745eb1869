import type { Value } from '../graph/graph.js';
import type { ActivationAttributes } from './activation.js';
import { Algebra } from './algebra.js';
import type { InferContext, OpDefinition } from './definition.js';
import { errorFunction } from './error-function.js';
import { exactly, mapUnary, sameAsFloatInput } from './rules.js';

type GeluAttributes = ActivationAttributes['Gelu'];

const rootTwoOverPi = Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

/**
 * Gaussian error linear unit: `x·Φ(x) = x/2·(1 + erf(x/√2))`, or with `approximate: 'tanh'`
 * `x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
 *
 * @see Hendrycks and Gimpel, arXiv:1606.08415.
 */
export const gelu: OpDefinition<GeluAttributes> = {
  inputs: exactly(1),
  outputs: exactly(1),
  attributes: { approximate: { kind: 'string', default: 'none' } },
  elementwise: true,
  infer: inferGelu,
  gradient: ({ builder, input, outputs, outputGradient: dy, attributes }) => {
    const f = new Algebra(builder);
    const [x, y] = [input(0), outputs[0] as Value];
    return [f.mul(dy, attributes.approximate === 'tanh' ? tanhSlope(f, x, y) : erfSlope(f, x))];
  },
  evaluate: (context) =>
    mapUnary(
      context,
      context.attributes.approximate === 'tanh'
        ? (x) => (x / 2) * (1 + Math.tanh(rootTwoOverPi * (x + cubic * x ** 3)))
        : (x) => (x / 2) * (1 + errorFunction(x / Math.SQRT2)),
    ),
  decompose: ({ builder, input, attributes }) => {
    const f = new Algebra(builder);
    const x = input(0);
    return [f.mul(x, attributes.approximate === 'tanh' ? tanhGate(f, x) : erfGate(f, x))];
  },
};

function inferGelu(context: InferContext<GeluAttributes>): ReturnType<typeof sameAsFloatInput> {
  const { approximate } = context.attributes;
  if (approximate !== 'none' && approximate !== 'tanh') {
    context.fail(
      `approximate is '${approximate}'; none or tanh is needed`,
      { given: approximate, allowed: ['none', 'tanh'] },
      'invalid-attribute',
    );
  }
  return sameAsFloatInput(context);
}

// Φ(x) = ½·(1 + erf(x/√2))
function erfGate(f: Algebra, x: Value): Value {
  return f.mul(f.add(f.builder.op('Erf', [f.mul(x, Math.SQRT1_2)]), 1), 0.5);
}

// Φ(x) + x·φ(x), with φ(x) = e^(−x²/2)/√(2π)
function erfSlope(f: Algebra, x: Value): Value {
  const density = f.mul(f.exp(f.mul(f.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return f.add(erfGate(f, x), f.mul(x, density));
}

// √(2/π)·(x + c·x³), as x·√(2/π)·(1 + c·x²)
function tanhArgument(f: Algebra, x: Value): Value {
  return f.mul(x, f.add(f.mul(f.square(x), rootTwoOverPi * cubic), rootTwoOverPi));
}

// ½·(1 + tanh u)
function tanhGate(f: Algebra, x: Value): Value {
  return f.mul(f.add(f.tanh(tanhArgument(f, x)), 1), 0.5);
}

// ½·(1 + tanh u) = σ(2u) = s, so y = x·s and y' = s + (y − y·s)·2u', with 2u = x·(a·x² + b) and 2u' = 3a·x² + b
function tanhSlope(f: Algebra, x: Value, y: Value): Value {
  const [a, b] = [2 * rootTwoOverPi * cubic, 2 * rootTwoOverPi];
  const square = f.square(x);
  const s = f.sigmoid(f.mul(x, f.add(f.mul(square, a), b)));
  const bend = f.mul(f.sub(y, f.mul(y, s)), f.add(f.mul(square, 3 * a), b));
  return f.add(s, bend);
}

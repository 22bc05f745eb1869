import { backpropagate, fromNumbers, GraphBuilder, tensor } from '@modelwright/core';

const batch = 128;
const widths = [784, 512, 512, 10];
const warmUpSteps = 20;
const steps = 200;

/** Trains 784-512-512-10 with plain gradient descent on numbers made here; gives steps a second and the loss at both ends. */
export async function benchmarkTraining(backend) {
  const executable = await backend.compile(trainingStep());
  const inputs = { x: waves([batch, widths[0]], 1), labels: labels(), rate: tensor(0.05) };
  const [first] = await executable.runMany([inputs]);
  await executable.runMany(Array(warmUpSteps).fill(inputs));
  const start = performance.now();
  const results = await executable.runMany(Array(steps).fill(inputs));
  const seconds = (performance.now() - start) / 1000;
  await executable.dispose();
  return {
    stepsPerSecond: steps / seconds,
    firstLoss: Number(first.loss.data[0]),
    lastLoss: Number(results.at(-1).loss.data[0]),
  };
}

function trainingStep() {
  const builder = new GraphBuilder('benchmark step');
  const x = builder.input('x', 'float32', [batch, widths[0]]);
  const given = builder.input('labels', 'int32', [batch]);
  const rate = builder.input('rate', 'float32', []);
  const weights = [];
  const weight = (name, initial) => {
    const value = builder.input(name, 'float32', initial.shape);
    weights.push({ name, value, initial });
    return value;
  };
  let hidden = x;
  for (let layer = 1; layer < widths.length; layer++) {
    const [from, to] = [widths[layer - 1], widths[layer]];
    const kernel = weight(`kernel${layer}`, waves([from, to], layer, 1 / Math.sqrt(from)));
    const bias = weight(`bias${layer}`, fromNumbers('float32', [to], new Float64Array(to)));
    hidden = builder.op('Gemm', [hidden, kernel, bias]);
    if (layer < widths.length - 1) hidden = builder.op('Relu', [hidden]);
  }
  const [each] = builder.node('SparseSoftmaxCrossEntropy', [hidden, given], {}, { outputs: 2 });
  const loss = builder.op('ReduceMean', [each], { keepdims: 0 });
  const gradients = backpropagate(
    builder,
    [{ value: loss }],
    weights.map(({ value }) => value),
  );
  builder.output('loss', loss);
  const state = weights.map(({ name, value, initial }, index) => {
    const change = builder.op('Mul', [gradients[index], rate]);
    builder.output(`${name}.next`, builder.op('Sub', [value, change]));
    return { name, input: name, output: `${name}.next`, initial };
  });
  return { graph: builder.build(), state };
}

function labels() {
  return tensor(
    Array.from({ length: batch }, (_, index) => index % 10),
    { dtype: 'int32' },
  );
}

function waves(shape, seed, bound = 1) {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, index) => bound * Math.sin((index + 1) * 12.9898 * seed)),
  );
}

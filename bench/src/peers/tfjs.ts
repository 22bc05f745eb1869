/** The same networks on TensorFlow.js layers, backend `cpu` or `wasm`. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { type Measurement, measureRuns, processorStopwatch, readRequest, report } from '../measurement.js';
import { type Network, networks, samplesOf } from '../networks.js';

// The little of TensorFlow.js that is used; its packages lie in a folder of their own and are loaded by path.
interface TfTensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}
interface KernelCall {
  readonly inputs: { readonly [name: string]: { readonly dataId: object; readonly shape: number[] } };
  readonly attrs: { readonly numSegments: number };
  readonly backend: {
    readSync(id: object): ArrayLike<number>;
    write(values: Float32Array, shape: number[], dtype: string): object;
  };
}
interface TfCore {
  registerKernel(kernel: { kernelName: string; backendName: string; kernelFunc: (call: KernelCall) => object }): void;
  setBackend(name: string): Promise<boolean>;
  tensor(values: Float32Array, shape: readonly number[]): TfTensor;
}
interface TfModel {
  compile(options: { optimizer: string; loss: string; metrics: string[] }): void;
  fit(x: TfTensor, y: TfTensor, options: object): Promise<unknown>;
  predict(x: TfTensor): TfTensor;
}
type TfLayer = object;
interface TfLayers {
  sequential(options: { layers: readonly TfLayer[] }): TfModel;
  layers: { readonly [name: string]: (options?: object) => TfLayer };
}

const request = readRequest();
const network = networks[request.network];
if (network === undefined) throw new TypeError(`no network '${request.network}'`);
const backendName = process.env['TFJS_BACKEND'] ?? 'cpu';
const require = createRequire(new URL('../../tfjs/package.json', import.meta.url));
const load = async <T>(name: string): Promise<T> => (await import(pathToFileURL(require.resolve(name)).href)) as T;
const core = await load<TfCore & { default?: TfCore }>('@tensorflow/tfjs-core');
await load(`@tensorflow/tfjs-backend-${backendName}`);
const layers = await load<TfLayers>('@tensorflow/tfjs-layers');
await core.setBackend(backendName);
if (backendName === 'wasm') registerSegmentSum();
const measured =
  request.mode === 'train'
    ? timeFit(network, request.steps)
    : timePredict(network, Number(request.mode.slice('predict'.length)));
report(await measured.then((found) => ({ ...found, notes: { backend: backendName } }), refusal));

/** The wasm backend has no kernels for the gradients of convolutions. */
function refusal(error: Error): Measurement {
  if (!/not registered for backend/.test(error.message)) throw error;
  return { milliseconds: [], notes: { refused: error.message } };
}

/** The gradient of an embedding wants this kernel, which the wasm backend lacks: without it the network would not train at all. */
function registerSegmentSum(): void {
  core.registerKernel({
    kernelName: 'UnsortedSegmentSum',
    backendName: 'wasm',
    kernelFunc: ({ inputs: { x, segmentIds }, attrs: { numSegments }, backend }) => {
      const [values, ids] = [x, segmentIds].map((input) => backend.readSync((input as { dataId: object }).dataId));
      const rest = x?.shape.slice(segmentIds?.shape.length) ?? [];
      const width = rest.reduce((product, extent) => product * extent, 1);
      const sums = new Float32Array(numSegments * width);
      for (let row = 0; row < (ids?.length ?? 0); row++) {
        const to = (ids?.[row] as number) * width;
        for (let at = 0; at < width; at++)
          sums[to + at] = (sums[to + at] as number) + (values?.[row * width + at] as number);
      }
      const shape = [numSegments, ...rest];
      return { dataId: backend.write(sums, shape, 'float32'), shape, dtype: 'float32' };
    },
  });
}

/** From numbers to numbers, as `createPredictor` is timed. */
async function timePredict(chosen: Network, batchSize: number): Promise<Measurement> {
  const model = layers.sequential({ layers: layersOf(chosen) });
  const { x } = samplesOf(chosen, batchSize);
  return measureRuns(request.steps, async () => {
    const input = core.tensor(x, [batchSize, ...chosen.inputShape]);
    const output = model.predict(input);
    await output.data();
    input.dispose();
    output.dispose();
  });
}

async function timeFit(chosen: Network, steps: number): Promise<Measurement> {
  const { batchSize, inputShape } = chosen;
  const count = batchSize * steps;
  const { x, y } = samplesOf(chosen, count);
  const model = layers.sequential({ layers: layersOf(chosen) });
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  const inputs = core.tensor(x, [count, ...inputShape]);
  const targets = core.tensor(Float32Array.from(y), [count, 1]);
  const milliseconds: number[] = [];
  let last = 0;
  let stop = processorStopwatch();
  await model.fit(inputs, targets, {
    epochs: 1,
    batchSize,
    verbose: 0,
    yieldEvery: 'never',
    callbacks: {
      onBatchBegin: () => {
        last = performance.now();
      },
      onBatchEnd: () => {
        milliseconds.push(performance.now() - last);
        // The first step warms up.
        if (milliseconds.length === 1) stop = processorStopwatch();
      },
    },
  });
  return { milliseconds: milliseconds.slice(1), processorMilliseconds: stop(steps - 1) };
}

function layersOf({ name, inputShape, vocabulary }: Network): readonly TfLayer[] {
  const { layers: l } = layers;
  const make = (kind: string, options: object = {}): TfLayer => (l[kind] as (options: object) => TfLayer)(options);
  const first = { inputShape };
  // The default takes long to make, and wants the chained form of ops, which are not loaded.
  const recurrent = { recurrentInitializer: 'glorotUniform' };
  if (name === 'rnn')
    return [
      make('simpleRNN', { units: 64, ...recurrent, ...first }),
      make('dense', { units: 10, activation: 'softmax' }),
    ];
  if (name === 'lstm') {
    return [
      make('embedding', { inputDim: vocabulary as number, outputDim: 64, inputLength: inputShape[0] }),
      make('lstm', { units: 64, ...recurrent }),
      make('dense', { units: 10, activation: 'softmax' }),
    ];
  }
  if (name === 'mlp' || name === 'wide') {
    const units = name === 'mlp' ? 512 : 2800;
    return [
      make('dense', { units, activation: 'relu', ...first }),
      make('dense', { units, activation: 'relu' }),
      make('dense', { units: 10, activation: 'softmax' }),
    ];
  }
  if (name === 'cnn') {
    return [
      make('conv2d', { filters: 32, kernelSize: 3, activation: 'relu', ...first }),
      make('maxPooling2d', { poolSize: 2 }),
      make('conv2d', { filters: 64, kernelSize: 3, activation: 'relu' }),
      make('maxPooling2d', { poolSize: 2 }),
      make('flatten'),
      make('dropout', { rate: 0.5 }),
      make('dense', { units: 10, activation: 'softmax' }),
    ];
  }
  const block = (filters: number, options: object = {}): TfLayer[] => [
    make('conv2d', { filters, kernelSize: 3, padding: 'same', ...options }),
    make('batchNormalization'),
    make('activation', { activation: 'relu' }),
  ];
  return [
    ...block(64, first),
    ...block(64),
    make('maxPooling2d', { poolSize: 2 }),
    ...block(128),
    make('maxPooling2d', { poolSize: 2 }),
    make('globalAveragePooling2d'),
    make('dense', { units: 10, activation: 'softmax' }),
  ];
}

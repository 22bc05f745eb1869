import { Tensor, type TensorMap } from 'modelwright';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';

const tolerance = 1e-5;

/** Largest difference of two outputs; throws when it is more than 1e-5. */
export function compareOutputs(expected: Tensor, given: Tensor): string {
  const [left, right] = [expected.data as Float32Array, given.data as Float32Array];
  const largest = left.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (right[index] ?? Number.NaN))),
    0,
  );
  if (!(largest <= tolerance)) throw new RangeError(`outputs differ by ${largest}, more than ${tolerance}`);
  return largest.toExponential(1);
}

/** Runs a file with ONNX Runtime's own API: nothing of Modelwright is involved. */
export async function runInOnnxRuntime(file: string, inputs: TensorMap): Promise<Tensor> {
  const session = await InferenceSession.create(file);
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [
      name,
      new RuntimeTensor('float32', data as Float32Array, shape),
    ]),
  );
  const result = (await session.run(feeds))[session.outputNames[0] as string] as RuntimeTensor;
  const output = new Tensor('float32', result.dims, result.data as Float32Array);
  await session.release();
  return output;
}

import { type Backend, createPredictor, type Model, type Predictor } from '@modelwright/core';
import { readOnnx } from '@modelwright/onnx';
import { type Digits, imagesOf } from './digits.js';

/** The network that `examples/quickstart` trained. */
export async function fetchModel(): Promise<Model> {
  const response = await fetch(`${import.meta.env.BASE_URL}digits.onnx`);
  if (!response.ok) throw new RangeError(`digits.onnx: the server answers ${response.status}`);
  return readOnnx(new Uint8Array(await response.arrayBuffer()));
}

/** `[count, 10]` probabilities, row after row. */
export async function probabilitiesOf(predictor: Predictor, digits: Digits): Promise<Float32Array> {
  const { probabilities } = await predictor.predict({ image: imagesOf(digits) });
  return probabilities?.data as Float32Array;
}

export function predictorFor(model: Model, backend: Backend): Promise<Predictor> {
  return createPredictor(model, backend);
}

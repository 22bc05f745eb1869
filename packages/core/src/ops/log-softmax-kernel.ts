import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { forEachLine } from './reduction-kernels.js';

/** `x − ln Σ eˣ` along axis 1. */
export function logSoftmax(x: Tensor): Tensor {
  const values = toNumbers(x);
  const results = new Float64Array(values.length);
  forEachLine(x.shape, 1, (base, stride, extent) => {
    let peak = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < extent; i++) peak = Math.max(peak, values[base + i * stride] as number);
    let sum = 0;
    for (let i = 0; i < extent; i++) sum += Math.exp((values[base + i * stride] as number) - peak);
    const shift = peak + Math.log(sum);
    for (let i = 0; i < extent; i++) results[base + i * stride] = (values[base + i * stride] as number) - shift;
  });
  return fromNumbers(x.dtype, x.shape, results);
}

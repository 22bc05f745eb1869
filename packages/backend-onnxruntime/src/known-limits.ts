const noFloat64 = 'the CPU provider has this function in float32 only';

const ordersNaN = 'comparisons with NaN are false, so it never wins';
const regionOfInterest = 'the kernel reads a region of interest in another order';
const onlyImages = 'the kernel takes four axes only';

/** What ONNX Runtime's CPU provider cannot run, or not exactly, by id of core's op case (`… gradient` for its gradient), with the reason. */
export const knownLimits: { readonly [id: string]: string } = {
  'elementwise/Tan/float64': noFloat64,
  'elementwise/Asin/float64': noFloat64,
  'elementwise/Acos/float64': noFloat64,
  'elementwise/Atan/float64': noFloat64,
  'elementwise/Sinh/float64': noFloat64,
  'elementwise/Cosh/float64': noFloat64,
  'elementwise/Asinh/float64': noFloat64,
  'elementwise/Acosh/float64': noFloat64,
  'elementwise/Atanh/float64': noFloat64,
  'elementwise/Pow/int64': 'powers of integers are computed in float64, so beyond 2⁵³ the last digits are lost',
  'activation/Softplus/float64': noFloat64,
  'activation/Softsign/float64': noFloat64,
  'activation/HardSwish/float64': noFloat64,
  'activation/Erf/float64': noFloat64,
  'activation/LeakyRelu/float64': noFloat64,
  'activation/Elu/float64': noFloat64,
  'activation/Celu/float64': noFloat64,
  'activation/Selu/float64': noFloat64,
  'activation/HardSigmoid/float64': noFloat64,
  'activation/ThresholdedRelu/float64': noFloat64,
  'activation/Gelu/float64': noFloat64,
  'activation/Mish/float64': noFloat64,
  'activation/Swish/float64': 'the runtime fuses it into an op of float32 only',
  'activation/Shrink/float64': 'its attributes are float32 numbers',
  'linear-algebra/Det/float64': noFloat64,
  'reduction/ReduceMean/over nothing': 'the mean of no elements is 0, not NaN',
  'reduction/ArgMax/NaN': ordersNaN,
  'reduction/ArgMin/NaN': ordersNaN,
  'reduction/TopK/NaN': ordersNaN,
  'linear-algebra/Einsum/...ij,...jk->...ik [2,1,3,2][3,2,2]': 'an ellipsis does not broadcast',
  'pooling/MaxUnpool/output shape': 'places count in the pooled shape, not in the output shape',
  'normalization/LRN/[1,6,3] size 4': 'an even size is refused',
  'normalization/LRN/[2,3] size 5': onlyImages,
  'normalization/LRN/[1,4,2,1,2] size 1': onlyImages,
  'resizing/Pad/scalar': 'a scalar cannot be padded',
  'resizing/Resize/linear 1d': 'linear resizing takes two or three spatial axes',
  'resizing/Resize/crop': regionOfInterest,
  'resizing/Resize/crop beyond the edges': regionOfInterest,
  'quantization/MatMulInteger/zero point a row': 'a zero point for each row is refused',
  'quantization/ConvInteger/zero point a filter': 'a zero point for each filter is refused',
};

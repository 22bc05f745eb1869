const noFloat64 = 'the CPU provider has this function in float32 only';

/** What ONNX Runtime's CPU provider cannot run, or not exactly, by id of core's op case, with the reason. */
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
  'indexing/OneHot/int64 from int32': 'int32 indices come with float32 values only',
};

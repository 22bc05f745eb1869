const losesNaN = 'comparisons with NaN are false, so the kernel may drop it';
const largeAngles = 'the kernel has no digits left for angles beyond 2³¹';

/** What tfjs's wasm kernels compute otherwise than the reference, by id of core's op case, with the reason. */
export const knownLimits: { readonly [id: string]: string } = {
  'reduction/ArgMax/NaN': losesNaN,
  'reduction/ArgMin/NaN': losesNaN,
  'elementwise/Sin/special': largeAngles,
  'elementwise/Cos/special': largeAngles,
  'elementwise/Min/special': losesNaN,
  'elementwise/Max/special': losesNaN,
  'elementwise/Clip/special': losesNaN,
};

const losesNaN = 'comparisons with NaN are false, so the kernel may drop it';
const largeAngles = 'sines of angles beyond 2³¹ have no digits left in the kernel';

const everywhere: { readonly [id: string]: string } = {
  'reduction/ArgMax/NaN': losesNaN,
  'reduction/ArgMin/NaN': losesNaN,
};

/**
 * What the kernels of tfjs compute otherwise than the reference, by backend of tfjs and id of core's op case (`… gradient` for its
 * gradient), with the reason.
 */
export const knownLimits: { readonly [backend in 'cpu' | 'wasm']: { readonly [id: string]: string } } = {
  cpu: {
    ...everywhere,
    'elementwise/Pow/special': 'a power of NaN is NaN, also with exponent 0',
  },
  wasm: {
    ...everywhere,
    'elementwise/Sin/special': largeAngles,
    'elementwise/Cos/special': largeAngles,
    'elementwise/Min/special': losesNaN,
    'elementwise/Max/special': losesNaN,
    'elementwise/Clip/special': losesNaN,
  },
};

const losesNaN = 'comparisons with NaN are false, so the kernel may drop it';

/** What tfjs's plain kernels compute otherwise than the reference, by id of core's op case, with the reason. */
export const knownLimits: { readonly [id: string]: string } = {
  'reduction/ArgMax/NaN': losesNaN,
  'reduction/ArgMin/NaN': losesNaN,
  'elementwise/Pow/special': 'a power of NaN is NaN, also with exponent 0',
};

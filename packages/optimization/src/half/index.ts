export { type Float16ModelOptions, type Float16Options, float16, toFloat16 } from './to-float16.js';

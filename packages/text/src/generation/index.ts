export { type DecodingOptions, decodingProgram } from './decoding-program.js';
export type { FinishReason, GeneratedText, GeneratedToken } from './generated-token.js';
export {
  createGenerator,
  type GenerateOptions,
  type GenerateTextOptions,
  type GeneratorOptions,
  generate,
  generateText,
  type TextGenerator,
  type TokenIds,
} from './generator.js';
export { contextLengthOf } from './position-flow.js';
export { RowSession, type RowSessionOptions, type RowTokens } from './row-session.js';
export { createSampler, type Draw, type DrawPlace, type Sampler, type SamplingOptions } from './sampling.js';
export { TextStream } from './text-stream.js';

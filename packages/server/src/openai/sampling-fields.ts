import type { GenerationRequest } from '../contract/generation.js';
import { isJsonObject } from '../open-inference/request-body.js';
import { invalidField, type RequestFields } from './request-fields.js';

/** How an answer is drawn: fields that completions and chats have in common. */
export type SamplingFields = Omit<GenerationRequest, 'prompt' | 'choice' | 'logprobs' | 'maxTokens'>;

const mostStops = 16;
const mostBiases = 1024;

/** @throws {@link ModelwrightError} `invalid-argument` naming the field. */
export function samplingFields(fields: RequestFields): SamplingFields {
  return {
    ...given('temperature', fields.number('temperature', [0, 2])),
    ...given('topP', topP(fields)),
    ...given('topK', fields.integer('top_k', [1, 2 ** 31])),
    ...given('seed', fields.integer('seed', [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])),
    ...given('stop', fields.texts('stop', mostStops)),
    ...given('frequencyPenalty', fields.number('frequency_penalty', [-2, 2])),
    ...given('presencePenalty', fields.number('presence_penalty', [-2, 2])),
    ...given('logitBias', logitBias(fields)),
  };
}

/** A field of an object, or none. */
export function given<Name extends string, T>(name: Name, value: T | undefined): { readonly [N in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]?: T });
}

/** Nothing is as likely as 0 says; the most likely token comes next to it. */
function topP(fields: RequestFields): number | undefined {
  const share = fields.number('top_p', [0, 1]);
  return share === 0 ? Number.EPSILON : share;
}

function logitBias(fields: RequestFields): Readonly<Record<string, number>> | undefined {
  const bias = fields.raw('logit_bias');
  if (bias === undefined) return undefined;
  const isMap = isJsonObject(bias) && Object.values(bias).every((amount) => typeof amount === 'number');
  if (!isMap) throw invalidField('logit_bias', 'must give numbers by ids of tokens');
  if (Object.keys(bias).length > mostBiases) throw invalidField('logit_bias', `may name ${mostBiases} tokens at most`);
  return bias as Readonly<Record<string, number>>;
}

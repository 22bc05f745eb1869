import type { Context } from 'hono';
import type { GenerationPiece, GenerationRequest, GenerationService } from '../contract/generation.js';
import type { RequestScope } from '../contract/route.js';
import { jsonResponse, parseObject, readBody } from '../open-inference/request-body.js';
import { AnswerChoices, wholeAnswers } from './answer-choices.js';
import { type AnswerHead, answerHead } from './answer-head.js';
import { type EventData, eventStreamResponse } from './event-stream-response.js';
import { CompletionLogprobs } from './logprobs.js';
import { namedModel } from './model-name.js';
import { invalidField, RequestFields } from './request-fields.js';
import { given, samplingFields } from './sampling-fields.js';

/** As many answers as one request may ask for. */
const mostAnswers = 128;
/** What OpenAI's API gives where nothing is said. */
const usualTokens = 16;

/** A completion as it was asked for. */
interface CompletionCall {
  readonly head: AnswerHead;
  readonly choices: AnswerChoices;
  /** What stands before the answer, by its index: the prompt, where it is echoed. */
  readonly echoes: readonly string[];
  readonly isStreamed: boolean;
  readonly includesUsage: boolean;
}

/** `POST /v1/completions` */
export async function createCompletion(context: Context, scope: RequestScope): Promise<Response> {
  const fields = new RequestFields(parseObject(await readBody(context)));
  const call = readCall(fields, scope);
  if (call.isStreamed) return eventStreamResponse(completionEvents(call));
  const answers = await wholeAnswers(call.choices);
  const choices = answers.map((answer, index) => {
    const echo = call.echoes[index] as string;
    return choiceOf({ index, echo, piece: answer }, new CompletionLogprobs());
  });
  return jsonResponse({ ...call.head, choices, usage: call.choices.usage });
}

function readCall(fields: RequestFields, scope: RequestScope): CompletionCall {
  const named = namedModel(fields);
  const service = scope.hub.generation(named.model, named.version);
  const count = fields.integer('n', [1, mostAnswers]) ?? 1;
  fields.refuse('best_of', (best) => best === count);
  fields.refuse('suffix', (suffix) => suffix === '');
  const prompts = promptsOf(fields.required('prompt'), service);
  if (prompts.length * count > mostAnswers)
    throw invalidField('prompt', `and 'n' ask for more than ${mostAnswers} answers`);
  const shared = {
    ...samplingFields(fields),
    maxTokens: fields.integer('max_tokens', [1, 2 ** 31]) ?? Math.min(usualTokens, service.maxTokens),
    ...given('logprobs', fields.integer('logprobs', [0, 20])),
  };
  const requests = prompts.flatMap((prompt) =>
    Array.from({ length: count }, (_, choice): GenerationRequest => ({ ...shared, prompt, choice })),
  );
  const isEchoed = fields.flag('echo') ?? false;
  if (isEchoed && shared.logprobs !== undefined)
    throw invalidField('logprobs', "is not there for a prompt: leave out 'echo'");
  const echo = (prompt: readonly number[]): string => (isEchoed ? service.decode(prompt) : '');
  return {
    head: answerHead('cmpl', 'text_completion', named.given),
    choices: new AnswerChoices(service, requests, { scope, promptTokens: lengthInAll(prompts) }),
    echoes: requests.map(({ prompt }) => echo(prompt)),
    isStreamed: fields.flag('stream') ?? false,
    includesUsage: fields.object('stream_options')?.flag('include_usage') ?? false,
  };
}

async function* completionEvents(call: CompletionCall): AsyncGenerator<EventData, void, undefined> {
  const { head, choices, echoes, includesUsage } = call;
  const usage = includesUsage ? { usage: null } : {};
  const logprobs = echoes.map(() => new CompletionLogprobs());
  const begun = new Set<number>();
  for await (const { index, piece } of choices.pieces()) {
    const echo = begun.has(index) ? '' : (echoes[index] as string);
    begun.add(index);
    yield { ...head, choices: [choiceOf({ index, echo, piece }, logprobs[index] as CompletionLogprobs)], ...usage };
  }
  if (includesUsage) yield { ...head, choices: [], usage: choices.usage };
}

function choiceOf(
  { index, echo, piece }: { readonly index: number; readonly echo: string; readonly piece: GenerationPiece },
  logprobs: CompletionLogprobs,
): EventData {
  return {
    index,
    text: echo + piece.text,
    logprobs: logprobs.of(piece.logprobs),
    finish_reason: piece.finishReason ?? null,
  };
}

/** One text, several, the ids of one, or those of several. */
function promptsOf(prompt: unknown, service: GenerationService): readonly (readonly number[])[] {
  if (typeof prompt === 'string') return [service.encode(prompt)];
  if (!Array.isArray(prompt) || prompt.length === 0) throw wrongPrompt();
  const list: readonly unknown[] = prompt;
  if (list.length > mostAnswers && typeof list[0] !== 'number')
    throw invalidField('prompt', `may hold ${mostAnswers} texts`);
  if (isIds(list)) return [list];
  return list.map((each) => {
    if (typeof each === 'string') return service.encode(each);
    if (Array.isArray(each) && isIds(each)) return each;
    throw wrongPrompt();
  });
}

function isIds(list: readonly unknown[]): list is readonly number[] {
  return list.length > 0 && list.every((id) => Number.isInteger(id));
}

function wrongPrompt(): Error {
  return invalidField('prompt', 'must be a text, a list of texts, ids of tokens, or a list of such');
}

function lengthInAll(prompts: readonly (readonly number[])[]): number {
  return prompts.reduce((sum, { length }) => sum + length, 0);
}

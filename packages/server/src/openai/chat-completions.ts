import type { Context } from 'hono';
import type { GenerationPiece, GenerationRequest } from '../contract/generation.js';
import type { RequestScope } from '../contract/route.js';
import { isJsonObject, jsonResponse, parseObject, readBody } from '../open-inference/request-body.js';
import { AnswerChoices, wholeAnswers } from './answer-choices.js';
import { type AnswerHead, answerHead } from './answer-head.js';
import { type EventData, eventStreamResponse } from './event-stream-response.js';
import { chatLogprobs } from './logprobs.js';
import { namedModel } from './model-name.js';
import { invalidField, RequestFields } from './request-fields.js';
import { given, samplingFields } from './sampling-fields.js';

const mostAnswers = 128;
const mostMessages = 4096;

/** A chat as it was asked for. */
interface ChatCall {
  readonly named: string;
  readonly choices: AnswerChoices;
  readonly count: number;
  readonly isStreamed: boolean;
  readonly includesUsage: boolean;
}

/** `POST /v1/chat/completions` */
export async function createChatCompletion(context: Context, scope: RequestScope): Promise<Response> {
  const call = readCall(new RequestFields(parseObject(await readBody(context))), scope);
  if (call.isStreamed) return eventStreamResponse(chatEvents(call));
  const head = answerHead('chatcmpl', 'chat.completion', call.named);
  const answers = await wholeAnswers(call.choices);
  const choices = answers.map(({ text, logprobs, finishReason }, index) => ({
    index,
    message: { role: 'assistant', content: text, refusal: null },
    logprobs: chatLogprobs(logprobs),
    finish_reason: finishReason,
  }));
  return jsonResponse({ ...head, choices, usage: call.choices.usage });
}

function readCall(fields: RequestFields, scope: RequestScope): ChatCall {
  const named = namedModel(fields);
  const service = scope.hub.generation(named.model, named.version);
  refuseWhatIsNotThere(fields);
  const count = fields.integer('n', [1, mostAnswers]) ?? 1;
  const prompt = service.encode(service.renderChat(messagesOf(fields.required('messages'))));
  const maxTokens = fields.integer('max_completion_tokens', [1, 2 ** 31]) ?? fields.integer('max_tokens', [1, 2 ** 31]);
  const shared = {
    ...samplingFields(fields),
    ...given('maxTokens', maxTokens),
    ...given('logprobs', logprobCount(fields)),
  };
  const requests = Array.from({ length: count }, (_, choice): GenerationRequest => ({ ...shared, prompt, choice }));
  return {
    named: named.given,
    choices: new AnswerChoices(service, requests, { scope, promptTokens: prompt.length }),
    count,
    isStreamed: fields.flag('stream') ?? false,
    includesUsage: fields.object('stream_options')?.flag('include_usage') ?? false,
  };
}

async function* chatEvents(call: ChatCall): AsyncGenerator<EventData, void, undefined> {
  const { choices, includesUsage } = call;
  const head: AnswerHead = answerHead('chatcmpl', 'chat.completion.chunk', call.named);
  const usage = includesUsage ? { usage: null } : {};
  const begun = new Set<number>();
  for await (const { index, piece } of choices.pieces()) {
    if (!begun.has(index)) yield { ...head, choices: [opening(index)], ...usage };
    begun.add(index);
    yield { ...head, choices: [deltaOf(index, piece)], ...usage };
  }
  if (includesUsage) yield { ...head, choices: [], usage: choices.usage };
}

function opening(index: number): EventData {
  return { index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null };
}

function deltaOf(index: number, { text, logprobs, finishReason }: GenerationPiece): EventData {
  const delta = text === '' ? {} : { content: text };
  return { index, delta, logprobs: chatLogprobs(logprobs), finish_reason: finishReason ?? null };
}

/** Tools and forms of answers that no model here is taught; silence would be taken for agreement. */
function refuseWhatIsNotThere(fields: RequestFields): void {
  const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
  fields.refuse('tools', isEmpty);
  fields.refuse('functions', isEmpty);
  fields.refuse('audio', () => false);
  fields.refuse('modalities', (value) => Array.isArray(value) && value.every((each) => each === 'text'));
  fields.refuse('response_format', (value) => isJsonObject(value) && value['type'] === 'text');
}

function logprobCount(fields: RequestFields): number | undefined {
  const isWanted = fields.flag('logprobs') ?? false;
  const top = fields.integer('top_logprobs', [0, 20]);
  if (top !== undefined && !isWanted) throw invalidField('top_logprobs', "needs 'logprobs' to be true");
  return isWanted ? (top ?? 0) : undefined;
}

function messagesOf(given: unknown): readonly { readonly role: string; readonly content: string }[] {
  if (!Array.isArray(given) || given.length === 0) throw invalidField('messages', 'must be a list of messages');
  if (given.length > mostMessages) throw invalidField('messages', `may hold ${mostMessages} messages`);
  return given.map((message: unknown, index) => {
    const role = isJsonObject(message) ? message['role'] : undefined;
    const name = `messages[${index}]`;
    if (!isJsonObject(message) || typeof role !== 'string') throw invalidField(name, "must have a text 'role'");
    return { role, content: contentOf(message['content'] ?? '', `${name}.content`) };
  });
}

/** A text, or parts that are texts. */
function contentOf(content: unknown, name: string): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw invalidField(name, 'must be a text or a list of parts');
  const parts = content.map((part: unknown) => {
    const isText = isJsonObject(part) && part['type'] === 'text' && typeof part['text'] === 'string';
    if (!isText) throw invalidField(name, "may hold parts of type 'text' only");
    return part['text'] as string;
  });
  return parts.join('');
}

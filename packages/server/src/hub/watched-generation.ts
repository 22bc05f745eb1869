import type { GenerationPiece, GenerationService } from '../contract/generation.js';
import type { InferenceRecord } from './inference-record.js';
import type { GenerationOutline } from './version-slot.js';

/** What is done around a generation. */
export interface GenerationWatch {
  /** The service that will answer; charges the caller, and loads the model again if it had to make room. */
  readonly service: () => Promise<GenerationService>;
  readonly record: () => InferenceRecord;
  /** On whose behalf, as {@link GenerationOptions} has it. */
  readonly scope: string | undefined;
  /** Takes tokens from the caller's allowance. @throws `rate-limited`. */
  readonly spend: (tokens: number) => Promise<void>;
}

/** A generation service that counts tokens and tells the event stream of each answer. */
export function watchedGeneration(service: GenerationOutline, watch: GenerationWatch): GenerationService {
  return {
    maxLength: service.maxLength,
    maxTokens: service.maxTokens,
    encode: (text) => service.encode(text),
    decode: (tokens) => service.decode(tokens),
    renderChat: (messages) => service.renderChat(messages),
    generate: (request, options) => generate(watch, request, options),
  };
}

async function* generate(
  { service, record: createRecord, spend, scope }: GenerationWatch,
  ...[request, options]: Parameters<GenerationService['generate']>
): AsyncGenerator<GenerationPiece> {
  const record = createRecord();
  record.promptTokens = request.prompt.length;
  let completionTokens = 0;
  let isDone = false;
  try {
    const serving = await service();
    // What is asked is paid at once, what is answered afterwards: an answer is not cut off in the middle by a limit.
    await spend(request.prompt.length);
    for await (const piece of serving.generate(request, scope === undefined ? options : { ...options, scope })) {
      if (completionTokens === 0) record.firstTokenMilliseconds = performance.now() - record.started;
      completionTokens += piece.tokens.length;
      record.completionTokens = completionTokens;
      isDone = piece.finishReason !== undefined;
      yield piece;
    }
    isDone = true;
  } catch (error) {
    record.fail(error);
    throw error;
  } finally {
    if (completionTokens > 0) await spend(completionTokens).catch(() => undefined);
    if (isDone) record.succeed();
    else record.fail(new DOMException('the client went away', 'AbortError'));
  }
}

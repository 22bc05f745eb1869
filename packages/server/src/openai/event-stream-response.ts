import { statusOf } from '../errors/status-of.js';

/** What is sent as one event. */
export type EventData = Readonly<Record<string, unknown>>;

/** An error in the form of OpenAI's API. */
export function errorBody(error: unknown): { readonly error: Readonly<Record<string, unknown>> } {
  const { status, code, message, input } = statusOf(error);
  return { error: { message, type: status.openai, param: input ?? null, code } };
}

/**
 * Answers with server-sent events: `data: {…}` each, `data: [DONE]` at the end; a failure on the way is an event with `error`. Nothing is made
 * that the client does not take.
 *
 * @param events - Ended when the client goes away.
 * @throws what the first event fails with: until it is there, the answer can still be an error with a status.
 */
export async function eventStreamResponse(events: AsyncGenerator<EventData, void, undefined>): Promise<Response> {
  const encoder = new TextEncoder();
  const lines = eventLines(await events.next(), events);
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { value, done } = await lines.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: async () => {
      await lines.return();
    },
  });
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // Proxies that collect answers would undo the streaming.
      'x-accel-buffering': 'no',
    },
  });
}

async function* eventLines(
  first: IteratorResult<EventData, void>,
  events: AsyncGenerator<EventData, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  try {
    for (let next = first; next.done !== true; next = await events.next())
      yield `data: ${JSON.stringify(next.value)}\n\n`;
    yield 'data: [DONE]\n\n';
  } catch (error) {
    yield `data: ${JSON.stringify(errorBody(error))}\n\n`;
  } finally {
    await events.return();
  }
}

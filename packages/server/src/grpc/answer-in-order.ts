/**
 * Answers the requests of a stream in their order, some of them at once: a client that waits for each answer gets it at once, one that does
 * not has its requests run together.
 *
 * @param concurrency - How many are worked on at once; the stream is not read further before one of them is answered.
 */
export async function* answerInOrder<Request, Answer>(
  requests: AsyncIterable<Request>,
  concurrency: number,
  answer: (request: Request) => Promise<Answer>,
): AsyncGenerator<Answer> {
  const iterator = requests[Symbol.asyncIterator]();
  const running: Promise<Answer>[] = [];
  let reading: Promise<IteratorResult<Request>> | undefined = iterator.next();
  while (reading !== undefined || running.length > 0) {
    const oldest = running[0];
    const canRead = reading !== undefined && running.length < concurrency;
    const arrived = await Promise.race([
      ...(canRead ? [(reading as Promise<IteratorResult<Request>>).then((result) => ({ result }))] : []),
      ...(oldest === undefined ? [] : [oldest.then((value) => ({ value }))]),
    ]);
    if ('value' in arrived) {
      running.shift();
      yield arrived.value;
    } else if (arrived.result.done === true) {
      reading = undefined;
    } else {
      const next = answer(arrived.result.value);
      // Whoever waits for it hears of its failure; until then it must not count as unheard.
      next.catch(() => {});
      running.push(next);
      reading = iterator.next();
      reading.catch(() => {});
    }
  }
}

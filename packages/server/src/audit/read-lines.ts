import { createReadStream } from 'node:fs';
import { ModelwrightError } from '@modelwright/core';

const longestBytes = 16 * 2 ** 20;

/**
 * The lines of a file, one after another.
 *
 * @throws {@link ModelwrightError} `file-unreadable`; `limit-exceeded` for a line above 16 MiB.
 */
export async function* readLines(
  file: string,
): AsyncGenerator<{ readonly text: string /** Whether a line break follows. */; readonly isFinished: boolean }> {
  let rest = Buffer.alloc(0);
  const pieces = createReadStream(file, { highWaterMark: 2 ** 20 })[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await pieces.next().catch((cause) => {
      throw new ModelwrightError('file-unreadable', `'${file}' cannot be read.`, { file, cause });
    });
    if (done) break;
    rest = rest.length === 0 ? value : Buffer.concat([rest, value]);
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      yield { text: rest.toString('utf8', start, end), isFinished: true };
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > longestBytes)
      throw new ModelwrightError('limit-exceeded', `'${file}' has a line of more than ${longestBytes} bytes.`, {
        file,
      });
  }
  if (rest.length > 0) yield { text: rest.toString(), isFinished: false };
}

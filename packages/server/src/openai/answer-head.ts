/** What every object of one answer begins with. */
export interface AnswerHead {
  readonly id: string;
  readonly object: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly model: string;
}

/** @param kind - Before the id: `cmpl`, `chatcmpl`. */
export function answerHead(kind: string, object: string, model: string): AnswerHead {
  const id = `${kind}-${globalThis.crypto.randomUUID().replaceAll('-', '')}`;
  return { id, object, created: Math.floor(Date.now() / 1000), model };
}

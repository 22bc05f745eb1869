/// <reference lib="dom" />
import type { InputData } from '@modelwright/core';

/** One input of the model as the visitor gives it. */
export interface InputView {
  readonly element: HTMLElement;
  /** A picture's bytes, a text, or numbers; undefined while there is nothing. */
  value(): Promise<InputValue | undefined>;
}

/** What an input view gives. */
export type InputValue =
  | { readonly kind: 'raw'; readonly value: Uint8Array | string }
  | { readonly kind: 'tensor'; readonly value: InputData };

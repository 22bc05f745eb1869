/** The part of koffi that the native engine uses. Pointers are bigints. */
export interface Koffi {
  readonly version: string;
  load(path: string): KoffiLibrary;
  address(memory: ArrayBuffer | ArrayBufferView): bigint;
  view(pointer: bigint, sizeBytes: number): ArrayBuffer;
  decode(pointer: bigint, prototype: unknown): NativeFunction;
  proto(result: string, parameters: readonly string[]): unknown;
  config(settings: Readonly<Record<string, number>>): unknown;
}

/** A loaded shared library. */
export interface KoffiLibrary {
  func(name: string, result: string, parameters: readonly string[]): NativeFunction;
}

/** What goes into a C call and what comes out of it. */
export type NativeArgument = bigint | number | string | null;

/** A C function; `async` runs it on a thread of libuv's pool. */
export interface NativeFunction {
  (...parameters: NativeArgument[]): NativeArgument;
  async(...parameters: [...NativeArgument[], (error: Error | null | undefined, result: NativeArgument) => void]): void;
}

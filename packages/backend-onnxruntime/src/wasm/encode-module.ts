/** Value types of WebAssembly. */
export const valueTypes = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;

/** Name of a WebAssembly value type. */
export type ValueType = keyof typeof valueTypes;

/** A function without results over the module's memory. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  /** Locals after the parameters. */
  readonly locals: readonly ValueType[];
  /** Instructions, without the final `end`. */
  readonly body: readonly number[];
}

/** Limits of the imported memory, in pages of 64 KiB. */
export interface PageLimits {
  readonly minimum: number;
  readonly maximum: number;
  /** Whether several threads work on it. Default false. */
  readonly isShared?: boolean;
}

const sections = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const endInstruction = 0x0b;

/**
 * Encodes functions that work on one imported memory (`memory.memory`) as a WebAssembly binary.
 *
 * @returns the bytes of the module; every function is exported under its name.
 * @see WebAssembly Core Specification 2.0, §5
 */
export function encodeModule(functions: readonly WasmFunction[], pages: PageLimits): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, ...vector(parameters.map((type) => [valueTypes[type]])), 0]);
  const limits = [pages.isShared ? 3 : 1, ...unsigned(pages.minimum), ...unsigned(pages.maximum)];
  const memory = [...text('memory'), ...text('memory'), 2, ...limits];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section('type', vector(types)),
    ...section('import', vector([memory])),
    ...section('function', vector(functions.map((_, index) => unsigned(index)))),
    ...section('export', vector(functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]))),
    ...section('code', vector(functions.map(encodeBody))),
  ]);
}

/** LEB128 of a non-negative integer. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

/** Signed LEB128 of an integer. */
export function signed(value: bigint | number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const low = Number(BigInt.asUintN(7, rest));
    rest >>= 7n;
    const isLast = (rest === 0n && low < 64) || (rest === -1n && low >= 64);
    bytes.push(isLast ? low : low + 128);
    if (isLast) return bytes;
  }
}

function encodeBody({ locals, body }: WasmFunction): number[] {
  const declarations = vector(locals.map((type) => [1, valueTypes[type]]));
  const code = [...declarations, ...body, endInstruction];
  return [...unsigned(code.length), ...code];
}

function section(name: keyof typeof sections, content: readonly number[]): number[] {
  return [sections[name], ...unsigned(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [...unsigned(bytes.length), ...bytes];
}

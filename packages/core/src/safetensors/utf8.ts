/** The bytes of a text in UTF-8; a surrogate without its other half becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    const scalar = code >= 0xd800 && code < 0xe000 ? 0xfffd : code;
    if (scalar < 0x80) bytes.push(scalar);
    else if (scalar < 0x800) bytes.push(0xc0 | (scalar >> 6), tail(scalar));
    else if (scalar < 0x10000) bytes.push(0xe0 | (scalar >> 12), tail(scalar >> 6), tail(scalar));
    else bytes.push(0xf0 | (scalar >> 18), tail(scalar >> 12), tail(scalar >> 6), tail(scalar));
  }
  return Uint8Array.from(bytes);
}

/** The text of bytes in UTF-8; undefined where they are not exactly that (overlong forms and surrogates are not). */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const pieces: string[] = [];
  let codes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length === 0 || at + length > bytes.length) return undefined;
    let code = length === 1 ? first : first & (0x7f >> length);
    for (let next = at + 1; next < at + length; next++) {
      const byte = bytes[next] as number;
      if ((byte & 0xc0) !== 0x80) return undefined;
      code = (code << 6) | (byte & 0x3f);
    }
    if (code < (smallest[length] as number) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
    codes.push(code);
    at += length;
    // As many arguments as any engine takes.
    if (codes.length < 4096 && at < bytes.length) continue;
    pieces.push(String.fromCodePoint(...codes));
    codes = [];
  }
  return pieces.join('');
}

/** Smallest code that takes as many bytes. */
const smallest: readonly number[] = [0, 0, 0x80, 0x800, 0x10000];

function tail(bits: number): number {
  return 0x80 | (bits & 0x3f);
}

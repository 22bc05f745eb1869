const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that UTF-8 bytes stand for, exactly; undefined if they are none. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

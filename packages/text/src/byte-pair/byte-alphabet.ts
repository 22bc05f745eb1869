// GPT-2 writes each byte as a visible character: printable Latin-1 stands for itself, the other 68 bytes get the
// characters from U+0100 on, in order. So a space is 'Ġ' and a line feed 'Ċ'.
const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);

const characterOfByte: readonly string[] = makeCharacters();
const byteOfCharacter: ReadonlyMap<string, number> = new Map(
  characterOfByte.map((character, byte) => [character, byte]),
);

function makeCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

/** The 256 characters that stand for bytes, in the order of their code points. */
export const byteAlphabet: readonly string[] = [...characterOfByte].sort();

const encoder = new TextEncoder();

/** The UTF-8 bytes of `text`, each as its character. */
export function toByteCharacters(text: string): string {
  let characters = '';
  for (const byte of encoder.encode(text)) characters += characterOfByte[byte];
  return characters;
}

/** The bytes that `characters` stand for; a character that stands for none gives its own UTF-8 bytes. */
export function bytesOf(characters: string): number[] {
  const bytes: number[] = [];
  for (const character of characters) {
    const byte = byteOfCharacter.get(character);
    if (byte === undefined) bytes.push(...encoder.encode(character));
    else bytes.push(byte);
  }
  return bytes;
}

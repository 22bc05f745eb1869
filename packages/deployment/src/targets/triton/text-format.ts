/** A bare word of protobuf's text format: the name of an enum's value. */
export interface EnumName {
  readonly enumName: string;
}

/** What a field can hold; a list of numbers or words stands on one line, a list of messages one after the other. */
export type TextValue =
  | string
  | number
  | boolean
  | EnumName
  | TextMessage
  | readonly (string | number | EnumName)[]
  | readonly TextMessage[];

/** Fields by name; those that are undefined are left out. */
export interface TextMessage {
  readonly [field: string]: TextValue | undefined;
}

/** The value of an enum, as a field. */
export const enumName = (name: string): EnumName => ({ enumName: name });

/** A message in protobuf's text format. */
export function toTextFormat(message: TextMessage, indent = ''): string {
  return Object.entries(message)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => field(name, value as TextValue, indent))
    .join('');
}

function field(name: string, value: TextValue, indent: string): string {
  if (Array.isArray(value)) return list(name, value, indent);
  if (isMessage(value)) return `${indent}${name} {\n${toTextFormat(value, `${indent}  `)}${indent}}\n`;
  return `${indent}${name}: ${scalar(value as string | number | boolean | EnumName)}\n`;
}

function list(name: string, values: readonly unknown[], indent: string): string {
  if (values.every(isMessage) && values.length > 0) {
    const entries = values.map((each) => `${indent}  {\n${toTextFormat(each, `${indent}    `)}${indent}  }`);
    return `${indent}${name} [\n${entries.join(',\n')}\n${indent}]\n`;
  }
  return `${indent}${name}: [ ${values.map((each) => scalar(each as string | number | EnumName)).join(', ')} ]\n`;
}

function isMessage(value: unknown): value is TextMessage {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('enumName' in value);
}

function scalar(value: string | number | boolean | EnumName): string {
  if (typeof value === 'object') return value.enumName;
  return typeof value === 'string' ? quoted(value) : String(value);
}

/** Escapes as C has them; other bytes of UTF-8 stand as they are. */
function quoted(text: string): string {
  const escapes: { readonly [character: string]: string } = {
    '\\': '\\\\',
    '"': '\\"',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what has to be escaped.
  const escaped = text.replace(/[\\"\u0000-\u001f\u007f]/g, (character) => {
    return escapes[character] ?? `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
  return `"${escaped}"`;
}

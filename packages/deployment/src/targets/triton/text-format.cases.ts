/** A message read back from protobuf's text format: every field is a list, names of enum values are plain texts. */
export interface ParsedMessage {
  readonly [field: string]: readonly (string | number | boolean | ParsedMessage)[];
}

/** Reads protobuf's text format, as far as configurations use it. Written apart from the writer, from the format's specification. */
export function parseTextFormat(text: string): ParsedMessage {
  const tokens = text.match(/"(?:\\.|[^"\\])*"|[A-Za-z_][\w]*|-?\d+(?:\.\d+)?|[{}[\]:,]/g) ?? [];
  const rest = text.replace(/"(?:\\.|[^"\\])*"|[A-Za-z_][\w]*|-?\d+(?:\.\d+)?|[{}[\]:,]/g, '').trim();
  if (rest !== '') throw new SyntaxError(`not protobuf text: ${rest.slice(0, 20)}`);
  let at = 0;
  const take = (expected?: string): string => {
    const token = tokens[at++];
    if (token === undefined || (expected !== undefined && token !== expected))
      throw new SyntaxError(`'${token}' instead of '${expected}' at token ${at}`);
    return token;
  };
  const value = (): string | number | boolean | ParsedMessage => {
    if (tokens[at] === '{') return message(true);
    const token = take();
    if (token.startsWith('"')) return JSON.parse(token) as string;
    if (/^-?\d/.test(token)) return Number(token);
    return token === 'true' || token === 'false' ? token === 'true' : token;
  };
  const message = (isNested: boolean): ParsedMessage => {
    const fields: Record<string, (string | number | boolean | ParsedMessage)[]> = {};
    if (isNested) take('{');
    while (at < tokens.length && tokens[at] !== '}') {
      const name = take();
      if (tokens[at] === ':') take();
      else if (tokens[at] !== '{' && tokens[at] !== '[') throw new SyntaxError(`no value for '${name}'`);
      fields[name] ??= [];
      if (tokens[at] === '[') {
        take('[');
        while (tokens[at] !== ']') {
          fields[name].push(value());
          if (tokens[at] === ',') take();
        }
        take(']');
      } else fields[name].push(value());
    }
    if (isNested) take('}');
    return fields;
  };
  return message(false);
}

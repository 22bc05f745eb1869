/** How PyTorch calls the parts of a layer that we call otherwise. */
const parts: { readonly [part: string]: string } = {
  kernel: 'weight',
  embeddings: 'weight',
  gamma: 'weight',
  beta: 'bias',
};

/** The name of a weight whose layer has the same name there: `h.0.ln_1.gamma` → `h.0.ln_1.weight`. */
export function ownName(parameter: string): string {
  const at = parameter.lastIndexOf('.') + 1;
  const part = parameter.slice(at);
  return parameter.slice(0, at) + (parts[part] ?? part);
}

/** Whether a name is `end`, or ends with it behind a dot. */
export function ending(name: string, end: string): boolean {
  return name === end || name.endsWith(`.${end}`);
}

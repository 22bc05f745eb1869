import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const path = (file) => fileURLToPath(new URL(file, import.meta.url));

export const models = [
  { name: 'digits', type: 'image/png', sample: path('seven.png'), label: '7' },
  { name: 'mails', type: 'text/plain', sample: path('mail.txt'), label: 'spam' },
];

export async function checkAnswers(ask) {
  for (const model of models) {
    const { label, score } = await ask(model, await readFile(model.sample));
    const isRight = label === model.label;
    const told = typeof score === 'number' ? `, ${(100 * score).toFixed(1)} %` : '';
    console.log(`${model.name}: ${label}${told}${isRight ? '' : `, but it is ${model.label}`}`);
    if (!isRight) process.exitCode = 1;
  }
}

export function askOverHttp(urlOf, fetchFrom = fetch) {
  return async ({ name, type }, body) => {
    const address = `${urlOf(name)}/v2/models/${name}/predict`;
    const response = await fetchFrom(address, { method: 'POST', headers: { 'content-type': type }, body });
    if (!response.ok) throw new Error(`${address}: ${response.status} ${await response.text()}`);
    return bestLabel(await response.json());
  };
}

/** The first label of the first output of the first example, wherever the answer has it. */
function bestLabel(answer) {
  if (typeof answer?.label === 'string') return answer;
  for (const value of Object.values(answer ?? {})) {
    const found = typeof value === 'object' ? bestLabel(value) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

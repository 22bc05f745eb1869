import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    text: { type: 'string' },
    since: { type: 'string', default: '1945' },
    steps: { type: 'string', default: '2000' },
    batch: { type: 'string', default: '12' },
    block: { type: 'string', default: '64' },
    layers: { type: 'string', default: '4' },
    heads: { type: 'string', default: '4' },
    width: { type: 'string', default: '128' },
    positions: { type: 'string', default: 'learned' },
    rounds: { type: 'string', default: '8' },
    prompt: { type: 'string', multiple: true },
    length: { type: 'string', default: '400' },
    temperature: { type: 'string', default: '0.8' },
    seed: { type: 'string', default: '1' },
    backend: { type: 'string', default: 'onnxruntime' },
  },
});

/** What the command line asks for; the network and its training are nanoGPT's for a machine without a GPU. */
export const settings = {
  /** A file to learn from instead of the speeches. */
  text: values.text,
  /** Year of the first speech. */
  since: Number(values.since),
  steps: Number(values.steps),
  batchSize: Number(values.batch),
  /** Characters the network looks back on. */
  blockLength: Number(values.block),
  layers: Number(values.layers),
  heads: Number(values.heads),
  width: Number(values.width),
  positions: values.positions === 'rotary' ? 'rotary' : 'learned',
  /** How often training halts to look at loss and a sample. */
  rounds: Math.min(Number(values.rounds), Number(values.steps)),
  /** What samples begin with. */
  prompts: values.prompt,
  /** Characters of a sample. */
  length: Number(values.length),
  temperature: Number(values.temperature),
  seed: Number(values.seed),
  backend: values.backend,
} as const;

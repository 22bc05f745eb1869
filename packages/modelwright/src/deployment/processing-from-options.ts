import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Model, ModelwrightError } from '@modelwright/core';
import {
  embeddingOutputFor,
  generationOutputFor,
  type ImageInput,
  imageInputFor,
  labelsOutputFor,
  type Processing,
  processingOf,
  textInputFor,
  tokenizerFilesOf,
} from '@modelwright/deployment';
import { loadTokenizer, type Tokenizer } from '@modelwright/text';
import { reasonOf } from '../files/tensor-files.js';

/** What the command line says of processing. */
export interface ProcessingOptions {
  readonly processing?: string;
  readonly image?: string | true;
  readonly labels?: string;
  readonly tokenizer?: string;
  readonly maxLength?: string;
  readonly generates?: boolean;
  readonly embeds?: boolean;
}

/** Processing with its tokenizers by file name. */
export interface GivenProcessing {
  readonly processing?: Processing;
  readonly tokenizers: Readonly<Record<string, Tokenizer>>;
  readonly notes: readonly string[];
}

const tokenizerFile = 'tokenizer.json';

/**
 * Puts processing together: a file, or what the options say of a model with one input and one output.
 *
 * @throws {@link ModelwrightError} `invalid-argument`, `unsupported-shape`, `shape-mismatch`, and what reading files throws.
 */
export async function processingFrom(model: Model, options: ProcessingOptions): Promise<GivenProcessing> {
  const { tokenizer } = options;
  const loaded = tokenizer === undefined ? undefined : await readTokenizer(tokenizer);
  const base = options.processing === undefined ? processingOf(model) : await readProcessing(options.processing);
  const inputs = {
    ...(options.image === undefined ? {} : imageInput(model, options.image)),
    ...(loaded === undefined || options.image !== undefined || base !== undefined ? {} : textInput(model, options)),
  };
  const outputs = {
    ...(options.labels === undefined ? {} : labelsOutputFor(model, await readLabels(options.labels))),
    ...(options.generates ? generationOutputFor(model, { tokenizer: tokenizerFile }) : {}),
    ...(options.embeds ? embeddingOutputFor(model) : {}),
  };
  const processing = merged(base, inputs, outputs);
  const named = tokenizerFilesOf(processing);
  if (named.length > 0 && loaded === undefined) {
    throw new ModelwrightError('invalid-argument', `its processing takes a tokenizer ('${named.join("', '")}')`, {
      hint: 'give it: --tokenizer tokenizer.json',
    });
  }
  return {
    ...(processing === undefined ? {} : { processing }),
    tokenizers: Object.fromEntries(named.map((file) => [file, loaded as Tokenizer])),
    notes: notesOn(model, processing),
  };
}

function merged(
  base: Processing | undefined,
  inputs: NonNullable<Processing['inputs']>,
  outputs: NonNullable<Processing['outputs']>,
): Processing | undefined {
  if (base === undefined && Object.keys(inputs).length + Object.keys(outputs).length === 0) return undefined;
  return { inputs: { ...base?.inputs, ...inputs }, outputs: { ...base?.outputs, ...outputs } };
}

function notesOn(model: Model, processing: Processing | undefined): readonly string[] {
  if (processing !== undefined) return [];
  return [`${model.name} takes and gives tensors only: --image, --tokenizer and --labels say what they mean`];
}

function imageInput(model: Model, words: string | true): { readonly [input: string]: ImageInput } {
  const [input, ...others] = model.graph.inputs;
  if (input === undefined || others.length > 0) {
    throw new ModelwrightError('invalid-argument', `--image: the model has ${others.length + 1} inputs`, {
      hint: 'write its processing in a file: --processing',
    });
  }
  const said = typeof words === 'string' ? words.split(',').map(imageWord) : [];
  return { [input.name]: imageInputFor(input, Object.assign({}, ...said)) };
}

const imageWords: { readonly [word: string]: Partial<ImageInput> } = {
  invert: { invert: true },
  contain: { fit: 'contain' },
  cover: { fit: 'cover' },
  fill: { fit: 'fill' },
  nearest: { resize: 'nearest' },
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

function imageWord(word: string): Partial<ImageInput> {
  const known = imageWords[word.trim()];
  if (known !== undefined) return known;
  const allowed = Object.keys(imageWords);
  throw new ModelwrightError('invalid-argument', `--image: '${word}' is none of ${allowed.join(', ')}`, {
    given: word,
    allowed,
  });
}

function textInput(model: Model, { maxLength }: ProcessingOptions): NonNullable<Processing['inputs']> {
  const longest = maxLength === undefined ? undefined : Number(maxLength);
  if (longest !== undefined && !(Number.isSafeInteger(longest) && longest > 0))
    throw new ModelwrightError('invalid-argument', `--max-length: '${maxLength}' is no whole number above zero`);
  return textInputFor(model, { tokenizer: tokenizerFile, ...(longest === undefined ? {} : { maxLength: longest }) });
}

async function readProcessing(file: string): Promise<Processing> {
  const parsed = parseJson(await readTextFile(file), file);
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw new ModelwrightError('invalid-data', `'${file}' is no processing: an object with 'inputs' and 'outputs'`, {
    file,
  });
}

async function readTokenizer(file: string): Promise<Tokenizer> {
  return loadTokenizer(parseJson(await readTextFile(file), file) as Record<string, unknown>);
}

/** Labels with commas between, or of a file: a JSON list, or one a line. */
async function readLabels(given: string): Promise<readonly string[]> {
  if (!/\.(txt|json|csv)$/i.test(basename(given))) return given.split(',').map((label) => label.trim());
  const text = await readTextFile(given);
  if (!given.toLowerCase().endsWith('.json')) return text.split(/\r?\n/).filter((line) => line !== '');
  const parsed = parseJson(text, given);
  if (Array.isArray(parsed) && parsed.every((label) => typeof label === 'string')) return parsed;
  throw new ModelwrightError('invalid-data', `'${given}' is no list of labels`, { file: given });
}

async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `cannot read '${file}': ${reasonOf(cause)}`, { file, cause });
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `'${file}' is not JSON`, { file, cause });
  }
}

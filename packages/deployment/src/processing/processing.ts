/** Turns a picture (PNG or JPEG) into a tensor: `(pixel · scale − mean) / std` after resizing. */
export interface ImageInput {
  readonly kind: 'image';
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Where the channels stand in the model's input. */
  readonly layout: 'channelsFirst' | 'channelsLast';
  readonly resize?: 'bilinear' | 'nearest';
  /** `contain` keeps the aspect and pads, `cover` crops, `fill` stretches. Default `fill`. */
  readonly fit?: 'fill' | 'contain' | 'cover';
  /** Default 1/255 where the input is floating, 1 where it is integer. */
  readonly scale?: number;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Swap black and white. */
  readonly invert?: boolean;
}

/** Turns a sentence into token ids. */
export interface TextInput {
  readonly kind: 'text';
  /** File of the bundle: what a tokenizer's `toJSON` gave, or a `tokenizer.json`. */
  readonly tokenizer: string;
  readonly maxLength?: number;
  /** Fill every text up to this many ids; default as long as the longest of the request. */
  readonly padTo?: number;
  /** Where short texts are filled up. Default `post`. */
  readonly padding?: 'pre' | 'post';
  /** Where long texts are cut. Default `post`. */
  readonly truncating?: 'pre' | 'post';
  /** Tokens put in front of and behind each text. */
  readonly startToken?: string;
  readonly endToken?: string;
  /** Name of the model's input that takes 1 for ids and 0 for padding, if it has one. */
  readonly mask?: string;
}

/** Turns scores into the best labels. */
export interface LabelsOutput {
  readonly kind: 'labels';
  readonly labels: readonly string[];
  /** How many are given. Default 5. */
  readonly top?: number;
  /** Whether scores are logits that need a softmax (`softmax`), a sigmoid, or are probabilities already. Default `none`. */
  readonly activation?: 'none' | 'softmax' | 'sigmoid';
}

/** Scores of the next token of a text: the model is served by generation. */
export interface GenerationOutput {
  readonly kind: 'generation';
  readonly tokenizer: string;
  /** Jinja template of a chat, for `/v1/chat/completions`. */
  readonly chatTemplate?: string;
  /** What the template reads beside the messages: `{ "bos_token": "<s>" }`. */
  readonly templateValues?: Readonly<Record<string, string>>;
  /** Texts that end an answer. */
  readonly stop?: readonly string[];
}

/** One vector a text or picture. */
export interface EmbeddingOutput {
  readonly kind: 'embedding';
  readonly normalize?: boolean;
}

/** What stands before and behind a model, as data: by name of the model's input or output. Also kept in the model's metadata. */
export interface Processing {
  readonly inputs?: { readonly [input: string]: ImageInput | TextInput };
  readonly outputs?: { readonly [output: string]: LabelsOutput | GenerationOutput | EmbeddingOutput };
}

/** Key of a model's metadata that holds {@link Processing} as JSON, so that a bare `.onnx` file has it, too. */
export const processingKey = 'modelwright.processing';

/** The files that processing names. */
export function tokenizerFilesOf(processing: Processing | undefined): readonly string[] {
  const inputs = Object.values(processing?.inputs ?? {});
  const outputs = Object.values(processing?.outputs ?? {});
  const files = [...inputs, ...outputs].flatMap((each) => ('tokenizer' in each ? [each.tokenizer] : []));
  return [...new Set(files)];
}

/** Processing whose files are elsewhere. */
export function withTokenizersAt(processing: Processing, placeOf: (path: string) => string): Processing {
  const moved = <T extends object>(entries: { readonly [name: string]: T } | undefined): { [name: string]: T } =>
    Object.fromEntries(
      Object.entries(entries ?? {}).map(([name, each]) => [
        name,
        'tokenizer' in each ? { ...each, tokenizer: placeOf(each.tokenizer as string) } : each,
      ]),
    );
  return {
    ...(processing.inputs === undefined ? {} : { inputs: moved(processing.inputs) }),
    ...(processing.outputs === undefined ? {} : { outputs: moved(processing.outputs) }),
  };
}

import { ModelwrightError, Tensor } from '@modelwright/core';
import { type CsvRecord, parseCsv, type TextPieces } from './csv-parser.js';
import { Dataset } from './dataset.js';
import { type Sample, sampleOf } from './sample.js';
import { skipping } from './source.js';

export interface CsvOptions {
  /** Columns that make the target, by header name or index from 0. Left out: none. */
  readonly label?: CsvColumn | readonly CsvColumn[];
  /** Columns that make the input. Default: all but the label. */
  readonly features?: readonly CsvColumn[];
  /** Whether the first line names the columns, or the names themselves. Default true. */
  readonly header?: boolean | readonly string[];
  /** Default `','`. */
  readonly delimiter?: string;
  /** Values of text columns in the order of their numbers: `{ species: ['setosa', 'virginica'] }`. */
  readonly categories?: { readonly [column: string]: readonly string[] };
  /** What an empty field counts as; left out, it is an error. */
  readonly missing?: number;
}

/** Name from the header, or index from 0. */
export type CsvColumn = string | number;

/**
 * A data set over delimited text, one example a line, read as a stream on each pass.
 *
 * @param source - The text, or a function that opens it anew for each pass.
 * @returns inputs float32 `[features]`; targets float32 `[]` for one label column, `[labels]` for a list.
 * @throws {@link ModelwrightError} while reading: `invalid-data` naming line and column for a field that is no number.
 * @example
 * fromCsv('width,height,kind\n1.2,3.4,cat\n…', { label: 'kind', categories: { kind: ['cat', 'dog'] } });
 */
export function fromCsv(source: string | (() => TextPieces), options: CsvOptions = {}): Dataset {
  const open = typeof source === 'string' ? (): TextPieces => [source] : source;
  return new Dataset({
    cardinality: undefined,
    batched: false,
    open: ({ skip }) => skipping(readSamples(open(), options), skip),
  });
}

async function* readSamples(pieces: TextPieces, options: CsvOptions): AsyncGenerator<Sample> {
  const { header = true, delimiter = ',' } = options;
  let reader = header === true ? undefined : new RowReader(header === false ? undefined : header, options);
  for await (const record of parseCsv(pieces, delimiter)) {
    if (reader === undefined) reader = new RowReader(record.fields, options);
    else yield reader.read(record);
  }
}

/** Turns records into samples once the columns are known. */
class RowReader {
  readonly #names: readonly string[] | undefined;
  readonly #options: CsvOptions;
  #columns: { readonly features: readonly number[]; readonly labels: readonly number[] } | undefined;
  #width = 0;
  #categories: readonly (readonly string[] | undefined)[] = [];

  constructor(names: readonly string[] | undefined, options: CsvOptions) {
    this.#names = names?.map((name, index) => (index === 0 ? name.replace(/^\uFEFF/, '') : name).trim());
    this.#options = options;
  }

  read(record: CsvRecord): Sample {
    if (this.#columns === undefined) {
      this.#width = this.#names?.length ?? record.fields.length;
      this.#columns = this.#selectColumns();
      this.#categories = Array.from(
        { length: this.#width },
        (_, column) => this.#options.categories?.[this.#nameOf(column)],
      );
    }
    if (record.fields.length !== this.#width) {
      throw invalid(
        record.line,
        `has ${record.fields.length} fields, ${this.#width} are expected`,
        record.fields.length,
      );
    }
    const { features, labels } = this.#columns;
    const single = !Array.isArray(this.#options.label);
    return sampleOf({
      inputs: this.#tensor(record, features, [features.length]),
      targets: labels.length === 0 ? undefined : this.#tensor(record, labels, single ? [] : [labels.length]),
      sampleWeights: undefined,
    });
  }

  #selectColumns(): { features: readonly number[]; labels: readonly number[] } {
    const { label, features } = this.#options;
    const list =
      label === undefined ? [] : Array.isArray(label) ? (label as readonly CsvColumn[]) : [label as CsvColumn];
    const labels = list.map((column) => this.#indexOf(column));
    const chosen =
      features?.map((column) => this.#indexOf(column)) ??
      Array.from({ length: this.#width }, (_, index) => index).filter((index) => !labels.includes(index));
    return { features: chosen, labels };
  }

  #indexOf(column: CsvColumn): number {
    const index = typeof column === 'number' ? column : (this.#names?.indexOf(column) ?? -1);
    if (Number.isInteger(index) && index >= 0 && index < this.#width) return index;
    const allowed = this.#names ?? `0…${this.#width - 1}`;
    throw new ModelwrightError('invalid-argument', `the CSV has no column '${column}'; it has: ${String(allowed)}`, {
      given: column,
      allowed,
    });
  }

  #tensor(record: CsvRecord, columns: readonly number[], shape: readonly number[]): Tensor {
    const numbers = new Float32Array(columns.length);
    for (let index = 0; index < numbers.length; index++) {
      numbers[index] = this.#number(record, columns[index] as number);
    }
    return new Tensor('float32', shape, numbers);
  }

  #number({ fields, line }: CsvRecord, column: number): number {
    const given = fields[column] as string;
    const categories = this.#categories[column];
    const value = categories === undefined ? Number(given) : Number.NaN;
    // The common case first; an empty field is 0 to `Number`.
    if (value !== 0 && !Number.isNaN(value)) return value;
    const text = given.trim();
    if (text === '') return this.#missing(line, column);
    if (value === 0 || text.toLowerCase() === 'nan') return value;
    const name = this.#nameOf(column);
    const index = categories?.indexOf(text) ?? -1;
    if (index >= 0) return index;
    if (categories !== undefined) {
      throw invalid(line, `column '${name}' is '${text}', none of: ${categories.join(', ')}`, text);
    }
    throw invalid(line, `column '${name}' is '${text}', which is no number; give its 'categories'`, text);
  }

  #missing(line: number, column: number): number {
    if (this.#options.missing !== undefined) return this.#options.missing;
    throw invalid(line, `column '${this.#nameOf(column)}' is empty; give 'missing'`, '');
  }

  #nameOf(column: number): string {
    return this.#names?.[column] ?? String(column);
  }
}

function invalid(line: number, what: string, given: unknown): ModelwrightError {
  return new ModelwrightError('invalid-data', `CSV line ${line} ${what}`, { given });
}

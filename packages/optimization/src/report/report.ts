import type { OptimizationRecord } from './record.js';
import { renderHtml } from './render-html.js';
import { renderText } from './render-text.js';

/** What optimizing a model cost and gained. */
export class OptimizationReport {
  readonly record: OptimizationRecord;

  constructor(record: OptimizationRecord) {
    this.record = record;
  }

  /** Prints the tables, by default on the console. */
  print(write: (text: string) => void = console.log): void {
    write(this.toString());
  }

  /** The tables as text. */
  toString(): string {
    return renderText(this.record);
  }

  /** The record; `JSON.stringify(report)` takes it. */
  toJSON(): OptimizationRecord {
    return this.record;
  }

  /** A page that needs nothing but itself: tables and bars, readable in light and dark. */
  toHTML(): string {
    return renderHtml(this.record);
  }
}

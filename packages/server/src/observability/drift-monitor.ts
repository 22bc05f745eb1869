import type { TensorMap } from '@modelwright/core';
import type { ServerEvent } from '../contract/events.js';
import { type FeatureValue, featuresOf } from './example-features.js';
import { FeatureDrift, type FeatureReport } from './feature-drift.js';

export interface DriftOptions {
  /** Examples that tell how inputs are distributed when all is well: the first after the start. Default 1000. */
  readonly baselineExamples?: number;
  /** The present is judged by the latest so many, half of them at least. Default 1000. */
  readonly windowExamples?: number;
  /** Fewer are not judged. Default 100. */
  readonly minimumExamples?: number;
  /** Examples of a model that are looked at in a second; the others cost nothing. Default 50. */
  readonly maxExamplesPerSecond?: number;
  /** Milliseconds; default `performance.now`. */
  readonly now?: () => number;
}

/** How a version's inputs have changed since its baseline. */
export interface DriftReport {
  readonly model: string;
  readonly version: string;
  /** `collecting` until the baseline and enough after it are there; scores above 0.1 are `shifting`, above 0.25 `drifted`. */
  readonly status: 'collecting' | 'stable' | 'shifting' | 'drifted';
  /** Of the most changed feature. */
  readonly score?: number;
  readonly baselineExamples: number;
  /** The most changed first. */
  readonly features: readonly FeatureReport[];
}

/** Watches how inputs are distributed. It keeps counts, no inputs; only the baseline's values are held until there are enough of them. */
export interface DriftMonitor {
  /** To be subscribed to a server's events. */
  readonly listener: (event: ServerEvent) => void;
  /** Of all versions of a model that have been asked, or of one. */
  report(model: string, version?: string): readonly DriftReport[];
  /** Begins a new baseline with the next requests. */
  reset(model: string, version?: string): void;
  /** The highest score of every input. */
  scores(): readonly {
    readonly model: string;
    readonly version: string;
    readonly input: string;
    readonly score: number;
  }[];
}

/** Versions that are watched at once; the one that was first gives way. */
const mostVersions = 1000;
/** Features of one version. */
const mostFeatures = 512;
/** Examples of one request that are looked at. */
const mostOfRequest = 8;

/**
 * Compares the inputs of each model with those it saw first, feature by feature, by the population stability index.
 *
 * @example
 * const drift = createDriftMonitor();
 * hub.events.subscribe(drift.listener);
 * drift.report('digits')[0]?.status; // 'collecting'
 */
export function createDriftMonitor(options: DriftOptions = {}): DriftMonitor {
  const versions = new Map<string, WatchedVersion>();
  const of = (model: string, version?: string): WatchedVersion[] =>
    [...versions.values()].filter(
      (watched) => watched.model === model && (version ?? watched.version) === watched.version,
    );
  return {
    listener(event) {
      if (event.kind !== 'inference' || event.outcome !== 'success' || event.inputs === undefined) return;
      const key = `${event.model}/${event.version}`;
      let watched = versions.get(key);
      if (watched === undefined) {
        const [oldest] = versions.keys();
        if (versions.size >= mostVersions && oldest !== undefined) versions.delete(oldest);
        watched = new WatchedVersion(event.model, event.version, options);
        versions.set(key, watched);
      }
      watched.look(event.inputs, event.count);
    },
    report: (model, version) => of(model, version).map((watched) => watched.report()),
    reset(model, version) {
      for (const watched of of(model, version)) versions.delete(`${watched.model}/${watched.version}`);
    },
    scores: () => [...versions.values()].flatMap((watched) => watched.scores()),
  };
}

class WatchedVersion {
  readonly model: string;
  readonly version: string;
  readonly #options: Required<DriftOptions>;
  readonly #features = new Map<string, FeatureDrift>();
  /** Examples that may be looked at now; refills steadily. */
  #allowance: number;
  #refilled: number;
  #examples = 0;

  constructor(model: string, version: string, options: DriftOptions) {
    this.model = model;
    this.version = version;
    this.#options = {
      baselineExamples: 1000,
      windowExamples: 1000,
      minimumExamples: 100,
      maxExamplesPerSecond: 50,
      now: () => performance.now(),
      ...options,
    };
    this.#allowance = this.#options.maxExamplesPerSecond;
    this.#refilled = this.#options.now();
  }

  look(inputs: TensorMap, count: number): void {
    const looked = Math.min(count, mostOfRequest, this.#take());
    for (let index = 0; index < looked; index++) {
      // Evenly over the request, since its examples may be sorted.
      const example = Math.floor((index * count) / looked);
      this.#examples++;
      this.#allowance--;
      for (const value of featuresOf(inputs, example, count)) this.#feature(value)?.add(value.value);
    }
  }

  report(): DriftReport {
    const features = [...this.#features.values()]
      .map((feature) => feature.report())
      .sort((one, other) => (other.score ?? -1) - (one.score ?? -1));
    const score = features[0]?.score;
    const status = score === undefined ? 'collecting' : score > 0.25 ? 'drifted' : score > 0.1 ? 'shifting' : 'stable';
    const { model, version } = this;
    const baselineExamples = Math.min(this.#examples, this.#options.baselineExamples);
    return { model, version, status, ...(score === undefined ? {} : { score }), baselineExamples, features };
  }

  scores(): { readonly model: string; readonly version: string; readonly input: string; readonly score: number }[] {
    const highest = new Map<string, number>();
    for (const feature of this.#features.values()) {
      const { input, score } = feature.report();
      if (score !== undefined) highest.set(input, Math.max(score, highest.get(input) ?? 0));
    }
    return [...highest].map(([input, score]) => ({ model: this.model, version: this.version, input, score }));
  }

  /** Whole examples that may be looked at. */
  #take(): number {
    const { maxExamplesPerSecond, now } = this.#options;
    const time = now();
    this.#allowance = Math.min(
      maxExamplesPerSecond,
      this.#allowance + ((time - this.#refilled) / 1000) * maxExamplesPerSecond,
    );
    this.#refilled = time;
    return Math.floor(this.#allowance);
  }

  #feature({ feature, input, kind, categories, perExample = 1 }: FeatureValue): FeatureDrift | undefined {
    const known = this.#features.get(feature);
    if (known !== undefined || this.#features.size >= mostFeatures) return known;
    const { baselineExamples, windowExamples, minimumExamples } = this.#options;
    const windows = {
      baseline: baselineExamples * perExample,
      window: windowExamples * perExample,
      minimum: minimumExamples * perExample,
    };
    const made = new FeatureDrift(
      { feature, input, kind, ...(categories === undefined ? {} : { categories }) },
      windows,
    );
    this.#features.set(feature, made);
    return made;
  }
}

import { Counter, Histogram, type Registry } from 'prom-client';
import type { ServerEvent } from '../contract/events.js';
import { TritonCounters } from './triton-counters.js';

type InferenceEvent = Extract<ServerEvent, { readonly kind: 'inference' }>;
type Series = Readonly<Record<string, string>>;

const modelLabels = ['model', 'version'] as const;
const requestLabels = ['model', 'version', 'protocol'] as const;

/** From half a millisecond to a minute. */
export const secondsBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Why a request failed, in the four words of Triton's metrics. */
const reasons: Readonly<Record<string, string>> = {
  'queue-full': 'REJECTED',
  'rate-limited': 'REJECTED',
  'model-unavailable': 'REJECTED',
  'deadline-exceeded': 'REJECTED',
  aborted: 'CANCELED',
  'backend-failure': 'BACKEND',
  internal: 'BACKEND',
};

/** Counts and times of inferences: Triton's names for dashboards that know them, and our own in seconds. */
export class InferenceMetrics {
  readonly #triton: TritonCounters;
  readonly #own: OwnMetrics;

  constructor(registry: Registry) {
    this.#triton = new TritonCounters(registry);
    this.#own = ownMetrics(registry);
  }

  readonly listener = (event: ServerEvent): void => {
    if (event.kind === 'inference') this.#inference(event);
    else if (event.kind === 'execution') this.#execution(event);
    else if (event.kind === 'refused') {
      // Not by model: names that do not exist would make series without end.
      this.#own.refused.inc({ action: event.action, code: event.errorCode, protocol: event.protocol });
    } else this.#own.states.inc({ model: event.model, version: event.version, state: event.state });
  };

  #inference(event: InferenceEvent): void {
    const { model, version, protocol, outcome, errorCode = '', totalNanoseconds } = event;
    const labels = { model, version };
    const request = { ...labels, protocol };
    this.#own.requests.inc({ ...request, outcome, code: errorCode });
    this.#own.requestSeconds.observe(request, totalNanoseconds / 1e9);
    this.#tokens(event, labels);
    if (outcome === 'failure') {
      this.#own.failure.inc({ ...labels, reason: reasons[errorCode] ?? 'OTHER' });
      return;
    }
    this.#triton.succeeded(model, version, { count: event.count, nanoseconds: totalNanoseconds });
    if (event.timing === undefined) return;
    this.#triton.took(model, version, event.timing);
    this.#own.queueSeconds.observe(labels, event.timing.queue / 1e9);
  }

  #tokens(
    { promptTokens, completionTokens, firstTokenNanoseconds, totalNanoseconds }: InferenceEvent,
    labels: Series,
  ): void {
    if (promptTokens !== undefined) this.#own.promptTokens.inc(labels, promptTokens);
    if (completionTokens !== undefined) this.#own.completionTokens.inc(labels, completionTokens);
    if (firstTokenNanoseconds === undefined) return;
    this.#own.firstResponse.observe(labels, firstTokenNanoseconds / 1e6);
    this.#own.firstTokenSeconds.observe(labels, firstTokenNanoseconds / 1e9);
    if (completionTokens === undefined || completionTokens < 2) return;
    const rest = totalNanoseconds - firstTokenNanoseconds;
    this.#own.nextTokenSeconds.observe(labels, rest / 1e9 / (completionTokens - 1));
  }

  #execution({ model, version, batchSize, computeNanoseconds }: Extract<ServerEvent, { kind: 'execution' }>): void {
    const labels = { model, version };
    this.#triton.executed(model, version);
    this.#own.batchSize.observe(labels, batchSize);
    this.#own.executionSeconds.observe(labels, computeNanoseconds / 1e9);
  }
}

type OwnMetrics = ReturnType<typeof ownMetrics>;

function ownMetrics(registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> =>
    new Counter({ name: `modelwright_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    {
      labelNames,
      buckets = secondsBuckets,
    }: { readonly labelNames: readonly Label[]; readonly buckets?: readonly number[] },
  ): Histogram<Label> =>
    new Histogram({
      name: `modelwright_${name}`,
      help,
      labelNames: [...labelNames],
      buckets: [...buckets],
      registers: [registry],
    });
  const ofModel = { labelNames: modelLabels };
  return {
    failure: new Counter({
      name: 'nv_inference_request_failure',
      help: 'Number of failed requests, all batch sizes',
      labelNames: ['model', 'version', 'reason'],
      registers: [registry],
    }),
    firstResponse: new Histogram({
      name: 'nv_inference_first_response_histogram_ms',
      help: 'Time to the first response of a generation in milliseconds',
      labelNames: modelLabels,
      buckets: [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000],
      registers: [registry],
    }),
    requests: counter('requests_total', 'Inference requests by outcome', [...requestLabels, 'outcome', 'code']),
    refused: counter('refused_total', 'Requests refused for who made them', ['action', 'code', 'protocol']),
    states: counter('model_state_changes_total', 'Changes of state of model versions', [...modelLabels, 'state']),
    promptTokens: counter('prompt_tokens_total', 'Tokens of prompts', modelLabels),
    completionTokens: counter('completion_tokens_total', 'Tokens generated', modelLabels),
    requestSeconds: histogram('request_duration_seconds', 'Inference requests', { labelNames: requestLabels }),
    queueSeconds: histogram('queue_duration_seconds', 'Time that requests waited for others', ofModel),
    executionSeconds: histogram('execution_duration_seconds', 'Runs of batches', ofModel),
    batchSize: histogram('batch_size', 'Examples that ran together', {
      labelNames: modelLabels,
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    }),
    firstTokenSeconds: histogram('time_to_first_token_seconds', 'Until a generation’s first token', ofModel),
    nextTokenSeconds: histogram('time_per_output_token_seconds', 'Between tokens of a generation', ofModel),
  };
}

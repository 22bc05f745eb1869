import { ModelwrightError } from '@modelwright/core';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import { parseTextProto, type TextMessage, type TextValue } from './text-proto.js';

/**
 * What is understood of a Triton `config.pbtxt`: `max_batch_size`, `version_policy`, `dynamic_batching` with its queue policy,
 * `instance_group` (the count of instances becomes batches that run at once), `model_warmup`, `parameters`. Inputs and outputs are the
 * model's own; fields that say how another server runs it are passed over.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` for a value that cannot be, and for a platform that is not ONNX.
 * @see https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
 */
export function parseTritonConfiguration(text: string, file: string): ModelConfiguration {
  const message = new Fields(parseTextProto(text, file), file);
  requireOnnx(message, file);
  const warmUp = message.messages('model_warmup').map((each) => each.whole('batch_size', 1) ?? 1);
  const maxBatchSize = message.whole('max_batch_size', 0);
  const parameters = message.messages('parameters').map(parameterOf);
  return {
    ...(maxBatchSize === undefined ? {} : { maxBatchSize }),
    ...batchingOf(message),
    ...concurrencyOf(message),
    ...versionPolicyOf(message),
    ...(warmUp.length === 0 ? {} : { warmUpBatchSizes: [...new Set(warmUp.map((size) => Math.max(1, size)))] }),
    ...(parameters.length === 0 ? {} : { parameters: Object.fromEntries(parameters) }),
  };
}

function requireOnnx(message: Fields, file: string): void {
  const platform = message.text('platform') ?? '';
  const backend = message.text('backend') ?? '';
  const isOnnx = (platform === '' || platform === 'onnxruntime_onnx') && (backend === '' || backend === 'onnxruntime');
  if (isOnnx) return;
  throw new ModelwrightError('invalid-configuration', `${file}: platform '${platform || backend}' is not served here`, {
    file,
    given: platform || backend,
    allowed: ['onnxruntime_onnx', 'onnxruntime'],
  });
}

function batchingOf(message: Fields): Pick<ModelConfiguration, 'dynamicBatching' | 'queue'> {
  const batching = message.messages('dynamic_batching')[0];
  if (batching === undefined) return {};
  const preferredBatchSizes = batching.wholes('preferred_batch_size', 1);
  const delay = batching.whole('max_queue_delay_microseconds', 0) ?? 0;
  const policy = batching.messages('default_queue_policy')[0];
  const maxSize = policy?.whole('max_queue_size', 0) ?? 0;
  const timeout = policy?.whole('default_timeout_microseconds', 0) ?? 0;
  const priorityLevels = batching.whole('priority_levels', 0) ?? 0;
  const queue = {
    ...(maxSize === 0 ? {} : { maxSize }),
    ...(timeout === 0 ? {} : { defaultTimeoutMilliseconds: timeout / 1000 }),
    ...(priorityLevels === 0 ? {} : { priorityLevels }),
  };
  return {
    dynamicBatching: {
      isEnabled: true,
      maxQueueDelayMicroseconds: delay,
      ...(preferredBatchSizes.length === 0 ? {} : { preferredBatchSizes }),
    },
    ...(Object.keys(queue).length === 0 ? {} : { queue }),
  };
}

function concurrencyOf(message: Fields): Pick<ModelConfiguration, 'concurrency'> {
  const counts = message.messages('instance_group').map((group) => group.whole('count', 1) ?? 1);
  return counts.length === 0 ? {} : { concurrency: counts.reduce((sum, count) => sum + count, 0) };
}

function versionPolicyOf(message: Fields): Pick<ModelConfiguration, 'versionPolicy'> {
  const policy = message.messages('version_policy')[0];
  if (policy === undefined) return {};
  if (policy.messages('all').length > 0) return { versionPolicy: { all: true } };
  const specific = policy.messages('specific')[0];
  if (specific !== undefined) return { versionPolicy: { specific: specific.wholes('versions', 1).map(String) } };
  return { versionPolicy: { latest: policy.messages('latest')[0]?.whole('num_versions', 1) ?? 1 } };
}

function parameterOf(entry: Fields): [string, string] {
  return [entry.text('key') ?? '', entry.messages('value')[0]?.text('string_value') ?? ''];
}

/** Fields of a message with their types checked. */
class Fields {
  readonly #message: TextMessage;
  readonly #file: string;

  constructor(message: TextMessage, file: string) {
    this.#message = message;
    this.#file = file;
  }

  messages(name: string): readonly Fields[] {
    return this.#values(name).map((value) => {
      if (typeof value !== 'object') throw this.#wrong(name, 'a message in braces');
      return new Fields(value, this.#file);
    });
  }

  text(name: string): string | undefined {
    const value = this.#values(name).at(-1);
    if (value !== undefined && typeof value !== 'string') throw this.#wrong(name, 'a text');
    return value;
  }

  whole(name: string, least: number): number | undefined {
    return this.wholes(name, least).at(-1);
  }

  wholes(name: string, least: number): readonly number[] {
    return this.#values(name).map((value) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
        throw this.#wrong(name, `a whole number from ${least}`);
      }
      return value;
    });
  }

  #values(name: string): readonly TextValue[] {
    return this.#message[name] ?? [];
  }

  #wrong(name: string, allowed: string): ModelwrightError {
    return new ModelwrightError('invalid-configuration', `${this.#file}: '${name}' has to be ${allowed}`, {
      file: this.#file,
      allowed,
    });
  }
}

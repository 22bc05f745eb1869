import { ModelwrightError } from '@modelwright/core';
import { type ActivationLike, activationNames } from '../activations.js';
import type { ConstraintLike } from '../weights/constraints.js';
import { maxNorm, minMaxNorm, nonNeg, unitNorm } from '../weights/constraints.js';
import type { RegularizerLike } from '../weights/regularizers.js';
import { asRecord, type JsonRecord } from './json.js';

/** Keras before 3, and TensorFlow.js, have another `hardSigmoid` than Keras 3: `min(max(0.2·x + 0.5, 0), 1)`. */
const earlierHardSigmoid: ActivationLike = (builder, x) => builder.op('HardSigmoid', [x], { alpha: 0.2, beta: 0.5 });

/** The configuration of one layer, and what has been taken from it: the rest is reported. */
export class LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly kerasVersion: string;
  readonly #config: JsonRecord;
  readonly #taken: Set<string> = new Set();

  constructor(parts: { readonly className: string; readonly config: JsonRecord; readonly kerasVersion: string }) {
    this.className = parts.className;
    this.#config = parts.config;
    this.kerasVersion = parts.kerasVersion;
    this.name = String(parts.config['name'] ?? parts.className);
  }

  /** Written by TensorFlow.js, not by Keras. */
  get isFromTensorFlowJs(): boolean {
    return this.kerasVersion.startsWith('tfjs');
  }

  /** A value as it stands; undefined for `null`. */
  get(key: string): unknown {
    this.#taken.add(key);
    return this.#config[key] ?? undefined;
  }

  has(key: string): boolean {
    return this.#config[key] !== undefined && this.#config[key] !== null;
  }

  /** What is not read by any importer, although it says something. */
  leftOver(): readonly string[] {
    return Object.entries(this.#config)
      .filter(([key, value]) => !this.#taken.has(key) && !withoutEffect.has(key) && saysSomething(value))
      .map(([key]) => key);
  }

  /** Options under their names here, `kernel_size` → `kernelSize`, with their values translated; those not given are left out. */
  options(keys: readonly string[]): { readonly [option: string]: unknown } {
    const given = keys.filter((key) => this.has(key));
    return Object.fromEntries(given.map((key) => [toCamelCase(key), this.#translated(key)]));
  }

  /** @throws {@link ModelwrightError} `unsupported-op` naming the layer. */
  refuse(reason: string): never {
    throw new ModelwrightError('unsupported-op', `${this.className} '${this.name}' cannot be imported: ${reason}`, {
      layer: this.name,
      given: this.className,
    });
  }

  #translated(key: string): unknown {
    const value = this.get(key);
    if (key.endsWith('activation')) return this.#activation(value);
    if (key.endsWith('_regularizer')) return this.#regularizer(value);
    if (key.endsWith('_constraint')) return this.#constraint(value);
    if (key === 'data_format' || key === 'interpolation' || key === 'merge_mode') return toCamelCase(String(value));
    return value;
  }

  #activation(value: unknown): ActivationLike {
    const named = typeof value === 'string' ? value : String((value as JsonRecord)['class_name'] ?? value);
    const name = named === 'gelu_new' || named === 'geluNew' ? 'geluTanh' : toCamelCase(named);
    if (name === 'hardSigmoid' && !/^[3-9]/.test(this.kerasVersion)) return earlierHardSigmoid;
    const found = activationNames.find((each) => each === name);
    return found ?? this.refuse(`there is no activation '${named}'`);
  }

  #regularizer(value: unknown): RegularizerLike {
    const config = asRecord(asRecord(value, 'regularizer')['config'] ?? {}, 'regularizer');
    const [l1, l2] = [Number(config['l1'] ?? 0), Number(config['l2'] ?? 0)];
    return { ...(l1 === 0 ? {} : { l1 }), ...(l2 === 0 ? {} : { l2 }) };
  }

  #constraint(value: unknown): ConstraintLike {
    const { class_name: kind, config } = asRecord(value, 'constraint');
    const given = asRecord(config ?? {}, 'constraint');
    const axis = (given['axis'] ?? 0) as number | readonly number[];
    const number = (key: string, fallback: number): number => Number(given[key] ?? fallback);
    if (kind === 'NonNeg') return nonNeg();
    if (kind === 'UnitNorm') return unitNorm({ axis });
    if (kind === 'MaxNorm') return maxNorm({ axis, maxValue: number('max_value', 2) });
    if (kind !== 'MinMaxNorm') return this.refuse(`there is no constraint '${String(kind)}'`);
    const [minValue, maxValue] = [number('min_value', 0), number('max_value', 1)];
    return minMaxNorm({ axis, minValue, maxValue, rate: number('rate', 1) });
  }
}

/** `batch_normalization` → `batchNormalization` */
export function toCamelCase(text: string): string {
  return text.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Values of options that do nothing, or nothing once there are weights. */
const withoutEffect = new Set([
  'name',
  'batch_input_shape',
  'batch_shape',
  'dtype',
  'input_dtype',
  'sparse',
  'ragged',
  'optional',
  'input_length',
  'implementation',
  'unroll',
  'time_major',
  'seed',
  'noise_shape',
  'fused',
  'renorm',
  'renorm_clipping',
  'renorm_momentum',
  'unit_forget_bias',
  'virtual_batch_size',
  'synchronized',
  'cache_input',
  'registered_name',
  'module',
  'build_config',
  'quantization_config',
  'lora_rank',
  'autocast',
]);

// Initializers are without effect, too: the weights are there.
function saysSomething(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return false;
  if (typeof value !== 'object') return true;
  const name = (value as JsonRecord)['class_name'];
  return typeof name !== 'string' || !initializerClasses.test(name);
}

const initializerClasses =
  /^(Zeros|Ones|Constant|Identity|IdentityInitializer|Random|Truncated|Glorot|He|Lecun|LeCun|VarianceScaling|Orthogonal|DTypePolicy)/;

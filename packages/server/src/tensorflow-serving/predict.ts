import { ModelwrightError, type Tensor } from '@modelwright/core';
import type { Context } from 'hono';
import type { ModelInfo } from '../contract/model-info.js';
import type { RequestScope } from '../contract/route.js';
import { callOptions } from '../open-inference/infer.js';
import { isJsonObject, type JsonObject, readBody } from '../open-inference/request-body.js';
import { fromNested, isBase64Object, parseWithFloats, toNested, toRows } from './nested-json.js';

type Inputs = { readonly [name: string]: Tensor };

function invalid(message: string): ModelwrightError {
  return new ModelwrightError('invalid-argument', message);
}

/** The only input of a model, for requests that do not name it. */
function onlyInput({ name, inputs }: ModelInfo): string {
  const [input] = inputs;
  if (input !== undefined && inputs.length === 1) return input.name;
  throw invalid(`model '${name}' has ${inputs.length} inputs: name them`);
}

/** Examples in a list: values of the only input, or objects of values by input name. */
function fromInstances(instances: unknown, info: ModelInfo): Inputs {
  if (!Array.isArray(instances) || instances.length === 0)
    throw invalid("'instances' must be a list that is not empty");
  const first = instances[0];
  if (!isJsonObject(first) || isBase64Object(first)) {
    const name = onlyInput(info);
    return Object.fromEntries([[name, fromNested(name, instances, info)]]);
  }
  const names = Object.keys(first);
  for (const instance of instances) {
    const isAlike =
      isJsonObject(instance) &&
      Object.keys(instance).length === names.length &&
      names.every((name) => Object.hasOwn(instance, name));
    if (!isAlike) throw invalid("all 'instances' must have the same inputs");
  }
  return Object.fromEntries(
    names.map((name) => [
      name,
      fromNested(
        name,
        instances.map((instance) => (instance as JsonObject)[name]),
        info,
      ),
    ]),
  );
}

/** Whole tensors: by input name, or that of the only input. */
function fromColumns(inputs: unknown, info: ModelInfo): Inputs {
  if (!isJsonObject(inputs) || isBase64Object(inputs)) {
    const name = onlyInput(info);
    return Object.fromEntries([[name, fromNested(name, inputs, info)]]);
  }
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, fromNested(name, value, info)]));
}

/** What the answer is written as: rows as the question was, or columns. */
function render(outputs: Inputs, names: readonly string[], rowCount: number | undefined): string {
  const [only] = names;
  if (rowCount === undefined) {
    const texts = names.map((name) => toNested(name, outputs[name] as Tensor));
    if (names.length === 1) return `{"outputs":${texts[0]}}`;
    return `{"outputs":{${names.map((name, index) => `${JSON.stringify(name)}:${texts[index]}`).join(',')}}}`;
  }
  const odd = names.find((name) => outputs[name]?.shape[0] !== rowCount);
  if (odd !== undefined) {
    throw invalid(`output '${odd}' is not one a row: ask with 'inputs' instead of 'instances'`);
  }
  const columns = names.map((name) => toRows(name, outputs[name] as Tensor));
  if (only !== undefined && names.length === 1) return `{"predictions":[${columns[0]?.join(',')}]}`;
  const rows = Array.from({ length: rowCount }, (_, row) => {
    return `{${names.map((name, index) => `${JSON.stringify(name)}:${columns[index]?.[row]}`).join(',')}}`;
  });
  return `{"predictions":[${rows.join(',')}]}`;
}

/** The model of `digits:predict`. */
function modelOf(context: Context): string {
  return context.req.param('model') ?? (context.req.param('call') ?? '').replace(/:predict$/, '');
}

/** `instances` in, `predictions` out; or `inputs` in, `outputs` out. */
export async function predict(context: Context, scope: RequestScope): Promise<Response> {
  const model = modelOf(context);
  const version = context.req.param('version')?.replace(/:predict$/, '');
  const body = await readBody(context);
  const info = scope.hub.info(model, version);
  const { instances, inputs: columns, signature_name: signature } = parseWithFloats(body);
  if (signature !== undefined && signature !== '' && signature !== 'serving_default') {
    throw invalid("the only 'signature_name' is 'serving_default'");
  }
  if ((instances === undefined) === (columns === undefined)) throw invalid("send either 'instances' or 'inputs'");
  const inputs = instances === undefined ? fromColumns(columns, info) : fromInstances(instances, info);
  const { outputs } = await scope.hub.infer({ model, version: info.version, inputs }, callOptions(scope));
  const names = info.outputs.map(({ name }) => name);
  const text = render(outputs, names, Array.isArray(instances) ? instances.length : undefined);
  return new Response(text, { headers: { 'content-type': 'application/json' } });
}

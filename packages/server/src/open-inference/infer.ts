import type { Context } from 'hono';
import type { CallOptions } from '../contract/model-hub.js';
import type { ModelInfo } from '../contract/model-info.js';
import type { RequestScope } from '../contract/route.js';
import { headerLengthName, parseInference } from './inference-request.js';
import { renderInference } from './inference-response.js';
import { pathParameter, readBody } from './request-body.js';

/** When a call has to be over: by the server's limit or by the request's own, whichever is earlier. */
export function callOptions(scope: RequestScope, timeoutMilliseconds?: number): CallOptions {
  const own = timeoutMilliseconds === undefined ? undefined : performance.now() + timeoutMilliseconds;
  const deadline = own === undefined ? scope.deadline : Math.min(own, scope.deadline ?? own);
  return { openSignal: () => scope.signal, ...(deadline === undefined ? {} : { deadline }) };
}

/** Labels of outputs by name, for classes. */
export function labelsOf({ processing }: ModelInfo): { readonly [output: string]: readonly string[] } {
  const labels: { [output: string]: readonly string[] } = {};
  for (const [name, output] of Object.entries(processing?.outputs ?? {})) {
    if (output.kind === 'labels') labels[name] = output.labels;
  }
  return labels;
}

/** Tensors in, tensors out. */
export async function infer(context: Context, scope: RequestScope): Promise<Response> {
  const model = pathParameter(context, 'model');
  const body = await readBody(context);
  // Which version answers is decided here, so that the request is checked against the one that runs it.
  const info = scope.hub.info(model, context.req.param('version'));
  const request = parseInference(body, context.req.header(headerLengthName), info);
  const result = await scope.hub.infer(
    {
      model,
      version: info.version,
      inputs: request.inputs,
      ...(request.isSelective ? { outputs: request.outputs.map(({ name }) => name) } : {}),
      ...(request.priority === undefined ? {} : { priority: request.priority }),
    },
    callOptions(scope, request.timeoutMilliseconds),
  );
  return renderInference(request, result, labelsOf(info));
}

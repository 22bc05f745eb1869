import type { Context } from 'hono';
import type { ModelHub } from '../contract/model-hub.js';
import type { RequestScope } from '../contract/route.js';
import { jsonResponse, pathParameter } from '../open-inference/request-body.js';
import { modelStatus } from '../tensorflow-serving/model-status.js';

interface ModelObject {
  readonly id: string;
  readonly object: 'model';
  /** Seconds since the epoch. */
  readonly created: number;
  readonly owned_by: string;
}

/** `GET /v1/models`: those that this API can be asked for, which write or embed texts. */
export function listModels(_: Context, { hub }: RequestScope): Response {
  const names = new Set(hub.index().flatMap(({ name, state }) => (state === 'READY' ? [name] : [])));
  const data = [...names].flatMap((name) => {
    const { abilities } = hub.info(name);
    return abilities.generates || abilities.embeds ? [modelObject(hub, name)] : [];
  });
  return jsonResponse({ object: 'list', data });
}

/** `GET /v1/models/:model`, which is also where TensorFlow Serving's clients ask for the state of a model. */
export function retrieveModel(context: Context, { hub }: RequestScope): Response {
  const name = pathParameter(context, 'model');
  return jsonResponse({ ...modelObject(hub, name), ...(modelStatus(hub, name) as object) });
}

function modelObject(hub: ModelHub, id: string): ModelObject {
  const { loadedAt } = hub.info(id);
  return { id, object: 'model', created: Math.floor(loadedAt.getTime() / 1000), owned_by: 'modelwright' };
}

import { ModelwrightError } from '@modelwright/core';
import type { Context } from 'hono';
import type { RequestScope, Route } from '../contract/route.js';
import { answers, jsonBody, reference } from '../openapi/fragments.js';
import { isJsonObject, type JsonObject, jsonResponse, parseObject, pathParameter, readBody } from './request-body.js';

async function index(context: Context, { hub }: RequestScope): Promise<Response> {
  const { ready } = parseObject(await readBody(context));
  if (ready !== undefined && typeof ready !== 'boolean') {
    throw new ModelwrightError('invalid-argument', "'ready' must be true or false");
  }
  const entries = hub.index();
  return jsonResponse(ready === true ? entries.filter(({ state }) => state === 'READY') : entries);
}

/** Triton can be sent files and configurations by this call; here models come from the repository alone. */
function refuseUploads(body: JsonObject): void {
  const parameters = body['parameters'];
  if (!isJsonObject(parameters)) return;
  const given = Object.keys(parameters).find((name) => name === 'config' || name.startsWith('file:'));
  if (given === undefined) return;
  const message = `parameter '${given.slice(0, 64)}' is not taken: models and their configuration come from the repository`;
  throw new ModelwrightError('invalid-argument', message);
}

async function load(context: Context, { hub }: RequestScope): Promise<Response> {
  refuseUploads(parseObject(await readBody(context)));
  await hub.load(pathParameter(context, 'model'));
  return jsonResponse({});
}

async function unload(context: Context, { hub }: RequestScope): Promise<Response> {
  parseObject(await readBody(context));
  await hub.unload(pathParameter(context, 'model'));
  return jsonResponse({});
}

/** The model repository API: what there is, load, unload. */
export const repositoryRoutes: readonly Route[] = [
  {
    method: 'post',
    path: '/v2/repository/index',
    action: 'read',
    summary: 'All models and versions, and what they are up to',
    errors: 'open-inference',
    openapi: { ...jsonBody('RepositoryIndexRequest', false), ...answers(reference('RepositoryIndex')) },
    handle: index,
  },
  {
    method: 'post',
    path: '/v2/repository/models/:model/load',
    action: 'control',
    summary: 'Load a model, or load it anew',
    errors: 'open-inference',
    openapi: answers({ type: 'object' }),
    handle: load,
  },
  {
    method: 'post',
    path: '/v2/repository/models/:model/unload',
    action: 'control',
    summary: 'Unload a model',
    errors: 'open-inference',
    openapi: answers({ type: 'object' }),
    handle: unload,
  },
];

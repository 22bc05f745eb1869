import { fromJson, type JsonValue, type MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { ModelwrightError } from '@modelwright/core';
import type { ModelHub } from '../contract/model-hub.js';
import {
  type GRPCInferenceService,
  ModelConfigSchema,
  type ModelInferRequest,
  type ModelInferResponseSchema,
  type ModelStreamInferResponseSchema,
  type RepositoryModelLoadRequest,
} from '../generated/open-inference.generated.js';
import { callOptions, labelsOf } from '../open-inference/infer.js';
import { modelMetadata } from '../open-inference/model-metadata.js';
import { serverMetadata } from '../open-inference/server-metadata.js';
import { configurationToJson } from '../open-inference/triton-configuration.js';
import { answerInOrder } from './answer-in-order.js';
import { toGrpcError } from './grpc-error.js';
import { readInference } from './infer-request.js';
import { renderInference } from './infer-response.js';
import { type RpcScope, rpcScopeOf } from './rpc-scope.js';
import { statisticsMessage } from './statistics-message.js';

/** Messages of a stream that are worked on at once. */
const streamConcurrency = 4;

/** The Open Inference Protocol's calls, on the hub that each caller sees. */
export const inferenceService: ServiceImpl<typeof GRPCInferenceService> = {
  serverLive: () => ({ live: true }),
  serverReady: (_, context) => ({ ready: rpcScopeOf(context).hub.isReady() }),
  async serverMetadata(_, context) {
    await rpcScopeOf(context).admit('read');
    return { ...serverMetadata, extensions: [...serverMetadata.extensions] };
  },
  async modelReady({ name, version }, context) {
    const { admit, hub } = rpcScopeOf(context);
    await admit('read', name);
    return { ready: hub.isReady(name, versionOf(version)) };
  },
  async modelMetadata({ name, version }, context) {
    const { admit, hub } = rpcScopeOf(context);
    await admit('read', name);
    const info = hub.info(name, versionOf(version));
    const { inputs, outputs, versions, platform } = modelMetadata(info, hub.index());
    const tensor = ({ shape, ...facts }: (typeof inputs)[number]) => ({ ...facts, shape: shape.map(BigInt) });
    return {
      name,
      platform,
      versions: [...versions],
      inputs: inputs.map(tensor),
      outputs: outputs.map(tensor),
      properties: { sha256: info.sha256 },
    };
  },
  async modelInfer(request, context) {
    const scope = rpcScopeOf(context);
    try {
      await scope.admit('infer', request.modelName);
      return await infer(request, scope.hub, scope);
    } finally {
      tellHeaders(scope, context);
    }
  },
  async *modelStreamInfer(requests, context) {
    try {
      // The scope is there as soon as a message is.
      yield* answerInOrder(requests, streamConcurrency, (request) => streamed(request, rpcScopeOf(context)));
    } catch (error) {
      throw toGrpcError(error);
    }
  },
  async modelConfig({ name, version }, context) {
    const { admit, hub } = rpcScopeOf(context);
    await admit('read', name);
    const info = hub.info(name, versionOf(version));
    const config = configurationToJson(info, hub.configuration(name, info.version)) as JsonValue;
    return { config: fromJson(ModelConfigSchema, config, { ignoreUnknownFields: true }) };
  },
  async modelStatistics({ name, version }, context) {
    const { admit, hub } = rpcScopeOf(context);
    const model = name === '' ? undefined : name;
    await admit('observe', model);
    return { modelStats: hub.statistics(model, versionOf(version)).map(statisticsMessage) };
  },
  async repositoryIndex({ ready }, context) {
    const { admit, hub } = rpcScopeOf(context);
    await admit('read');
    return {
      models: hub
        .index()
        .filter(({ state }) => !ready || state === 'READY')
        .map((entry) => ({ ...entry })),
    };
  },
  async repositoryModelLoad(request, context) {
    const { admit, hub } = rpcScopeOf(context);
    await admit('control', request.modelName);
    refuseUploads(request);
    await hub.load(request.modelName);
    return {};
  },
  async repositoryModelUnload({ modelName }, context) {
    const { admit, hub } = rpcScopeOf(context);
    await admit('control', modelName);
    await hub.unload(modelName);
    return {};
  },
};

/** An empty string is what an absent one looks like. */
function versionOf(version: string): string | undefined {
  return version === '' ? undefined : version;
}

function tellHeaders(scope: RpcScope, context: HandlerContext): void {
  for (const [name, value] of Object.entries(scope.answerHeaders())) context.responseHeader.set(name, value);
}

async function infer(
  request: ModelInferRequest,
  hub: ModelHub,
  scope: RpcScope,
): Promise<MessageInitShape<typeof ModelInferResponseSchema>> {
  // Which version answers is decided here, so that the request is checked against the one that runs it.
  const info = hub.info(request.modelName, versionOf(request.modelVersion));
  const inference = readInference(request, info);
  const { inputs, outputs, isSelective, priority, timeoutMilliseconds } = inference;
  const result = await hub.infer(
    {
      model: info.name,
      version: info.version,
      inputs,
      ...(isSelective ? { outputs: outputs.map(({ name }) => name) } : {}),
      ...(priority === undefined ? {} : { priority }),
    },
    callOptions(scope, timeoutMilliseconds),
  );
  return renderInference(request.id, inference, result, labelsOf(info));
}

/** One message of a stream: what goes wrong with it is its answer, and the stream goes on. */
async function streamed(
  request: ModelInferRequest,
  scope: RpcScope,
): Promise<MessageInitShape<typeof ModelStreamInferResponseSchema>> {
  try {
    const { hub, admit } = scope.forMessage();
    await admit('infer', request.modelName);
    return { inferResponse: await infer(request, hub, scope) };
  } catch (error) {
    if (scope.signal.aborted) throw error;
    return { errorMessage: toGrpcError(error).rawMessage, inferResponse: { id: request.id } };
  }
}

/** Triton can be sent files and configurations by this call; here models come from the repository alone. */
function refuseUploads({ parameters }: RepositoryModelLoadRequest): void {
  const given = Object.keys(parameters).find((name) => name === 'config' || name.startsWith('file:'));
  if (given === undefined) return;
  const message = `parameter '${given.slice(0, 64)}' is not taken: models and their configuration come from the repository`;
  throw new ModelwrightError('invalid-argument', message);
}

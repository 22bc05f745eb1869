export { type AccessControlOptions, createAccessControl } from './access/access-control.js';
export {
  type AccessPolicy,
  type Amounts,
  type CertificatePolicy,
  defaultRoles,
  type Limit,
  type Permission,
  type TokenPolicy,
} from './access/access-policy.js';
export type { AllowanceState } from './access/allowance.js';
export { createApiKey, type KeyRecord, readKeys, writeKeys } from './access/api-key.js';
export { type LimitStore, MemoryLimitStore } from './access/limit-store.js';
export { openAccess } from './access/open-access.js';
export { readPolicy } from './access/read-policy.js';
export { type AppOptions, createApp, mountRoutes, type RequestLimits } from './app/create-app.js';
export type { RouteServices } from './app/handle-route.js';
export { type ArrivedRequest, type OpenedScope, openScope, type ScopeServices } from './app/open-scope.js';
export { silentLogger } from './app/silent-logger.js';
export type { AccessControl, Action, Peer, Principal } from './contract/access.js';
export type { EventStream, ServerEvent } from './contract/events.js';
export type {
  GenerationOptions,
  GenerationPiece,
  GenerationRequest,
  GenerationService,
  TokenLogprob,
} from './contract/generation.js';
export type { Caller, CallerHub, Hub, ServedModelFactory, ServedModelOptions } from './contract/hub.js';
export type { ModelConfiguration } from './contract/model-configuration.js';
export type {
  CallOptions,
  InferenceRequest,
  InferenceResult,
  InferenceTiming,
  ModelHub,
  RawAnswer,
  RawRequest,
  RawResult,
} from './contract/model-hub.js';
export type {
  DurationStatistic,
  ModelIndexEntry,
  ModelInfo,
  ModelState,
  ModelStatistics,
} from './contract/model-info.js';
export type { ModelRepository, StoredModel, StoredVersion } from './contract/model-repository.js';
export type { ObservedRequest, RequestObservation, RequestObserver } from './contract/request-observer.js';
export type { RequestScope, Route } from './contract/route.js';
export type { InferenceOptions, ModelArtifact, ServedModel, ServedResult } from './contract/served-model.js';
export { type GrpcStatus, type ProtocolStatus, type PublicError, statusOf, statusTable } from './errors/status-of.js';
export {
  createGenerationService,
  type GenerationServiceOptions,
  type LoadedGeneration,
} from './generation/generation-service.js';
export { grpcWebRoutes } from './grpc/grpc-web-routes.js';
export { defaultGrpcLimits, type GrpcLimits } from './grpc/guarded-body.js';
export { rpcActions } from './grpc/rpc-scope.js';
export { createHub, type HubOptions, prepareHub } from './hub/create-hub.js';
export { createEventStream } from './hub/event-stream.js';
export {
  createDriftMonitor,
  type DriftMonitor,
  type DriftOptions,
  type DriftReport,
} from './observability/drift-monitor.js';
export { driftRoutes } from './observability/drift-routes.js';
export type { DistributionReport, FeatureReport } from './observability/feature-drift.js';
export { logEvents } from './observability/log-events.js';
export { createTracing, type Tracing, type TracingOptions } from './observability/tracing.js';
export { toBinary } from './open-inference/binary-tensor.js';
export { datatypeOf, dtypeOfDatatype } from './open-inference/datatype.js';
export { openInferenceRoutes } from './open-inference/routes.js';
export { openAiRoutes } from './openai/routes.js';
export { openApiRoutes } from './openapi/routes.js';
export { pageRoutes } from './page/routes.js';
export { type MemoryModel, type MemoryRepository, memoryRepository } from './repository/memory-repository.js';
export { type FileGuard, isModelName, type ModelFiles } from './repository/model-files.js';
export { createServedModel, type ServingOptions } from './serving/create-served-model.js';
export type { ModelRunner, OpenRunner, RunnerOptions } from './serving/model-runner.js';
export { tensorFlowServingRoutes } from './tensorflow-serving/routes.js';
export { bundleRepository } from './worker/bundle-repository.js';
export {
  createWorker,
  type Worker,
  type WorkerContext,
  type WorkerEnvironment,
  type WorkerOptions,
} from './worker/create-worker.js';

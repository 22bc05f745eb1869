import type { Route } from '../contract/route.js';
import { grpcWebRoutes } from '../grpc/grpc-web-routes.js';
import { openInferenceRoutes } from '../open-inference/routes.js';
import { openAiRoutes } from '../openai/routes.js';
import { openApiRoutes } from '../openapi/routes.js';
import { pageRoutes } from '../page/routes.js';
import { tensorFlowServingRoutes } from '../tensorflow-serving/routes.js';

/** Every protocol that a server speaks over HTTP, the document of all of them, and a page to try models. */
export function protocolRoutes(others: readonly Route[] = []): readonly Route[] {
  const protocols = [
    ...openInferenceRoutes,
    ...openAiRoutes,
    ...tensorFlowServingRoutes,
    ...grpcWebRoutes(),
    ...others,
  ];
  return [...protocols, ...openApiRoutes(protocols), ...pageRoutes];
}

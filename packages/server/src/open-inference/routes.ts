import type { Route } from '../contract/route.js';
import { modelRoutes } from './model-routes.js';
import { predictRoutes } from './predict-routes.js';
import { repositoryRoutes } from './repository-routes.js';
import { serverRoutes } from './server-routes.js';

/**
 * The Open Inference Protocol v2 over HTTP with Triton's extensions: binary tensor data, classification, model repository, model
 * configuration, statistics, schedule policy; and `…/predict`, which takes pictures and texts.
 */
export const openInferenceRoutes: readonly Route[] = [
  ...serverRoutes,
  ...modelRoutes,
  ...predictRoutes,
  ...repositoryRoutes,
];

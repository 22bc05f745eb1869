import type { Backend } from '@modelwright/core';
import type { KeyProvider, Verifier } from '@modelwright/deployment';
import type { Logger } from 'pino';
import type { AccessFiles } from '../access/open-access-control.js';
import type { RequestLimits } from '../app/create-app.js';
import type { AuditLogOptions } from '../audit/audit-log.js';
import type { AccessControl } from '../contract/access.js';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelRepository } from '../contract/model-repository.js';
import type { RequestObserver } from '../contract/request-observer.js';
import type { Route } from '../contract/route.js';
import type { HubOptions } from '../hub/create-hub.js';
import type { ObservabilityOptions } from '../observability/observability.js';
import type { NodeServingOptions } from '../workers/node-serving.js';
import type { TlsFiles } from './certificates.js';
import type { ConnectionLimits } from './listener.js';

/** What is served, to whom, and how. */
export interface ServeOptions extends Omit<HubOptions, 'backend' | 'access' | 'createServedModel'>, NodeServingOptions {
  readonly backend: Backend;
  /** A folder of models, one `.onnx` file, one bundle; or any other repository. */
  readonly models: string | ModelRepository;
  /** How models of the folder are served that do not say so themselves. */
  readonly defaults?: ModelConfiguration;
  /** Opens models of the folder that are encrypted. */
  readonly modelKeys?: KeyProvider;
  /** Keys that are trusted: of the folder only what one of them has signed is served. Default anything is. */
  readonly trustedSigners?: readonly Verifier[];

  /** Default `127.0.0.1`: this machine only. */
  readonly host?: string;
  /** Default 8000; 0 takes any that is free. */
  readonly port?: number;
  /** Port of gRPC on the same address; 0 takes any that is free. Default no gRPC. */
  readonly grpcPort?: number;
  readonly tls?: TlsFiles;
  /** Pages of browsers that may ask beside the server's own: `https://shop.example`. */
  readonly allowedOrigins?: readonly string[];

  /** Files of keys and policies, or access control of one's own. Default everybody may do everything, on the loopback address only. */
  readonly access?: AccessFiles | AccessControl;
  /** Let a server without authentication listen publicly all the same. Default false. */
  readonly allowsEverybody?: boolean;
  /** A folder for the audit log; default none is kept. While it cannot be written nobody is let in, but where it `isOptional`. */
  readonly audit?: { readonly folder: string; readonly isOptional?: boolean } & AuditLogOptions;
  /** Default none. */
  readonly logger?: Logger;
  /** Metrics (`/metrics`), traces (where an OpenTelemetry SDK is registered) and drift of inputs. Default all; `false` for none. */
  readonly observability?: ObservabilityOptions | false;
  /** Told of every request from its beginning to its end, beside those that are always there. */
  readonly observers?: readonly RequestObserver[];
  /** Endpoints beside those that are always there. */
  readonly routes?: readonly Route[];

  /**
   * The process is there for this server alone, so that the global `Request` and `Response` may be replaced by lighter ones that do the
   * same: a request then costs a quarter less. Default false.
   */
  readonly ownsProcess?: boolean;
  readonly limits?: RequestLimits;
  readonly connections?: ConnectionLimits;
  /** How long it goes on taking requests after it says that it is not ready any more, when it is closed. Default 0. */
  readonly retireMilliseconds?: number;
}

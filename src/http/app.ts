// The HTTP server put together: every route under /v1, health and the documentation, and one shape for every refusal. [X]
// Requests are as strict as frames: unknown fields, other content types and large bodies are refused, never repaired.

import { type AnyElysia, Elysia } from 'elysia';
import type { Module } from '../realtime/index.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Access } from './access.ts';
import { createAccountPages } from './account-pages.ts';
import { createSocketDocs } from './asyncapi/routes.ts';
import { createConsole } from './console.ts';
import { loadConsole } from './console-build.ts';
import { createDocs } from './docs.ts';
import { createErrorAnswers, type ToRefusal } from './errors.ts';
import { safeHeaders } from './headers.ts';
import { createHealth, type HealthSources } from './health.ts';
import { leaveBody, leaveQuery } from './input.ts';
import { createMethodsOf, type RouteName } from './methods.ts';
import { createMetricsRoute, type Scrape } from './metrics.ts';

export interface AppParts {
  /** Mounted under /v1. */
  readonly plugins: readonly AnyElysia[];
  readonly health: HealthSources;
  /** Documented. */
  readonly modules: readonly Module[];
  readonly toRefusal: ToRefusal;
  /** Answered by somebody else, and only with these methods. */
  readonly otherRoutes: readonly RouteName[];
  /** What answers `/metrics`; undefined: there is none here. */
  readonly scrape: Scrape | undefined;
  readonly access: Pick<Access, 'noteRoute'>;
  readonly metrics: Pick<Metrics, 'errors'>;
  readonly publicUrl: string | undefined;
}

export function createApp(parts: AppParts) {
  const { plugins, health, modules, toRefusal, otherRoutes, scrape, access, metrics, publicUrl } = parts;
  const v1 = plugins.reduce<AnyElysia>(
    (routes, plugin) => routes.use(plugin),
    new Elysia({ prefix: '/v1', normalize: false }).onParse(leaveBody).derive(leaveQuery),
  );
  const checks = createHealth(health);
  const methodsOf = createMethodsOf(() => [...app.routes, ...otherRoutes]);
  const app: AnyElysia =
    // Without precompile, Elysia 1.4.30 composes the handler of a static path anew for every request: 3 ms each. With a
    // standard host name it looks for the path behind at least four characters of host, and finds none of `http://api/v1`.
    new Elysia({ normalize: false, precompile: true, handler: { standardHostname: false } })
      .headers(safeHeaders(publicUrl))
      .onTransform(({ request, route }) => access.noteRoute(request, route))
      .onError(createErrorAnswers(toRefusal, methodsOf, metrics))
      .use(v1)
      .use(checks)
      .use(createAccountPages())
      .use(createConsole(loadConsole))
      .use(createDocs([v1, checks], modules))
      .use(createSocketDocs(modules))
      .use(scrape === undefined ? new Elysia() : createMetricsRoute(scrape));
  return app;
}

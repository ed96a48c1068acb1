// Traces where OTEL_EXPORTER_OTLP_ENDPOINT says where they go; without it none of OpenTelemetry's packages is loaded.

import type { Config } from '../config.ts';
import type { Tracer } from './tracing.ts';

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what is left. */
  stop(): Promise<void>;
}

export async function startTracing(
  config: Pick<Config, 'tracesEndpoint' | 'tracesShare' | 'instanceId'>,
): Promise<Tracing | undefined> {
  const { tracesEndpoint, tracesShare, instanceId } = config;
  if (tracesEndpoint === undefined) return undefined;
  const { createOpenTelemetry } = await import('./opentelemetry.ts');
  return createOpenTelemetry({ endpoint: tracesEndpoint, share: tracesShare, instanceId });
}

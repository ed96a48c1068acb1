// The tracer of OpenTelemetry, which sends spans in batches over OTLP/HTTP. A collector that is away costs spans, nothing
// else. Headers, certificates and sizes of batches come from the environment, where its packages look for them themselves.

import { ROOT_CONTEXT, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { version } from '../../package.json';
import type { Tracing } from './start-tracing.ts';
import type { TraceContext } from './tracing.ts';

export interface Destination {
  /** Without `/v1/traces`, which is appended. */
  readonly endpoint: string;
  /** Of the traces that begin here, 0 to 1; what a request brings is decided already. */
  readonly share: number;
  readonly instanceId: string;
}

export function createOpenTelemetry({ endpoint, share, instanceId }: Destination): Tracing {
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'carillon',
      'service.version': version,
      'service.instance.id': instanceId,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('carillon', version);
  return {
    tracer: {
      start(name, { parent, links = [], attributes } = {}) {
        const context =
          parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, toSpanContext(parent));
        const span = tracer.startSpan(
          name,
          { attributes, links: links.map((link) => ({ context: toSpanContext(link) })) },
          context,
        );
        const { traceId, spanId, traceFlags } = span.spanContext();
        return {
          context: { traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 },
          end(failure) {
            if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
            span.end();
          },
        };
      },
    },
    // Of a collector that is away nobody waits for the end.
    stop: () => Promise.race([provider.shutdown().catch(() => {}), Bun.sleep(stopPatienceMs)]),
  };
}

const stopPatienceMs = 2_000;

const toSpanContext = ({ traceId, spanId, isSampled }: TraceContext) => ({
  traceId,
  spanId,
  traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  isRemote: true,
});

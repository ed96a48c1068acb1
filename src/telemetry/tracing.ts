// What the core says of where time goes: spans, in the terms of OpenTelemetry but without its packages. Where no traces are
// sent there is no tracer, and nothing but that question is asked.

import { AppError } from '../protocol/errors.ts';
import { createMetrics, type Metrics } from './metrics.ts';

/** Who caused a span, across processes: the fields of W3C's `traceparent`. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

export interface SpanOptions {
  readonly parent?: TraceContext | undefined;
  /** Others that it was done for, as with one transaction of many writes. */
  readonly links?: readonly TraceContext[];
  /** Names and numbers that the code has; nothing that anybody said. */
  readonly attributes?: Readonly<Record<string, string | number>>;
}

export interface Span {
  readonly context: TraceContext;
  /** `failure`: the code of what it ended with, where that is no success. */
  end(failure?: string): void;
}

export interface Tracer {
  start(name: string, options?: SpanOptions): Span;
}

/** What the core is given to tell of its work. */
export interface Telemetry {
  readonly metrics: Metrics;
  readonly tracer?: Tracer | undefined;
}

/** For whoever is not asked about: it counts, and nobody reads it. */
export const createTelemetry = (): Telemetry => ({ metrics: createMetrics() });

/** The `traceparent` of a request; undefined where there is none, or none that is valid. */
export function readTraceparent(header: string | null): TraceContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(header ?? '') ?? [];
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Runs `work` as a span, which says what it failed with. */
export function traced<Result>(
  tracer: Tracer | undefined,
  name: string,
  describe: () => SpanOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  if (tracer === undefined) return work();
  const span = tracer.start(name, describe());
  return work().then(
    (result) => {
      span.end();
      return result;
    },
    (error: unknown) => {
      span.end(error instanceof AppError ? error.code : 'internal');
      throw error;
    },
  );
}

// One line for each request, when its answer is ready: who asked for what, with which outcome, and how long it took. Routes,
// never paths or queries: those hold names and may hold tokens. The id ties it to the events that the request caused. [E3]

import type { Logger } from '../telemetry/logger.ts';
import { readTraceparent, type Span, type Telemetry, type TraceContext } from '../telemetry/tracing.ts';

export interface Access {
  /** Which route answers the request. Where it is traced, its span begins here. */
  noteRoute(request: Request, route: string): void;
  traceOf(request: Request): TraceContext | undefined;
  /** Whose token came with it. */
  noteUser(request: Request, userId: string): void;
  /** Writes the line, and puts the id on the answer; `startedAt` as of `performance.now()`. */
  finish(request: Request, answer: Response, startedAt: number): void;
}

interface Noted {
  route?: string;
  userId?: string;
  span?: Span | undefined;
}

/** What asks every few seconds, and would be most of the log. */
const isRoutine = (route: string | undefined): boolean =>
  route === '/metrics' || (route?.startsWith('/health/') ?? false);

export function createAccess(logger: Pick<Logger, 'info' | 'debug'>, { metrics, tracer }: Telemetry): Access {
  const noted = new WeakMap<Request, Noted>();
  const of = (request: Request): Noted => {
    const known = noted.get(request);
    if (known !== undefined) return known;
    const made: Noted = {};
    noted.set(request, made);
    return made;
  };
  return {
    noteRoute(request, route) {
      const facts = of(request);
      facts.route = route;
      if (tracer === undefined || isRoutine(route)) return;
      const parent = readTraceparent(request.headers.get('traceparent'));
      facts.span = tracer.start(`${request.method} ${route}`, { parent });
    },
    traceOf: (request) => noted.get(request)?.span?.context,
    noteUser(request, userId) {
      of(request).userId = userId;
    },
    finish(request, answer, startedAt) {
      const { method } = request;
      const { status } = answer;
      const requestId = correlationOf(request) ?? crypto.randomUUID();
      answer.headers.set('X-Request-Id', requestId);
      metrics.requests.of(String(status)).add();
      const { route, userId, span } = of(request);
      span?.end(status >= 500 ? String(status) : undefined);
      const ms = Math.round((performance.now() - startedAt) * 100) / 100;
      const line = { requestId, method, route, status, ms, userId };
      if (isRoutine(route)) logger.debug(line, 'request');
      else logger.info(line, 'request');
    },
  };
}

/**
 * What the client or a proxy calls the request: `X-Correlation-Id`, else `X-Request-Id`, else the trace of `traceparent`. One
 * that is no plain word is passed over: proxies put all sorts of things there.
 */
export function correlationOf({ headers }: Request): string | undefined {
  return (
    plainWord(headers.get('x-correlation-id')) ??
    plainWord(headers.get('x-request-id')) ??
    readTraceparent(headers.get('traceparent'))?.traceId
  );
}

const plainWord = (text: string | null): string | undefined => /^[\w.-]{1,64}$/.exec(text ?? '')?.[0];

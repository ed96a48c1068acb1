// Lets web pages of other origins call the routes and read the answers, refusals too. [H6] The headers are those of
// https://fetch.spec.whatwg.org/#http-cors-protocol: a browser asks, and obeys. Nothing here goes by cookies, so a page
// that is not allowed cannot act as its reader: what changes anything takes JSON or a token, and for both it has to ask.

import { isAllowedOrigin } from '../protocol/origins.ts';

/** Puts the headers on an answer. A preflight must bring its methods in `Allow`. */
export type MarkAnswer = (request: Request, answer: Response) => Response;

const requestHeaders =
  'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Correlation-Id, X-Request-Id, Traceparent';
const readableHeaders = 'Retry-After, RateLimit, RateLimit-Policy, X-Request-Id';

/** How long a browser may go by the answer to a preflight, and thus by a list that has been changed. */
const preflightSeconds = 600;

export function createCors(allowedOrigins: readonly string[]): MarkAnswer {
  const isForAll = allowedOrigins.length === 0;
  return (request, answer) => {
    const { headers } = answer;
    const origin = request.headers.get('origin');
    // Also without an origin: a cache must not show that answer to a page.
    if (!isForAll) headers.append('Vary', 'Origin');
    if (!isForAll && (origin === null || !isAllowedOrigin(origin, allowedOrigins))) return answer;
    headers.set('Access-Control-Allow-Origin', isForAll || origin === null ? '*' : origin);
    headers.set('Access-Control-Expose-Headers', readableHeaders);
    const methods = headers.get('Allow');
    const isPreflight = request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
    if (!isPreflight || methods === null) return answer;
    headers.set('Access-Control-Allow-Methods', methods);
    headers.set('Access-Control-Allow-Headers', requestHeaders);
    headers.set('Access-Control-Max-Age', String(preflightSeconds));
    return answer;
  };
}

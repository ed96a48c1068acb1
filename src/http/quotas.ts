// `RateLimit` and `RateLimit-Policy` of an answer: of each limit that the request counted for, what it allows and what is left.
// As draft-ietf-httpapi-ratelimit-headers has it since version 08: `"messages";r=29;t=60` of `"messages";q=30;w=60`.

import type { Quota } from '../realtime/index.ts';

export function writeQuotas({ headers }: Response, quotas: readonly Quota[] | undefined): void {
  if (quotas === undefined || quotas.length === 0) return;
  headers.set('RateLimit-Policy', quotas.map(({ policy }) => policy).join(', '));
  headers.set(
    'RateLimit',
    quotas
      .map(
        ({ name, remaining, resetMs }) =>
          `"${name}";r=${remaining};t=${Math.ceil(Math.round(resetMs) / 1_000)}`,
      )
      .join(', '),
  );
}

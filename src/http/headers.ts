// What browsers are told with every answer: never to guess types, to show it in no frame, to tell nobody where a reader came
// from, and, but for pages, to load nothing for it.

const shared = {
  'cache-control': 'no-store', // what a route answers is about one user, at one moment
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin', // pages of allowed origins ask by CORS, which this does not concern
};

/** A page behind which this policy stands loads from its own origin alone, and sends nothing elsewhere. */
const strictPolicy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

/** Of every answer; `publicUrl`: where it is https, browsers come by https alone from then on. */
export function safeHeaders(publicUrl?: string): Record<string, string> {
  const isHttps = publicUrl?.startsWith('https://') ?? false;
  return {
    ...shared,
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    ...(isHttps && { 'strict-transport-security': 'max-age=31536000' }),
  };
}

/** Of a page, in the place of the policy above. `more`: what it needs beyond the strict one. */
export function pageHeaders(more: Partial<typeof strictPolicy> = {}): Record<string, string> {
  const policy = Object.entries({ ...strictPolicy, ...more }).map(([name, sources]) => `${name} ${sources}`);
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'cross-origin-opener-policy': 'same-origin',
  };
}

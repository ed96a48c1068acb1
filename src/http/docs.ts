// The OpenAPI document at /swagger/json and a page that shows it at /swagger. Everything the page needs comes from here:
// it works without the internet, and no other origin learns of its readers.

import { type AnyElysia, Elysia } from 'elysia';
import { version } from '../../package.json';
import { findPackageFile } from '../files.ts';
import type { Module } from '../realtime/index.ts';
import { mendDocument, type OpenApiDocument } from './openapi.ts';

export const info = {
  title: 'Carillon',
  version,
  license: { name: 'MIT', identifier: 'MIT' },
  description:
    'Every route needs `Authorization: Bearer <accessToken>` where it shows a lock. What happens is announced over the ' +
    'WebSocket at `/ws`: `/asyncapi` lists its commands and events, `src/protocol/PROTOCOL.md` has the rules.',
};

const securitySchemes = {
  bearer: { type: 'http' as const, scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token' },
};

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carillon: HTTP routes</title>
<link rel="icon" href="/swagger/favicon-32x32.png">
<link rel="stylesheet" href="/swagger/swagger-ui.css">
</head>
<body>
<div id="routes"></div>
<script src="/swagger/swagger-ui-bundle.js"></script>
<script src="/swagger/start.js"></script>
</body>
</html>
`;

// A file of its own: the policy below allows no inline script.
const startScript = `SwaggerUIBundle({ url: '/swagger/json', dom_id: '#routes', deepLinking: true, validatorUrl: null });\n`;

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
};

const files = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/** Documents the routes of `plugins`, under the headings of the modules. */
export function createDocs(plugins: readonly AnyElysia[], modules: readonly Module[]) {
  let document: Promise<OpenApiDocument> | undefined;
  const docs = new Elysia({ prefix: '/swagger', normalize: false })
    .get('/', () => new Response(page, { headers: pageHeaders }))
    .get('/json', () => {
      document ??= describeRoutes(plugins, modules); // at the first request: an instance should not start later for it
      return document;
    })
    .get('/start.js', () => new Response(startScript, { headers: { 'content-type': 'text/javascript' } }));
  for (const name of files) {
    const path = findPackageFile(`swagger-ui-dist/${name}`);
    docs.get(
      `/${name}`,
      () => new Response(Bun.file(path), { headers: { 'cache-control': 'max-age=3600' } }),
    );
  }
  return docs;
}

/** The generator comes with a page that loads scripts from elsewhere: it is asked for the document, and never mounted. */
async function describeRoutes(
  plugins: readonly AnyElysia[],
  modules: readonly Module[],
): Promise<OpenApiDocument> {
  const { swagger } = await import('@elysiajs/swagger');
  const descriptions = Object.assign({}, ...modules.map((module) => module.tags), {
    Health: 'For load balancers',
  });
  const generator = plugins.reduce<AnyElysia>((routes, plugin) => routes.use(plugin), new Elysia());
  generator.use(
    swagger({
      documentation: {
        info,
        servers: [{ url: '/', description: 'This server' }],
        components: { securitySchemes },
      },
    }),
  );
  const response = await generator.handle(new Request('http://generator.local/swagger/json'));
  return mendDocument(await response.json(), descriptions);
}

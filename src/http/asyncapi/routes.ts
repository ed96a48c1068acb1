// The AsyncAPI document at /asyncapi.json, and a page that shows it at /asyncapi. The page has no script, and nothing in it
// comes from elsewhere: it works without the internet, and no other origin learns of its readers.

import { Elysia } from 'elysia';
import { findFile } from '../../files.ts';
import type { Module } from '../../realtime/index.ts';
import { describeSocket } from './document.ts';
import { renderPage } from './page.ts';
import type { AsyncApiDocument } from './parts.ts';

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

const style = findFile('src/http/asyncapi/page.css');
const styleHeaders = { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'max-age=3600' };

export function createSocketDocs(modules: readonly Module[]) {
  // At the first request: an instance should not start later for it.
  let document: AsyncApiDocument | undefined;
  const describe = () => {
    document ??= describeSocket(modules);
    return document;
  };
  let page: string | undefined;
  return new Elysia({ normalize: false })
    .get('/asyncapi.json', describe)
    .get('/asyncapi', () => {
      page ??= renderPage(describe());
      return new Response(page, { headers: pageHeaders });
    })
    .get('/asyncapi/page.css', () => new Response(Bun.file(style), { headers: styleHeaders }));
}

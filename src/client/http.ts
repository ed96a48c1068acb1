// What the demo and the terminal client ask of the server over HTTP, and where that server is.

import { Value } from '@sinclair/typebox/value';
import { ErrorBody } from '../protocol/errors.ts';
import { Refused } from './refused.ts';

/** Where nothing names another one. */
export const defaultServer = 'http://localhost:3000';

/** The server's origin, from its HTTP or its WebSocket address. */
export function parseServerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(http|ws)s?:$/.test(url.protocol) || !['/', '/ws'].includes(url.pathname)) {
    throw new Error(`Expected a URL like http://localhost:3000 or ws://localhost:3000, not "${text}".`);
  }
  return new URL(url.origin.replace(/^ws/, 'http'));
}

/** Answers the body. Throws Refused, or an Error that says that there is no such server. */
export async function post(server: URL, path: string, body: object, token?: string): Promise<unknown> {
  const headers = new Headers({ 'Content-Type': 'application/json' });
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
  const response = await fetch(new URL(path, server), {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  }).catch((cause: unknown) => {
    throw new Error(`Nothing answers at ${server.origin}. Is the server running? (bun start)`, { cause });
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  if (!Value.Check(ErrorBody, answer)) {
    throw new Error(`POST ${path} answered ${response.status}. Is ${server.origin} a Carillon server?`);
  }
  const { code, message } = answer.error;
  throw new Refused({ ...answer.error, message: `POST ${path} was refused: ${code}. ${message}` });
}

// What a test does with a running instance, in this process or another: requests, users, connections.

import { type ClientOptions, openClient, type TestClient } from './client.ts';

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely; their expectations are what types them
  body: any;
}

export interface TestUser {
  id: string;
  email: string;
  password: string;
  name: string;
  accessToken: string;
  refreshToken: string;
  sessionId: string;
}

export interface Api {
  readonly url: string;
  /** A string as `body` is sent as it is, anything else as JSON. */
  request(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** A new user with an address of its own, logged in. */
  register(name: string, options?: { email?: string; password?: string }): Promise<TestUser>;
  /** Another session of the user. */
  login(user: Pick<TestUser, 'email' | 'password'>): Promise<TestUser>;
  /** A connection of the user, or with the access token; the welcome has come. `url`: through a proxy. */
  connect(user: TestUser | string, options?: ClientOptions & { url?: string }): Promise<TestClient>;
}

export function createApi(url: string): Api {
  const request: Api['request'] = async (method, path, options = {}) => {
    const headers = new Headers(options.headers);
    if (options.token !== undefined) headers.set('Authorization', `Bearer ${options.token}`);
    if (options.body !== undefined && !headers.has('Content-Type'))
      headers.set('Content-Type', 'application/json');
    const body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body);
    const response = await fetch(new URL(path, url), { method, headers, body, redirect: 'manual' });
    const isStream = response.headers.get('Content-Type')?.startsWith('text/event-stream') ?? false;
    if (isStream) await response.body?.cancel(); // it has no end: whoever wants to read it has `openStream`
    const text = isStream ? '' : await response.text();
    const isJson = response.headers.get('Content-Type')?.includes('json') ?? false;
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== '' ? JSON.parse(text) : text,
    };
  };
  const enter = async (path: string, body: Record<string, string>): Promise<TestUser> => {
    const answer = await request('POST', path, { body });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    const { user, sessionId, accessToken, refreshToken } = answer.body;
    return {
      id: user.id,
      email: body.email ?? '',
      password: body.password ?? '',
      name: user.name,
      accessToken,
      refreshToken,
      sessionId,
    };
  };
  return {
    url,
    request,
    register: (name, options = {}) =>
      enter('/v1/auth/register', {
        email: options.email ?? `${crypto.randomUUID()}@example.com`,
        password: options.password ?? 'correct horse battery',
        name,
      }),
    login: ({ email, password }) => enter('/v1/auth/login', { email, password }),
    async connect(user, { url: through = url, ...options } = {}) {
      const token = typeof user === 'string' ? user : user.accessToken;
      const headers = { Authorization: `Bearer ${token}`, ...options.headers };
      const client = await openClient(`${through.replace('http', 'ws')}/ws`, { ...options, headers });
      await client.next('welcome');
      return client;
    },
  };
}

// What the console asks over plain HTTP, because nobody is logged in yet: becoming a user, logging in, refreshing, logging out.

import type { LoginInput, RegisterInput, SignedIn } from '../../auth/contract.ts';
import { Refused } from '../../client/index.ts';
import type { WireError } from '../../protocol/errors.ts';

export interface Requests {
  register(input: RegisterInput): Promise<SignedIn>;
  login(input: LoginInput): Promise<SignedIn>;
  refresh(refreshToken: string): Promise<SignedIn>;
  logout(accessToken: string): Promise<void>;
}

/** Each throws Refused, or an Error that says that nothing answers. */
export function createRequests(origin: string): Requests {
  const post = async (path: string, body: object, token?: string): Promise<unknown> => {
    const headers = new Headers({ 'Content-Type': 'application/json' });
    if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await fetch(new URL(`/v1/auth/${path}`, origin), request).catch((cause: unknown) => {
      throw new Error('The server does not answer. Is it running, and are you connected to it?', { cause });
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return answer;
    if (isRefusal(answer)) throw new Refused(answer.error);
    throw new Error(`The server answered ${response.status}. Try again in a moment.`);
  };
  // The server that serves this page answers as its contract says: no schema is loaded to check it.
  const enter = (path: string, body: object) => post(path, body) as Promise<SignedIn>;
  return {
    register: (input) => enter('register', input),
    login: (input) => enter('login', input),
    refresh: (refreshToken) => enter('refresh', { refreshToken }),
    logout: async (accessToken) => {
      await post('logout', {}, accessToken);
    },
  };
}

function isRefusal(answer: unknown): answer is { error: WireError } {
  return typeof answer === 'object' && answer !== null && 'error' in answer;
}

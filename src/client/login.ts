// How a program gets its access tokens: with an account, again and again, or with one token as long as that lives.

import { Value } from '@sinclair/typebox/value';
import { SignedIn } from '../auth/contract.ts';
import type { TokenReason } from './client.ts';
import { post } from './http.ts';
import { Refused } from './refused.ts';

export interface Account {
  email: string;
  password: string;
  /** Given: the account is registered first. */
  name?: string | undefined;
}

/** The token to connect with; a newer one of the session; one of a new session. Throws where there is none to have. */
export type GetToken = (reason: TokenReason) => Promise<string>;

/** Registers where the account has a name, else logs in. */
export async function signIn(server: URL, { email, password, name }: Account): Promise<SignedIn> {
  return name === undefined
    ? await enter(server, 'login', { email, password })
    : await enter(server, 'register', { email, password, name });
}

/** Signs in at once. Throws Refused with `unauthorized` later on, where the account is over for good. */
export async function logIn(server: URL, account: Account): Promise<GetToken> {
  const { email, password } = account;
  let signedIn = await signIn(server, account);
  return async (reason) => {
    if (reason === 'expiring') {
      signedIn = await enter(server, 'refresh', { refreshToken: signedIn.refreshToken });
    } else if (reason === 'refused') {
      signedIn = await enter(server, 'login', { email, password });
    }
    return signedIn.accessToken;
  };
}

export function keepToken(token: string): GetToken {
  return async (reason) => {
    if (reason === 'connect') return token;
    if (reason === 'expiring') {
      throw new Error('The token of CARILLON_TOKEN is about to end, and so is the connection.');
    }
    const message = 'The token of CARILLON_TOKEN is over, or bad: start again with another.';
    throw new Refused({ code: 'unauthorized', message });
  };
}

async function enter(server: URL, path: 'login' | 'register' | 'refresh', body: object): Promise<SignedIn> {
  const answer = await post(server, `/v1/auth/${path}`, body);
  if (Value.Check(SignedIn, answer)) return answer;
  throw new Error('The server answered something else than tokens. Is it a Carillon server?');
}

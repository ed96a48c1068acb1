// How a program gets its access tokens: with an account, again and again, or with one token as long as that lives.

import { type Account, Refused, refresh, signIn } from './session.ts';

export interface Login {
  readonly token: string;
  /** A newer token of the same session. [H4] Throws where there is none to have. */
  renew(): Promise<void>;
  /** A token for a new session. Throws Refused with `unauthorized` where it is over for good. */
  again(): Promise<void>;
}

/** Registers first, where the account has a name. */
export async function logIn(server: URL, account: Account): Promise<Login> {
  const { email, password } = account;
  let signedIn = await signIn(server, account);
  return {
    get token() {
      return signedIn.accessToken;
    },
    async renew() {
      signedIn = await refresh(server, signedIn.refreshToken);
    },
    async again() {
      signedIn = await signIn(server, { email, password });
    },
  };
}

export function useToken(token: string): Login {
  return {
    token,
    async renew() {
      throw new Error('The token of CARILLON_TOKEN is about to end, and so is the connection.');
    },
    async again() {
      throw new Refused(
        'unauthorized',
        'The token of CARILLON_TOKEN is over, or bad: start again with another.',
      );
    },
  };
}

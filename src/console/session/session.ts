// Who is logged in, in all tabs of this browser. The access token is in memory alone. The refresh token is in localStorage,
// where reloads and other tabs find it: the server takes no cookies, and the page's policy runs no script but its own.
//
// A refresh token is good once, and a later use ends the session [H5]. So one tab refreshes at a time, behind a lock of the
// browser, with what is stored by then, and stores the answer first of all. Where there is no lock (no secure context),
// the ten seconds in which the server answers again are all there is.

import type { OwnUser, SignedIn } from '../../auth/contract.ts';
import type { TokenReason } from '../../client/index.ts';
import { Refused } from '../../client/index.ts';
import type { Requests } from './requests.ts';

export type SessionState =
  | { readonly name: 'restoring' }
  /** `notice`: why, where nobody asked for it. */
  | { readonly name: 'out'; readonly notice?: string | undefined }
  /** It is not known whether the session is still good. */
  | { readonly name: 'unreachable'; readonly error: Error }
  | { readonly name: 'in'; readonly sessionId: string; readonly user: OwnUser };

export interface Session {
  readonly state: SessionState;
  subscribe(listener: () => void): () => void;
  /** Goes on with the session that is stored, if there is one. */
  restore(): Promise<void>;
  register(input: Parameters<Requests['register']>[0]): Promise<void>;
  login(input: Parameters<Requests['login']>[0]): Promise<void>;
  /** In all tabs. The session ends here even where the server cannot be told. */
  logout(): Promise<void>;
  /** For the client: undefined once the session is over. */
  getToken(reason: TokenReason): Promise<string | undefined>;
  /** The client says that the session is over. */
  end(notice: string): void;
  /** Another tab changed what is stored. */
  onStored(): void;
}

export interface SessionParts {
  readonly requests: Requests;
  readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** Runs one at a time in all tabs. */
  readonly alone: <Result>(run: () => Promise<Result>) => Promise<Result>;
  readonly now: () => number;
}

export const storageKey = 'carillon.session';
/** A token that ends sooner than this may be over when it arrives. */
const marginMs = 5_000;

const isOver = 'Your session is over. Log in again.';

interface Stored {
  readonly sessionId: string;
  readonly refreshToken: string;
}

export function createSession({ requests, storage, alone, now }: SessionParts): Session {
  const listeners = new Set<() => void>();
  let state: SessionState = { name: 'restoring' };
  let access: { readonly token: string; readonly endsAt: number } | undefined;

  const setState = (next: SessionState): void => {
    state = next;
    for (const listener of [...listeners]) listener();
  };
  const leave = (notice?: string): void => {
    access = undefined;
    setState({ name: 'out', notice });
  };
  const keep = ({ accessToken, refreshToken, expiresAt, sessionId, user }: SignedIn): void => {
    storage.setItem(storageKey, JSON.stringify({ sessionId, refreshToken } satisfies Stored));
    access = { token: accessToken, endsAt: Date.parse(expiresAt) };
    if (state.name !== 'in' || state.sessionId !== sessionId) setState({ name: 'in', sessionId, user });
  };
  /** Undefined: the session is over, or it is another one by now. */
  const refresh = (): Promise<string | undefined> =>
    alone(async () => {
      const stored = readStored(storage);
      const isOther = state.name === 'in' && stored?.sessionId !== state.sessionId;
      if (stored === undefined || isOther) return undefined;
      try {
        const signedIn = await requests.refresh(stored.refreshToken);
        if (readStored(storage)?.sessionId !== stored.sessionId) return undefined; // logged out meanwhile
        keep(signedIn);
        return signedIn.accessToken;
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== 'unauthorized') throw error;
        storage.removeItem(storageKey);
        return undefined;
      }
    });

  const session: Session = {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async restore() {
      if (readStored(storage) === undefined) {
        leave();
        return;
      }
      setState({ name: 'restoring' });
      try {
        if ((await refresh()) === undefined) leave(isOver);
      } catch (error) {
        setState({ name: 'unreachable', error: error instanceof Error ? error : new Error(String(error)) });
      }
    },
    async register(input) {
      keep(await requests.register(input));
    },
    async login(input) {
      keep(await requests.login(input));
    },
    async logout() {
      const token = access?.token;
      storage.removeItem(storageKey);
      leave();
      if (token !== undefined) await requests.logout(token).catch(() => {});
    },
    async getToken(reason) {
      if (reason === 'connect' && access !== undefined && access.endsAt - now() > marginMs)
        return access.token;
      const token = await refresh();
      if (token === undefined && state.name === 'in') session.onStored();
      return token;
    },
    end(notice) {
      if (state.name !== 'in') return;
      if (readStored(storage)?.sessionId === state.sessionId) storage.removeItem(storageKey);
      leave(notice);
    },
    onStored() {
      const stored = readStored(storage);
      if (stored === undefined) {
        if (state.name === 'in') leave(isOver);
      } else if (state.name !== 'in' || state.sessionId !== stored.sessionId) {
        access = undefined;
        setState({ name: 'restoring' });
        void session.restore();
      }
    },
  };
  return session;
}

function readStored(storage: SessionParts['storage']): Stored | undefined {
  try {
    const stored: unknown = JSON.parse(storage.getItem(storageKey) ?? 'null');
    return isStored(stored) ? stored : undefined;
  } catch {
    return undefined; // whatever else stood there
  }
}

function isStored(value: unknown): value is Stored {
  return typeof value === 'object' && value !== null && 'refreshToken' in value && 'sessionId' in value;
}

// The session of the console: where tokens are, and what becomes of it in several tabs.

import { expect, test } from 'bun:test';
import type { SignedIn } from '../../src/auth/contract.ts';
import { Refused } from '../../src/client/index.ts';
import type { Requests } from '../../src/console/session/requests.ts';
import { createSession, storageKey } from '../../src/console/session/session.ts';

/** A server of one account, as strict with refresh tokens as the real one, but for the ten seconds. */
function createWorld() {
  let issued = 0;
  let current = '';
  let isDown = false;
  const refreshes: string[] = [];
  const answer = (): SignedIn => {
    issued += 1;
    current = `r${issued}`;
    const at = new Date(900_000).toISOString();
    return {
      accessToken: `a${issued}`,
      refreshToken: current,
      expiresAt: at,
      sessionId: 's1',
      user: {
        id: 'u1',
        name: 'Ann',
        avatarUrl: null,
        lastSeenAt: null,
        email: 'ann@example.com',
        role: 'user',
        emailVerified: false,
        createdAt: at,
      },
    };
  };
  const requests: Requests = {
    register: async () => answer(),
    login: async () => answer(),
    async refresh(token) {
      if (isDown) throw new Error('The server does not answer.');
      refreshes.push(token);
      await Promise.resolve();
      if (token !== current) {
        current = 'revoked';
        throw new Refused({ code: 'unauthorized', message: 'The session is over.' });
      }
      return answer();
    },
    logout: async () => {},
  };
  const stored = new Map<string, string>();
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
    removeItem: (key: string) => void stored.delete(key),
  };
  let last: Promise<unknown> = Promise.resolve();
  const alone = <Result>(run: () => Promise<Result>): Promise<Result> => {
    const mine = last.then(run);
    last = mine.catch(() => {});
    return mine;
  };
  return {
    stored,
    refreshes,
    setDown: (down: boolean) => {
      isDown = down;
    },
    openTab: () => createSession({ requests, storage, alone, now: () => 0 }),
  };
}

const account = { email: 'ann@example.com', password: 'correct horse battery' };

test('the access token is nowhere but in memory', async () => {
  const { openTab, stored } = createWorld();
  const tab = openTab();
  await tab.login(account);
  expect(await tab.getToken('connect')).toBe('a1');
  expect([...stored]).toEqual([[storageKey, JSON.stringify({ sessionId: 's1', refreshToken: 'r1' })]]);
});

test('[H5] tabs that refresh at once use each refresh token once', async () => {
  const { openTab, refreshes } = createWorld();
  const first = openTab();
  await first.login(account);
  const tabs = [first, ...Array.from({ length: 5 }, openTab)];
  await Promise.all(tabs.slice(1).map((tab) => tab.restore()));
  await Promise.all(tabs.map((tab) => tab.getToken('expiring')));
  expect(new Set(refreshes).size).toBe(refreshes.length);
  expect(refreshes).toHaveLength(11);
  expect(tabs.map(({ state }) => state.name)).toEqual(tabs.map(() => 'in'));
});

test('without anything stored, or with nonsense, one is out', async () => {
  const { openTab, stored } = createWorld();
  for (const text of [undefined, 'nonsense', '"text"', '{"refreshToken":1}', 'null']) {
    stored.clear();
    if (text !== undefined) stored.set(storageKey, text);
    const tab = openTab();
    await tab.restore();
    expect([text, tab.state]).toEqual([text, { name: 'out', notice: undefined }]);
  }
});

test('a session that is over is forgotten, and says so', async () => {
  const { openTab, stored } = createWorld();
  stored.set(storageKey, JSON.stringify({ sessionId: 's1', refreshToken: 'stolen' }));
  const tab = openTab();
  await tab.restore();
  expect(tab.state).toEqual({ name: 'out', notice: 'Your session is over. Log in again.' });
  expect(stored.size).toBe(0);
});

test('a server that does not answer ends nothing', async () => {
  const { openTab, stored, setDown } = createWorld();
  await openTab().login(account);
  setDown(true);
  const tab = openTab();
  await tab.restore();
  expect(tab.state.name).toBe('unreachable');
  expect(stored.size).toBe(1);
  setDown(false);
  await tab.restore();
  expect(tab.state.name).toBe('in');
});

test('logged out in one tab, one is out in all of them', async () => {
  const { openTab, stored } = createWorld();
  const [first, second] = [openTab(), openTab()];
  await first.login(account);
  await second.restore();
  await first.logout();
  second.onStored();
  expect([first.state.name, second.state.name, stored.size]).toEqual(['out', 'out', 0]);
  expect(await second.getToken('connect')).toBeUndefined();
});

test('an answer that comes behind the logout brings nobody back', async () => {
  const { openTab, stored } = createWorld();
  const tab = openTab();
  await tab.login(account);
  const refreshing = tab.getToken('expiring');
  await Promise.resolve(); // it is on its way
  await tab.logout();
  expect(await refreshing).toBeUndefined();
  expect([tab.state.name, stored.size]).toEqual(['out', 0]);
});

// The law is about every command: apply(snapshot before, events) = snapshot after. Each module's `law.test.ts` walks through
// its own at random; here stands that none is left out. The list comes from the declarations.

import { expect, test } from 'bun:test';
import { onEachDatabase } from '../support/server.ts';
import { steps as campaignSteps } from './campaigns/steps.ts';
import { operations as chatOperations } from './chat/steps.ts';
import { steps as gameSteps } from './game/steps.ts';
import { steps as jobSteps } from './jobs/steps.ts';
import { operations as offerOperations } from './offers/steps.ts';

const walked: readonly string[] = [
  ...chatOperations,
  ...offerOperations,
  ...Object.keys(campaignSteps),
  ...Object.keys(gameSteps),
  ...Object.keys(jobSteps),
];

/** What writes, and changes no state that a topic has: their events are on kinds of topic without a snapshot. */
const withoutState: Readonly<Record<string, string>> = {
  publish: 'topics app: have no state',
  'session.logout': 'nor have topics user:',
  'session.revoke': 'the same',
  'password.change': 'the same',
  'admin.user.update': 'the same',
};

/** What concerns many modules has a suite of its own. */
const apart: Readonly<Record<string, string>> = { 'user.delete': 'auth/deleting.test.ts' };

onEachDatabase('the law', (open) => {
  test('has a generator for every command that changes the state of a topic', async () => {
    const server = await open();
    const writing = server.modules.flatMap(({ operations }) =>
      operations.flatMap(({ name, writes }) => (writes === false ? [] : [name])),
    );
    const known = [...walked, ...Object.keys(withoutState), ...Object.keys(apart)];
    expect(writing.filter((name) => !known.includes(name))).toEqual([]);
    expect(known.filter((name) => !writing.includes(name))).toEqual([]);
    const stateless = server.modules.flatMap(({ topicKinds }) =>
      topicKinds.flatMap(({ kind, snapshot }) => (snapshot === undefined ? [kind] : [])),
    );
    expect(stateless.sort()).toEqual(['app', 'user']);
  });
});

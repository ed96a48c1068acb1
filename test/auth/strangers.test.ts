// Every route that names something by its id, with the good token of somebody else. The routes come from the app itself:
// a new one must be added to `ofAnn` below.

import { beforeAll, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { pollsModule } from '../modules/polls/index.ts';
import { createPollTables } from '../modules/polls/tables.ts';
import type { TestUser } from '../support/api.ts';
import { onEachDatabase, type TestServer } from '../support/server.ts';

const unknownId = '00000000-0000-7000-8000-000000000000';

interface Route {
  readonly method: string;
  readonly path: string;
}

/** A route about something of Ann's, with ids in their places. */
interface Attempt {
  readonly ids: Record<string, string>;
  readonly body?: unknown;
}

onEachDatabase('strangers', (open) => {
  let server: TestServer;
  let ann: TestUser;
  let bob: TestUser;
  let routes: Route[];
  let ofAnn: Record<string, Attempt | 'public'>;

  beforeAll(async () => {
    server = await open({}, [pollsModule]);
    await createPollTables(server.db);
    [ann, bob] = [await server.register('Ann'), await server.register('Bob')];
    const { body: docs } = await server.request('GET', '/swagger/json');
    routes = Object.entries<Record<string, unknown>>(docs.paths).flatMap(([path, methods]) =>
      path.includes('{')
        ? Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path }))
        : [],
    );
    const token = ann.accessToken;
    const { body: chat } = await server.request('POST', '/v1/chats', {
      token,
      body: { type: 'group', name: 'Of Ann', participantIds: [] },
    });
    const { body: message } = await server.request('POST', `/v1/chats/${chat.id}/messages`, {
      token,
      body: { content: 'of Ann' },
    });
    const create = async (path: string, body: object): Promise<{ id: string }> =>
      (await server.request('POST', `/v1${path}`, { token, body })).body;
    const { id: campaignId } = await create('/campaigns', { name: 'Of Ann' });
    const { id: kingdomId } = await create(`/campaigns/${campaignId}/kingdoms`, { name: 'Of Ann' });
    const { id: settlementId } = await create(`/kingdoms/${kingdomId}/settlements`, { name: 'Of Ann' });
    const ofStructure = { name: 'Of Ann', type: 'keep' };
    const { id: structureId } = await create(`/settlements/${settlementId}/structures`, ofStructure);
    const chatId = chat.id;
    const eve = await server.register('Eve');
    await server.request('POST', `/v1/chats/${chatId}/members`, { token, body: { userId: eve.id } });
    const terms = { recipientId: eve.id, title: 'Of Ann', amount: '1', currency: 'EUR' };
    const { body: offer } = await server.request('POST', `/v1/chats/${chatId}/offers`, {
      token,
      body: terms,
    });
    const offerId = offer.id;
    // A hack of Ann on a computer of Eve; Bob plays, too.
    const play = async ({ accessToken }: TestUser, handle: string) => {
      const { body } = await server.request('POST', '/v1/players', { token: accessToken, body: { handle } });
      return { computerId: body.computers[0].id as string }; // of what was created
    };
    const { computerId } = await play(ann, 'ann');
    await play(bob, 'bob');
    const { computerId: targetComputerId } = await play(eve, 'eve');
    await server.db.execute(sql`UPDATE players SET shield_until = NULL`);
    const { id: hackId } = await create('/hacks', { targetComputerId, type: 'exploit' });
    const { id: jobId } = await create('/jobs', { type: 'of-ann', payload: 1 });
    const leaseId = unknownId;
    const emoji = encodeURIComponent('👍');
    ofAnn = {
      'DELETE /v1/auth/sessions/{sessionId}': { ids: { sessionId: ann.sessionId } },
      'GET /v1/users/{userId}': 'public',
      // Everyone who is logged in may see a poll, and vote.
      'GET /v1/polls/{pollId}': 'public',
      'POST /v1/polls/{pollId}/votes': 'public',
      'GET /v1/users/{userId}/presence': 'public',
      'PATCH /v1/admin/users/{userId}': { ids: { userId: ann.id }, body: { disabled: true } },
      'GET /v1/admin/events/{topic}/{seq}': { ids: { topic: `chat:${chatId}`, seq: '1' } },
      'GET /v1/topics/{topic}/events': { ids: { topic: `chat:${chatId}` } },
      'GET /v1/topics/{topic}/stream': { ids: { topic: `chat:${chatId}` } },
      'POST /v1/topics/{topic}/events': { ids: { topic: 'app:of-ann' }, body: { event: 'a.b', data: 1 } },
      'GET /v1/chats/{chatId}': { ids: { chatId } },
      'PATCH /v1/chats/{chatId}': { ids: { chatId }, body: { name: 'Of Bob' } },
      'POST /v1/chats/{chatId}/members': { ids: { chatId }, body: { userId: bob.id } },
      'PATCH /v1/chats/{chatId}/members/{userId}': {
        ids: { chatId, userId: ann.id },
        body: { role: 'member' },
      },
      'DELETE /v1/chats/{chatId}/members/{userId}': { ids: { chatId, userId: ann.id } },
      'GET /v1/chats/{chatId}/messages': { ids: { chatId } },
      'POST /v1/chats/{chatId}/messages': { ids: { chatId }, body: { content: 'of Bob' } },
      'GET /v1/chats/{chatId}/messages/{messageId}': { ids: { chatId, messageId: message.id } },
      'PATCH /v1/chats/{chatId}/messages/{messageId}': {
        ids: { chatId, messageId: message.id },
        body: { content: 'x' },
      },
      'DELETE /v1/chats/{chatId}/messages/{messageId}': { ids: { chatId, messageId: message.id } },
      'PUT /v1/chats/{chatId}/messages/{messageId}/reactions/{emoji}': {
        ids: { chatId, messageId: message.id, emoji },
      },
      'DELETE /v1/chats/{chatId}/messages/{messageId}/reactions/{emoji}': {
        ids: { chatId, messageId: message.id, emoji },
      },
      'PATCH /v1/chats/{chatId}/me': { ids: { chatId }, body: { hidden: true } },
      // Anybody may be blocked.
      'PUT /v1/users/me/blocks/{userId}': 'public',
      'DELETE /v1/users/me/blocks/{userId}': 'public',
      'POST /v1/chats/{chatId}/read': { ids: { chatId }, body: { seq: 1 } },
      'GET /v1/chats/{chatId}/offers': { ids: { chatId } },
      'POST /v1/chats/{chatId}/offers': { ids: { chatId }, body: terms },
      'GET /v1/offers/{offerId}': { ids: { offerId } },
      'POST /v1/offers/{offerId}/accept': { ids: { offerId } },
      'POST /v1/offers/{offerId}/reject': { ids: { offerId } },
      'POST /v1/offers/{offerId}/withdraw': { ids: { offerId } },
      'POST /v1/offers/{offerId}/counter': { ids: { offerId }, body: { amount: '2' } },
      'GET /v1/campaigns/{campaignId}': { ids: { campaignId } },
      'PATCH /v1/campaigns/{campaignId}': { ids: { campaignId }, body: { version: 1, name: 'Of Bob' } },
      'DELETE /v1/campaigns/{campaignId}': { ids: { campaignId } },
      'GET /v1/campaigns/{campaignId}/tree': { ids: { campaignId } },
      'POST /v1/campaigns/{campaignId}/time': { ids: { campaignId }, body: { advanceSeconds: 1 } },
      'POST /v1/campaigns/{campaignId}/owner': { ids: { campaignId }, body: { userId: bob.id } },
      'GET /v1/campaigns/{campaignId}/members': { ids: { campaignId } },
      'POST /v1/campaigns/{campaignId}/members': { ids: { campaignId }, body: { userId: bob.id } },
      'GET /v1/campaigns/{campaignId}/members/{userId}': { ids: { campaignId, userId: ann.id } },
      'PATCH /v1/campaigns/{campaignId}/members/{userId}': {
        ids: { campaignId, userId: ann.id },
        body: { role: 'viewer' },
      },
      'DELETE /v1/campaigns/{campaignId}/members/{userId}': { ids: { campaignId, userId: ann.id } },
      'GET /v1/campaigns/{campaignId}/kingdoms': { ids: { campaignId } },
      'POST /v1/campaigns/{campaignId}/kingdoms': { ids: { campaignId }, body: { name: 'Of Bob' } },
      'GET /v1/kingdoms/{kingdomId}': { ids: { kingdomId } },
      'PATCH /v1/kingdoms/{kingdomId}': { ids: { kingdomId }, body: { version: 1, name: 'Of Bob' } },
      'DELETE /v1/kingdoms/{kingdomId}': { ids: { kingdomId } },
      'GET /v1/kingdoms/{kingdomId}/settlements': { ids: { kingdomId } },
      'POST /v1/kingdoms/{kingdomId}/settlements': { ids: { kingdomId }, body: { name: 'Of Bob' } },
      'GET /v1/settlements/{settlementId}': { ids: { settlementId } },
      'PATCH /v1/settlements/{settlementId}': { ids: { settlementId }, body: { version: 1, level: 3 } },
      'DELETE /v1/settlements/{settlementId}': { ids: { settlementId } },
      'GET /v1/settlements/{settlementId}/structures': { ids: { settlementId } },
      'POST /v1/settlements/{settlementId}/structures': {
        ids: { settlementId },
        body: { name: 'Of Bob', type: 'keep' },
      },
      'GET /v1/structures/{structureId}': { ids: { structureId } },
      'PATCH /v1/structures/{structureId}': { ids: { structureId }, body: { version: 1, level: 3 } },
      'DELETE /v1/structures/{structureId}': { ids: { structureId } },
      // Everyone sees the faces of players and computers; unlocks are the same for all.
      'GET /v1/players/{playerId}': 'public',
      'GET /v1/computers/{computerId}': 'public',
      'POST /v1/unlocks/{key}': 'public',
      'POST /v1/computers/{computerId}/defenses': { ids: { computerId }, body: { type: 'ids' } },
      'GET /v1/hacks/{hackId}': { ids: { hackId } },
      'DELETE /v1/hacks/{hackId}': { ids: { hackId } },
      'GET /v1/jobs/{jobId}': { ids: { jobId } },
      'POST /v1/jobs/{jobId}/cancel': { ids: { jobId } },
      'POST /v1/jobs/{jobId}/retry': { ids: { jobId } },
      'POST /v1/jobs/{jobId}/progress': { ids: { jobId }, body: { leaseId, current: 1, total: 2 } },
      'POST /v1/jobs/{jobId}/complete': { ids: { jobId }, body: { leaseId, result: 1 } },
      'POST /v1/jobs/{jobId}/fail': { ids: { jobId }, body: { leaseId, error: 'of Bob' } },
    };
  });

  const absentOf = (name: string, id: string): string => {
    if (name === 'topic') return 'app:of-nobody';
    return name.endsWith('Id') ? unknownId : id;
  };
  const nameOf = ({ method, path }: Route) => `${method} ${path}`;
  const fill = (path: string, ids: Record<string, string>) =>
    path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? unknownId);

  test('[X] tells a stranger no more of what is foreign than of what does not exist, and changes nothing', async () => {
    expect(routes.map(nameOf).sort()).toEqual(Object.keys(ofAnn).sort());
    const state = async () => {
      const campaign = ofAnn['GET /v1/campaigns/{campaignId}'];
      const campaignId = campaign === 'public' ? undefined : campaign?.ids.campaignId;
      const paths = [
        '/v1/auth/sessions',
        '/v1/chats',
        '/v1/users/me',
        '/v1/offers',
        '/v1/jobs',
        `/v1/campaigns/${campaignId}/tree`,
        `/v1/campaigns/${campaignId}/members`,
        '/v1/hacks',
        '/v1/unlocks',
      ];
      const answers = await Promise.all(
        paths.map((path) => server.request('GET', path, { token: ann.accessToken })),
      );
      return answers.map(({ body }) => body);
    };
    const before = await state();
    for (const route of routes) {
      const attempt = ofAnn[nameOf(route)];
      if (attempt === undefined || attempt === 'public') continue;
      const ask = (ids: Record<string, string>) =>
        server.request(route.method, fill(route.path, ids), { token: bob.accessToken, body: attempt.body });
      const unknown = Object.fromEntries(
        Object.entries(attempt.ids).map(([name, id]) => [name, absentOf(name, id)]),
      );
      const [foreign, absent] = [await ask(attempt.ids), await ask(unknown)];
      expect([nameOf(route), foreign.status, foreign.body]).toEqual([
        nameOf(route),
        absent.status,
        absent.body,
      ]);
      expect([403, 404]).toContain(foreign.status);
    }
    expect(await state()).toEqual(before);
  });
});

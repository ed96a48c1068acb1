// The law with offers: what chat and offers make of the events between two snapshots turns the first into the second, parts
// and all, for random sequences of what users do in a chat and about offers, one after another and all at once. LAW_SEED
// repeats a run.

import { beforeAll, expect, test } from 'bun:test';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { eq } from 'drizzle-orm';
import fc from 'fast-check';
import { chatTopic } from '../../../src/modules/chat/contract.ts';
import { apply, type ChatState } from '../../../src/modules/chat/state.ts';
import { readState } from '../../../src/modules/chat/topics.ts';
import { events, type Offer } from '../../../src/modules/offers/contract.ts';
import { readListed, toOffer } from '../../../src/modules/offers/rows.ts';
import { offers } from '../../../src/modules/offers/schema.ts';
import { applyOffers } from '../../../src/modules/offers/state.ts';
import { expireOffers } from '../../../src/modules/offers/writer.ts';
import { createCommit } from '../../../src/realtime/log/commit.ts';
import type { TestUser } from '../../support/api.ts';
import type { Frame, TestClient } from '../../support/client.ts';
import { onEachDatabase, type TestServer } from '../../support/server.ts';
import { createGroup, eventsOf } from '../chat/setup.ts';
import { anyStep, at, type Party, type Step, take, userCount } from '../chat/steps.ts';
import { moveEnd } from './setup.ts';
import { anyOfferStep, type OfferStep, takeOfferStep } from './steps.ts';

type State = ChatState & { readonly offers: Offer[] };

/** A step of chat, one about an offer, or the end of an offer's time. */
type AnyStep = Step | OfferStep | { readonly expires: number };

const seed = Number(process.env.LAW_SEED ?? Math.floor(Math.random() * 2 ** 31));

const step: fc.Arbitrary<AnyStep> = fc.oneof(
  { weight: 6, arbitrary: anyOfferStep },
  { weight: 2, arbitrary: anyStep },
  { weight: 1, arbitrary: fc.record({ expires: fc.nat(1_000) }) },
);

/** Every change once, whatever chance brings beside. Between those who are members at first: users 0, 1 and 2. */
const tour: AnyStep[] = [
  ...['offer.accept', 'offer.reject', 'offer.withdraw', 'offer.counter'].flatMap((operation) => [
    { operation: 'offer.create', by: 0, on: 1 },
    { operation, by: 0, on: 1 },
  ]),
  { operation: 'offer.create', by: 2, on: 1 },
  { expires: 0 },
  { expires: 0 },
];

/** What a subscriber does with each event. */
function applyAll({ offers: part, ...state }: State, frame: Pick<Frame, 'type' | 'payload'>): State {
  const event = { type: frame.type, payload: frame.payload };
  return { ...apply(state, event), offers: applyOffers(part, event) };
}

onEachDatabase('the law of offers', (open) => {
  let server: TestServer;
  let party: Party;

  beforeAll(async () => {
    console.log(`LAW_SEED=${seed}`);
    server = await open();
    const users: TestUser[] = [];
    const clients: TestClient[] = [];
    for (let n = 0; n < userCount; n += 1) {
      const user = await server.register(`User ${n}`);
      users.push(user);
      clients.push(await server.connect(user));
    }
    party = { server, users, clients };
  });

  async function startChat(): Promise<string> {
    const [creator, ...others] = party.users;
    if (creator === undefined) throw new Error('There are no users.');
    const { id } = await createGroup(server, creator, ...others.slice(0, 2));
    return id;
  }

  const readBoth = async (chatId: string): Promise<State> => ({
    ...(await readState(server.db, chatId)),
    offers: await readListed(server.db, chatId),
  });
  const allOffers = async (chatId: string): Promise<Offer[]> =>
    (await server.db.select().from(offers).where(eq(offers.chatId, chatId)).orderBy(offers.seq)).map(toOffer);

  let said = 0;
  async function takeAny(chatId: string, next: AnyStep, state: State): Promise<void> {
    said += 1;
    if ('expires' in next) {
      if (state.offers.length > 0) await moveEnd(server, at(state.offers, next.expires));
    } else if ('operation' in next) {
      // Those that are open, now and then all that ever were.
      const known = next.on % 5 === 0 ? await allOffers(chatId) : state.offers;
      await takeOfferStep(party, chatId, next, known);
    } else {
      await take(party, chatId, next, { state, content: `said ${said}.` });
    }
  }

  /** As the clockwork does it, but at once: a test that looks behind every step cannot have it happen at any time. */
  const commit = () => createCommit(server.db, () => {});
  async function expireNow(chatId: string, chosen: number): Promise<void> {
    const open = await readListed(server.db, chatId);
    if (open.length === 0) return;
    await commit()(undefined, async (tx, emit) => {
      await expireOffers(tx, emit, [at(open, chosen).id]);
      return {};
    });
  }

  const durables: Record<string, (typeof events)[keyof typeof events]> = { ...events };
  const changes = new Set<string>();
  function check({ type, payload }: Frame): void {
    if (!type.startsWith('offer.')) return;
    expect([...Value.Errors(durables[type]?.payload ?? Type.Never(), payload)]).toEqual([]);
    if (type === 'offer.updated') changes.add(payload.change);
  }

  test('one after another: the law holds behind every command, and from each to the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const chatId = await startChat();
        let state = await readBoth(chatId);
        let head = 1;
        const past: [State, number][] = [];
        for (const next of steps) {
          past.push([state, head]);
          if ('expires' in next) await expireNow(chatId, next.expires);
          else await takeAny(chatId, next, state);
          const news = await eventsOf(server, chatTopic(chatId), head);
          for (const event of news) check(event);
          state = news.reduce(applyAll, state);
          head += news.length;
          expect(state).toEqual(await readBoth(chatId));
        }
        const log = await eventsOf(server, chatTopic(chatId));
        for (const [before, seq] of past) expect(log.slice(seq).reduce(applyAll, before)).toEqual(state);
        const open = (await allOffers(chatId)).filter(({ status }) => status === 'pending');
        expect(openIn(log)).toEqual(open.map(({ id }) => id));
      }),
      { seed, numRuns: 12, examples: [[tour]], endOnFailure: true },
    );
    expect([...changes].sort()).toEqual(['accepted', 'countered', 'expired', 'rejected', 'withdrawn']);
  }, 120_000);

  test('all at once: what a follower builds from a snapshot and frames is the next snapshot', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 2, maxLength: 14 }), { minLength: 1, maxLength: 4 }),
        async (rounds) => {
          const chatId = await startChat();
          const topic = chatTopic(chatId);
          const follower = await server.connect(at(party.users, 0));
          const joined = await follower.subscribe(topic, { snapshot: true });
          let state = joined.snapshot as State; // the contract of the chat's topic, with this module
          for (const steps of rounds) {
            const known = state;
            await Promise.all(steps.map((next) => takeAny(chatId, next, known)));
            const late = await server.connect(at(party.users, 0));
            const { snapshot, seq } = await late.subscribe(topic, { snapshot: true });
            late.close();
            for (let n = joined.seq + 1; n <= seq; n += 1) {
              const event = await follower.next((frame) => frame.topic === topic && frame.seq !== undefined);
              expect(event.seq).toBe(n);
              check(event);
              state = applyAll(state, event);
            }
            joined.seq = seq;
            expect(timeless(state)).toEqual(timeless(snapshot as State)); // as above
          }
          follower.close();
        },
      ),
      { seed, numRuns: 8, endOnFailure: true },
    );
  }, 120_000);
});

/** Without the ends of offers, which the test moves behind everybody's back. */
const timeless = ({ offers: part, ...state }: State) => ({
  ...state,
  offers: part.map(({ expiresAt: _, ...offer }) => offer),
});

/** The offers that the log has made and not ended. */
function openIn(log: readonly Frame[]): string[] {
  const open = new Set<string>();
  for (const { type, payload } of log) {
    if (type === 'offer.created') open.add(payload.offer.id);
    if (type === 'offer.updated')
      expect([payload.offer.id, open.delete(payload.offer.id)]).toEqual([payload.offer.id, true]);
  }
  return [...open];
}

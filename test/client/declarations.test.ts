// What the client's types say is what the server declares: by name and by type, and written by nobody.

import { expect, test } from 'bun:test';
import type { Static, TSchema } from '@sinclair/typebox';
import type { adminOperations } from '../../src/auth/admin-operations.ts';
import type { sessionOperations } from '../../src/auth/session-operations.ts';
import type { userOperations } from '../../src/auth/user-operations.ts';
import { writeDeclarations } from '../../src/build/declarations.ts';
import { listDeclared } from '../../src/build/declared.ts';
import { format } from '../../src/build/format.ts';
import type * as written from '../../src/client/declarations.ts';
import type { Commands, Kinds, Written } from '../../src/client/declarations.ts';
import type { Client } from '../../src/client/index.ts';
import { findApply } from '../../src/client/states.ts';
import type { CampaignState, Settlement, Structure } from '../../src/modules/campaigns/contract.ts';
import type { ChatState, events as chatEvents } from '../../src/modules/chat/contract.ts';
import type { ComputerState, events as gameEvents, PlayerState } from '../../src/modules/game/contract.ts';
import type { allModules } from '../../src/modules/index.ts';
import type { AdminJobsState, JobState, UserJobsState } from '../../src/modules/jobs/contract.ts';
import type { ListedOffers, events as offerEvents } from '../../src/modules/offers/contract.ts';
import type { ClientFrame, Subscribed } from '../../src/protocol/envelope.ts';
import type { WireError } from '../../src/protocol/errors.ts';
import type { EventsOn, EventTable, PayloadOf } from '../../src/protocol/events.ts';
import type { DefinedModule, Operation } from '../../src/realtime/index.ts';
import { onEachDatabase } from '../support/server.ts';

type Operations =
  | ReturnType<typeof userOperations>[number]
  | ReturnType<typeof sessionOperations>[number]
  | ReturnType<typeof adminOperations>[number]
  | OperationsOf<(typeof allModules)[number]>;
type OperationsOf<Module> = Module extends DefinedModule<infer Own> ? Own : never;

/** Each is the other: none has a field, or takes a value, that the other has not. */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;

type Named<Name> = Extract<Operations, { readonly name: Name }>;
type InputOf<Op> = Op extends Operation<string, infer Input> ? Static<Input> : never;
type AnswerOf<Op> =
  Op extends Operation<string, TSchema, infer Output>
    ? Output extends TSchema
      ? Static<Output>
      : undefined
    : never;
/** An output is answered alone, or with where its events stand. [O3] */
type IsAnswer<Actual, Output> = true extends
  | Same<Actual, Output>
  | Same<Actual, Output & Written>
  | Same<Actual, Output & Partial<Written>>
  | ([Output] extends [undefined] ? Same<Actual, Written> | Same<Actual, Written | undefined> : never)
  ? true
  : false;

/** Those of the protocol itself are no operations. */
type OfModules = Exclude<keyof Commands, 'auth' | 'ping' | 'subscribe' | 'unsubscribe' | 'presence.list'>;
/** The topic stands in the envelope. */
type PayloadOfInput<Input> = Input extends unknown ? Omit<Input, 'topic'> : never;
type Misfits = {
  [Name in OfModules]: [
    Commands[Name]['takesTopic'] extends true
      ? Same<Commands[Name]['payload'], PayloadOfInput<InputOf<Named<Name>>>>
      : Same<Commands[Name]['payload'], InputOf<Named<Name>>>,
    IsAnswer<Commands[Name]['output'], AnswerOf<Named<Name>>>,
  ] extends [true, true]
    ? never
    : Name;
}[OfModules];

type PayloadsOn<Table extends EventTable, Kind extends string> = {
  [Type in keyof EventsOn<Table, Kind>]: PayloadOf<EventsOn<Table, Kind>, Type>;
};

test('payloads, outputs, states and events have the types of their declarations', () => {
  // The compiler is what checks: a wrong one is an error of `bun run types`.
  const claims: [
    Same<Misfits, never>,
    Same<Exclude<OfModules, Operations['name']>, never>,
    Same<written.ClientFrame, ClientFrame>,
    Same<written.Subscribed, Subscribed>,
    Same<written.WireError, WireError>,
    Same<Kinds['chat']['state'], ChatState & { offers: ListedOffers }>,
    Same<Kinds['campaign']['state'], CampaignState>,
    Same<Kinds['settlement']['state'], Settlement>,
    Same<Kinds['structure']['state'], Structure>,
    Same<Kinds['player']['state'], PlayerState>,
    Same<Kinds['computer']['state'], ComputerState>,
    Same<Kinds['job']['state'], JobState>,
    Same<Kinds['user-jobs']['state'], UserJobsState>,
    Same<Kinds['admin-jobs']['state'], AdminJobsState>,
    Kinds['chat']['events'] extends PayloadsOn<typeof chatEvents, 'chat'> ? true : false,
    Kinds['chat']['events'] extends PayloadsOn<typeof offerEvents, 'chat'> ? true : false,
    Kinds['user']['events'] extends PayloadsOn<typeof chatEvents, 'user'> ? true : false,
    Kinds['player']['events'] extends PayloadsOn<typeof gameEvents, 'player'> ? true : false,
  ] = [
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
    true,
  ];
  expect(claims).not.toContain(false as true);
});

/** Never called: the compiler reads it. */
export async function useTypes(client: Client, id: string, someName: string): Promise<void> {
  const sent = await client.send('message.send', { chatId: id, content: 'Hi' });
  const seq: number | undefined = sent.events[0]?.seq ?? sent.seq;
  await client.send('publish', { event: 'thing.happened', data: seq }, { topic: 'app:public.lobby' });
  await client.send('user.me');
  // @ts-expect-error: there is no content
  await client.send('message.send', { chatId: id });
  // @ts-expect-error: the content is a text
  await client.send('message.send', { chatId: id, content: 1 });
  // @ts-expect-error: it has no such field
  await client.send('message.send', { chatId: id, content: 'Hi', color: 'red' });
  // @ts-expect-error: there is no such command
  await client.send('message.sent', { chatId: id, content: 'Hi' });
  // @ts-expect-error: it names its topic
  await client.send('publish', { event: 'thing.happened', data: 1 });

  const chat = client.topic(`chat:${id}`);
  const contents: (string | null | undefined)[] = [chat.state?.messages[0]?.content];
  const amount: string | undefined = chat.state?.offers[0]?.amount;
  chat.on('message.created', ({ payload }) => contents.push(payload.content, amount));
  // @ts-expect-error: that does not happen in a chat
  chat.on('hack.initiated', () => {});
  client.topic(`user:${id}:jobs`).state?.jobs.map(({ status }) => status);
  // @ts-expect-error: a user's own topic has no state
  client.topic(`user:${id}`).state?.jobs;
  client.topic(someName).on('whatever.happened', () => {});
  client.on('profile.updated', ({ payload }) => contents.push(payload.name));
  // @ts-expect-error: no module has such an event
  client.on('profile.forgotten', () => {});
}

onEachDatabase('declarations.ts', (open, { kind }) => {
  if (kind === 'postgres') return; // the declarations are the same
  test('has a state that is kept for each kind of topic with a snapshot, but for what is live alone', async () => {
    const { modules } = await open();
    for (const { kind, form, snapshot } of modules.flatMap(({ topicKinds }) => topicKinds)) {
      const isKept = findApply(form.replace(/<\w+>/, crypto.randomUUID())) !== undefined;
      expect([kind, isKept]).toEqual([kind, snapshot !== undefined && kind !== 'admin-jobs']);
    }
    expect(findApply('constructor:x')).toBeUndefined();
  });

  test('is what `bun run types:client` writes', async () => {
    const { modules } = await open();
    const written = await format(writeDeclarations(listDeclared(modules)));
    const path = `${import.meta.dir}/../../src/client/declarations.ts`;
    expect(written === (await Bun.file(path).text())).toBe(true); // a difference is of 1,000 lines: run it to see
  });
});

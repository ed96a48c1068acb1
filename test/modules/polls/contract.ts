// What goes over the wire: inputs, outputs, the table of events and the state. Browser-safe.

import { type Static, Type } from '@sinclair/typebox';
import { type DurableEvent, durable } from '../../../src/protocol/events.ts';
import { Id, line } from '../../../src/protocol/values.ts';

const strict = { additionalProperties: false };
const Text = Type.String({ minLength: 1, maxLength: 100, ...line });
const Option = Type.Integer({ minimum: 0, maximum: 9, description: 'Counted from 0' });

export const Poll = Type.Object(
  { id: Id, question: Text, options: Type.Array(Text), createdBy: Id },
  { title: 'Poll' },
);
export type Poll = Static<typeof Poll>;

export const CreatePoll = Type.Object(
  { question: Text, options: Type.Array(Text, { minItems: 2, maxItems: 10 }) },
  { ...strict, examples: [{ question: 'Tea or coffee?', options: ['Tea', 'Coffee'] }] },
);
export const Vote = Type.Object({ pollId: Id, option: Option }, strict);
export const Voted = Type.Object({ pollId: Id, userId: Id, option: Option }, { title: 'Vote' });

export const GetPoll = Type.Object({ pollId: Id }, strict);

export const events = {
  'poll.created': durable(['poll'], Poll),
  'poll.voted': durable(['poll'], Voted),
};
export type PollEvent = DurableEvent<typeof events, 'poll'>;

export const PollState = Type.Object(
  { poll: Poll, votes: Type.Record(Type.String(), Option, { description: 'By user' }) },
  { title: 'PollState' },
);
export type PollState = Static<typeof PollState>;

// Polls: make one, vote in it, look at it. Who votes again changes the vote.

import { eq } from 'drizzle-orm';
import type { Db } from '../../../src/db/database.ts';
import { AppError } from '../../../src/protocol/errors.ts';
import { command, query, topicKind } from '../../../src/realtime/index.ts';
import { CreatePoll, events, GetPoll, Poll, PollState, Vote, Voted } from './contract.ts';
import { polls, pollVotes } from './schema.ts';

export const poll = topicKind('poll', {
  events,
  mayFollow: async (db, _actor, id) => (await findPoll(db, id)) !== undefined,
  snapshot: { schema: PollState, read: (tx, _actor, id) => readState(tx, id) },
});

export const createPoll = command('poll.create', {
  summary: 'Make a poll',
  http: 'POST /polls',
  takesKey: true,
  input: CreatePoll,
  output: Poll,
  async run({ actor, tx, emit, audit }, { question, options }) {
    const made = { id: Bun.randomUUIDv7(), question, options, createdBy: actor.userId };
    await tx.insert(polls).values(made);
    await audit('poll_created', { pollId: made.id });
    emit(poll.on(made.id), 'poll.created', made);
    return made;
  },
});

export const vote = command('poll.vote', {
  summary: 'Vote, or change my vote',
  http: 'POST /polls/:pollId/votes',
  limit: { name: 'votes', points: () => 30, seconds: 60 },
  input: Vote,
  output: Voted,
  refuses: ['not_found', 'conflict'],
  async run({ actor, tx, emit }, { pollId, option }) {
    const { options } = (await findPoll(tx, pollId)) ?? noSuchPoll();
    if (option >= options.length) throw new AppError('conflict', `This poll has ${options.length} options.`);
    const voted = { pollId, userId: actor.userId, option };
    const target = [pollVotes.pollId, pollVotes.userId];
    await tx.insert(pollVotes).values(voted).onConflictDoUpdate({ target, set: { option } });
    emit(poll.on(pollId), 'poll.voted', voted);
    return voted;
  },
});

export const getPoll = query('poll.get', {
  summary: 'A poll and its votes',
  http: 'GET /polls/:pollId',
  input: GetPoll,
  output: PollState,
  refuses: ['not_found'],
  run: ({ db }, { pollId }) => readState(db, pollId),
});

const findPoll = async (db: Db, id: string): Promise<Poll | undefined> =>
  (await db.select().from(polls).where(eq(polls.id, id)))[0];

async function readState(db: Db, id: string): Promise<PollState> {
  const found = (await findPoll(db, id)) ?? noSuchPoll();
  const votes = await db.select().from(pollVotes).where(eq(pollVotes.pollId, id));
  return { poll: found, votes: Object.fromEntries(votes.map(({ userId, option }) => [userId, option])) };
}

function noSuchPoll(): never {
  throw new AppError('not_found', 'There is no such poll.');
}

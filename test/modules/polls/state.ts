// The law: apply over the events between two snapshots turns the first one into the second. Pure and browser-safe.

import type { PollEvent, PollState } from './contract.ts';

/** The state behind the event. */
export function apply(state: PollState, { type, payload }: PollEvent): PollState {
  if (type === 'poll.created') return { poll: payload, votes: {} };
  return { ...state, votes: { ...state.votes, [payload.userId]: payload.option } };
}

// How the states of topics are kept: for each kind that has one, its module's own `apply`, found by the topic's name.

import { applyCampaign, applySettlement, applyStructure } from '../modules/campaigns/state.ts';
import { apply as applyChatAlone, type ChatState } from '../modules/chat/state.ts';
import { applyComputer, applyPlayer } from '../modules/game/state.ts';
import { applyJob, applyUserJobs } from '../modules/jobs/state.ts';
import { applyOffers, type ListedOffers } from '../modules/offers/state.ts';
import type { EventFrame } from '../protocol/frames.ts';
import type { Apply } from './topic.ts';

/** A chat's, with what the module of offers adds to it; a server without that module has none. */
function applyChat(state: ChatState & { offers?: ListedOffers }, event: EventFrame): typeof state {
  const { offers } = state;
  const next = applyChatAlone(state, event);
  const nextOffers = offers && applyOffers(offers, event);
  return next === state && nextOffers === offers
    ? state
    : { ...next, ...(nextOffers && { offers: nextOffers }) };
}

const byWord: Readonly<Record<string, unknown>> = {
  chat: applyChat,
  campaign: applyCampaign,
  settlement: applySettlement,
  structure: applyStructure,
  player: applyPlayer,
  computer: applyComputer,
  job: applyJob,
};

/** Undefined: topics of this name have no state, or none that events change. */
export function findApply(topic: string): Apply | undefined {
  const word = topic.slice(0, topic.indexOf(':'));
  const apply = /^user:.+:jobs$/.test(topic) ? applyUserJobs : Object.hasOwn(byWord, word) && byWord[word];
  return apply ? (apply as Apply) : undefined; // of the state that topics of this name have
}

// Who is typing. At most once a second for each user and chat is passed on, whichever instances the user is connected to;
// of what comes in between, the last word is, when the second is over: a stop is never lost.

import type { RateLimits } from '../../auth/rate-limits.ts';
import type { Db } from '../../db/connect.ts';
import { chatTopic } from '../../protocol/topics.ts';
import type { Actor } from '../../realtime/actor.ts';
import type { Announce } from '../../realtime/module.ts';
import { isMember, noSuchChat } from './access.ts';
import type { LiveEvents, Typing } from './contract.ts';

export interface TypingNews {
  /** Throws `not_found` for everyone but members. */
  tell(actor: Actor, typing: Typing): Promise<void>;
}

export interface TypingDeps {
  readonly db: Db;
  readonly limits: Pick<RateLimits, 'takeTyping'>;
  readonly announce: Announce;
  readonly onFailure: (error: unknown, what: string) => void;
}

const quietMs = 1_000;

/** A second in which nothing more is passed on. Gone when it is over: memory follows what is typed just now. */
interface Quiet {
  /** What it began with; undefined where another instance had the second. */
  said: Typing | undefined;
  latest: { readonly actor: Actor; readonly typing: Typing };
}

export function createTyping({ db, limits, announce, onFailure }: TypingDeps): TypingNews {
  const quiets = new Map<string, Quiet>();

  /** Membership is asked each time: of someone who was removed within the second nothing more is said. */
  async function tell(actor: Actor, typing: Typing): Promise<void> {
    const { userId } = actor;
    const { chatId, active } = typing;
    if (!(await isMember(db, chatId, userId))) throw noSuchChat();
    const key = `${userId} ${chatId}`;
    const begun = quiets.get(key);
    if (begun !== undefined) {
      begun.latest = { actor, typing };
      return;
    }
    const quiet: Quiet = { said: undefined, latest: { actor, typing } };
    quiets.set(key, quiet);
    try {
      const waitMs = await limits.takeTyping(userId, chatId);
      if (waitMs === 0) {
        quiet.said = typing;
        const payload: LiveEvents['typing'] = { chatId, userId, active };
        announce({ topic: chatTopic(chatId), type: 'typing', payload, actor, exceptUserId: userId });
      }
      setTimeout(() => end(key), waitMs || quietMs).unref();
    } catch (error) {
      quiets.delete(key);
      throw error;
    }
  }

  function end(key: string): void {
    const quiet = quiets.get(key);
    quiets.delete(key);
    if (quiet === undefined || quiet.latest.typing.active === quiet.said?.active) return;
    tell(quiet.latest.actor, quiet.latest.typing).catch((error) => onFailure(error, 'typing'));
  }

  return { tell };
}

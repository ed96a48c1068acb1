// Who is typing. At most once a second for each user and chat is passed on; of what comes in between, the last word is,
// when the second is over: a stop is never lost.

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
  readonly announce: Announce;
  readonly onFailure: (error: unknown, what: string) => void;
}

const quietMs = 1_000;

/** A second in which nothing more is passed on. Gone when it is over: memory follows what is typed just now. */
interface Quiet {
  readonly said: Typing;
  latest: { readonly actor: Actor; readonly typing: Typing };
}

export function createTyping({ db, announce, onFailure }: TypingDeps): TypingNews {
  const quiets = new Map<string, Quiet>();

  async function tell(actor: Actor, typing: Typing): Promise<void> {
    const key = `${actor.userId} ${typing.chatId}`;
    const quiet = quiets.get(key);
    if (quiet !== undefined) {
      quiet.latest = { actor, typing };
      return;
    }
    quiets.set(key, { said: typing, latest: { actor, typing } });
    try {
      await pass(actor, typing);
    } catch (error) {
      quiets.delete(key);
      throw error;
    }
    setTimeout(() => end(key), quietMs).unref();
  }

  /** Membership is asked each time: of someone who was removed within the second nothing more is said. */
  async function pass(actor: Actor, { chatId, active }: Typing): Promise<void> {
    const { userId } = actor;
    if (!(await isMember(db, chatId, userId))) throw noSuchChat();
    const payload: LiveEvents['typing'] = { chatId, userId, active };
    announce({ topic: chatTopic(chatId), type: 'typing', payload, actor, exceptUserId: userId });
  }

  function end(key: string): void {
    const quiet = quiets.get(key);
    quiets.delete(key);
    if (quiet === undefined || quiet.latest.typing.active === quiet.said.active) return;
    tell(quiet.latest.actor, quiet.latest.typing).catch((error) => onFailure(error, 'typing'));
  }

  return { tell };
}

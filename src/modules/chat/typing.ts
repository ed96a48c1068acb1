// Who is typing. At most once a second for each user and chat is passed on, whichever instances the user is connected to;
// of what comes in between, the last word is, when the second is over: a stop is never lost.

import { type Actor, action, type ModuleCore } from '../../realtime/index.ts';
import { requireVoice } from './access.ts';
import { Typing } from './contract.ts';
import { chat } from './topics.ts';

export const typing = action('typing', {
  summary: 'Say that I am typing, or no longer',
  tag: 'Messages',
  input: Typing,
  refuses: ['forbidden', 'not_found'],
  start(core) {
    const news = createTyping(core);
    return async ({ actor }, input) => {
      await news.tell(actor, input);
      return { output: undefined };
    };
  },
});

interface TypingNews {
  /** Throws `not_found` for everyone but members, `forbidden` where one of two has blocked the other. */
  tell(actor: Actor, typing: Typing): Promise<void>;
}

const quietMs = 1_000;

/** A second in which nothing more is passed on. Gone when it is over: memory follows what is typed just now. */
interface Quiet {
  /** What it began with; undefined where another instance had the second. */
  said: Typing | undefined;
  latest: { readonly actor: Actor; readonly typing: Typing };
}

function createTyping({ db, takeSecond, announce, reporter }: ModuleCore): TypingNews {
  const quiets = new Map<string, Quiet>();

  /** Membership is asked each time: of someone who was removed within the second nothing more is said. */
  async function tell(actor: Actor, typing: Typing): Promise<void> {
    const { userId } = actor;
    const { chatId, active } = typing;
    await requireVoice(db, chatId, userId);
    const key = `${userId} ${chatId}`;
    const begun = quiets.get(key);
    if (begun !== undefined) {
      begun.latest = { actor, typing };
      return;
    }
    const quiet: Quiet = { said: undefined, latest: { actor, typing } };
    quiets.set(key, quiet);
    try {
      const waitMs = await takeSecond(`typing ${userId} ${chatId}`);
      if (waitMs === 0) {
        quiet.said = typing;
        announce(chat.on(chatId), 'typing', { chatId, userId, active }, { actor, exceptUserIds: [userId] });
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
    tell(quiet.latest.actor, quiet.latest.typing).catch((error) => reporter.report(error, 'typing'));
  }

  return { tell };
}

// Who is typing. At most once a second for each user and chat is passed on, whichever instances the user is connected to;
// of what comes in between, the last word is, when the second is over: a stop is never lost.
//
// Whoever is cut off says no stop, and neither does an instance that is killed. So every instance says it to its own followers,
// 6 s behind the last word of typing that it passed to them, wherever that came from.

import type { PayloadOf } from '../../protocol/events.ts';
import { type Actor, action, type ModuleCore } from '../../realtime/index.ts';
import { requireVoice } from './access.ts';
import { type events, Typing } from './contract.ts';
import { chat } from './topics.ts';

export const typing = action('typing', {
  summary: 'Say that I am typing, or no longer',
  tag: 'Messages',
  input: Typing,
  refuses: ['forbidden', 'not_found'],
  start(core) {
    endTyping(core);
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
const endMs = 6_000;

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
    if (quiet === undefined || isSaid(quiet)) return;
    tell(quiet.latest.actor, quiet.latest.typing).catch((error) => reporter.report(error, 'typing'));
  }

  return { tell };
}

/** Nothing came behind what was passed on, or only the same stop. Typing on is passed on again: that holds off the end. */
const isSaid = ({ said, latest: { typing } }: Quiet): boolean =>
  said === typing || (said?.active === false && !typing.active);

/** Says the end of typing that nobody has ended. */
function endTyping({ announceHere, observeAnnounced }: ModuleCore): void {
  const ends = new Map<string, ReturnType<typeof setTimeout>>();
  observeAnnounced('typing', ({ topic, payload }) => {
    const { chatId, userId, active } = payload as PayloadOf<typeof events, 'typing'>; // of this module: no other has the type
    const key = `${userId} ${topic}`;
    clearTimeout(ends.get(key));
    ends.delete(key);
    if (!active) return;
    const end = () => {
      ends.delete(key);
      const stopped = { chatId, userId, active: false };
      announceHere(chat.on(chatId), 'typing', stopped, { actor: undefined, exceptUserIds: [userId] });
    };
    ends.set(key, setTimeout(end, endMs).unref());
  });
}

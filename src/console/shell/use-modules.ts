// Which modules the server has: one that is switched off with MODULES knows none of its commands, and has no place here.

import { Refused } from '../../client/index.ts';
import { useCommand } from '../../client/react/index.ts';
import { useAnswer } from '../parts/use-answer.ts';

export const sections = ['chats', 'jobs', 'game', 'campaigns'] as const;
export type SectionName = (typeof sections)[number];

export interface Modules {
  readonly sections: readonly SectionName[];
  readonly hasOffers: boolean;
}

/** Undefined as long as it is not known. */
export function useModules(): Modules | undefined {
  const send = useCommand();
  const { data } = useAnswer('modules', async () => {
    const [chats, jobs, game, campaigns, hasOffers] = await Promise.all([
      isThere(send('chat.unread', {})),
      isThere(send('job.list', { limit: 1 })),
      isThere(send('player.list', { limit: 1 })),
      isThere(send('campaign.list', { limit: 1 })),
      isThere(send('offer.mine', { limit: 1 })),
    ]);
    const has = { chats, jobs, game, campaigns };
    return { sections: sections.filter((section) => has[section]), hasOffers };
  });
  return data;
}

/** Whatever else is wrong is shown where it matters. */
async function isThere(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (error) {
    return !(error instanceof Refused && error.code === 'unknown_command');
  }
}

// What the log says of a topic, all of it.

import type { Db } from '../../src/db/database.ts';
import { isLastPage, readEvents } from '../../src/realtime/log/event-log.ts';
import type { Frame } from '../support/client.ts';

const pageEvents = 1_000;

/** In the order of their seqs. */
export async function readFrames(db: Db, topic: string): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let after = 0; ; ) {
    const page = await readEvents(db, topic, after, pageEvents);
    frames.push(...page.map(({ frame }) => JSON.parse(frame)));
    after = page.at(-1)?.seq ?? after;
    if (isLastPage(page, pageEvents)) return frames;
  }
}
